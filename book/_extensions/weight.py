"""Pages that a phone shows soon: no style rule that no page needs, no script that words wait for.

The theme brings style sheets for all that it can do, a head full of scripts, and on each page what
only the search page needs.
"""

import re
from pathlib import Path

import tinycss2
from sphinx.application import Sphinx

# The search page's, which load nothing while letters are typed; and what hurries scripts along.
LATER = re.compile(
    r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>'
    r'|\s*<link rel="preload" as="script"[^>]*>'
)
NAME = re.compile(r"[\w-]+")
BRACKETS = re.compile(r"\((?:[^()]|\([^()]*\))*\)|\[[^]]*\]")
CLASS = re.compile(r"\.([A-Za-z_][\w-]*)")
MADE = "bs-"  # how names of classes begin that scripts put together
NESTED = {"media", "supports"}


def wanted(selector: str, names: set[str]) -> bool:
    """Whether a selector may mean something where only ``names`` are classes."""
    found = CLASS.findall(BRACKETS.sub("", selector))  # in brackets: others, or none
    return "\\" in selector or all(name in names or name.startswith(MADE) for name in found)


def purge(style: str, names: set[str]) -> str:
    """Return a style sheet without the selectors that need a class that is not in ``names``."""
    kept = []
    for rule in tinycss2.parse_rule_list(style, skip_comments=True, skip_whitespace=True):
        if rule.type == "qualified-rule":
            selectors = [[]]
            for token in rule.prelude:
                if token == ",":
                    selectors.append([])
                else:
                    selectors[-1].append(token)
            texts = [tinycss2.serialize(selector).strip() for selector in selectors]
            if head := ",".join(text for text in texts if wanted(text, names)):
                kept.append(f"{head}{{{tinycss2.serialize(rule.content).strip()}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in NESTED:
            if inside := purge(tinycss2.serialize(rule.content), names):
                head = tinycss2.serialize(rule.prelude).strip()
                kept.append(f"@{rule.at_keyword} {head}{{{inside}}}")
        else:
            kept.append(rule.serialize())
    return "\n".join(kept)


def defer(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Let script files wait for the page, where no script in it needs them at once."""
    if page == "search":
        return
    scripts = context["script_files"]
    for i, script in enumerate(scripts):
        file = str(script.filename or "")
        if file.endswith(".js") and "documentation_options" not in file:
            waiting = script.attributes | {"defer": "defer"}
            # Another one: all pages share this one.
            scripts[i] = type(script)(file, priority=script.priority, **waiting)


def lighten(app: Sphinx, error: Exception | None) -> None:
    """Take out of pages and style sheets what is not needed."""
    if error or app.builder.name != "html":
        return
    site, names = Path(app.outdir), set()
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        names.update(NAME.findall(text))
        if path.name != "search.html":
            path.write_text(LATER.sub("", text), encoding="utf-8", newline="\n")
    for path in [*site.glob("_static/**/*.js"), *site.glob("_frames/**/*.js")]:
        names.update(NAME.findall(path.read_text(encoding="utf-8")))
    for path in site.glob("_static/**/*.css"):
        style = path.read_text(encoding="utf-8")
        path.write_text(purge(style, names), encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", defer, priority=900)  # after the theme has added its own
    app.connect("build-finished", lighten, priority=900)  # after the icons are chosen
    return {"parallel_read_safe": True, "parallel_write_safe": True}
