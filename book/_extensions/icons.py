"""The icons that the pages use, as two fonts of a few kilobytes.

The theme brings all of Font Awesome, as a script that replaces every icon and as fonts. Its style
sheet does with the fonts alone, and of these the pages need two dozen signs.
"""

import re
import shutil
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

FONTS = {"fa-solid-900": "icons", "fa-brands-400": "brands"}  # and what the style sheet calls them
SCRIPT = re.compile(r'\s*<script[^>]* src="[^"]*fontawesome\.js[^"]*"></script>')
RULE = re.compile(r'((?:\.fa-[\w-]+::?before,?)+)\{content:"(.)"\}')
SIGN = re.compile("[\uf000-\uf8ff]")


def read(path: Path) -> str:
    """The text of a file, with signs for their escapes."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"\\(f[0-9a-f]{3})", lambda code: chr(int(code[1], 16)), text)


def used(site: Path) -> str:
    """The icons that pages, scripts and style sheets ask for."""
    pages = "".join(map(read, [*site.rglob("*.html"), *site.glob("_static/**/*.js")]))
    names = set(re.findall(r"\bfa-[a-z0-9-]+", pages))
    styles = "".join(map(read, site.glob("_static/**/*.css")))
    signs = SIGN.findall(RULE.sub("", styles))  # such as those of admonitions
    for selectors, sign in RULE.findall(styles):
        if names & set(re.findall(r"fa-[\w-]+", selectors)):
            signs.append(sign)
    return "".join(signs)


def replace(app: Sphinx, error: Exception | None) -> None:
    """Write the fonts, and take what they replace out of the site."""
    site = Path(app.outdir)
    fonts = site / "_static" / "vendor" / "fontawesome" / "webfonts"
    if error or app.builder.name != "html" or not fonts.exists():
        return
    for script in site.glob("_static/scripts/fontawesome.js*"):
        script.unlink()
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(SCRIPT.sub("", text), encoding="utf-8", newline="\n")
    signs = used(site)
    for full, name in FONTS.items():
        font = TTFont(fonts / f"{full}.ttf", recalcTimestamp=False)
        subset = Subsetter(Options(layout_features=[], hinting=False))
        subset.populate(text=signs)
        subset.subset(font)
        font.flavor = "woff"
        font.save(site / "_static" / f"{name}.woff")
    shutil.rmtree(fonts)


def setup(app: Sphinx) -> dict:
    app.connect("build-finished", replace)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
