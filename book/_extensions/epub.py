"""The book as an EPUB, which a screen reader reads with its formulas: `make epub`.

Sphinx writes pages that are almost XML. Here they become XML that any reader knows: without forms,
which need scripts, with the colours of paper, and with two style sheets of all there are.
"""

import html
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.builders.epub3 import Epub3Builder

STYLES = {"book.css", "pygments.css"}
KINDS = {"math": "http://www.w3.org/1998/Math/MathML", "svg": "http://www.w3.org/2000/svg"}
# What a catalogue tells people who look for a book that they can read.
ACCESS = [
    ("accessMode", "textual"),
    ("accessMode", "visual"),
    ("accessModeSufficient", "textual"),
    ("accessibilityFeature", "MathML"),
    ("accessibilityFeature", "alternativeText"),
    ("accessibilityFeature", "structuralNavigation"),
    ("accessibilityFeature", "tableOfContents"),
    ("accessibilityHazard", "none"),
]
STILL = '<p class="still">The first picture of an explorer; the site shows all.</p>'
WHY = "<summary>Why</summary>"
REPLACED = [
    (r'<link rel="stylesheet"[^>]*/(?!book|pygments)[\w.-]+\.css[^>]*>', ""),
    (r"(?s)<style>.*?</style>", ""),
    (r"var\(--c-\w+,(#\w+)\)", r"\1"),
    (r"&(?!(?:amp|lt|gt|quot);)\w+;", lambda entity: html.unescape(entity[0])),
    (r"<(math|svg)\b", lambda tag: f'{tag[0]} xmlns="{KINDS[tag[1]]}"'),
    # Newer than the MathML that EPUB knows; the first is what it means anyway.
    (r' scriptlevel="0"|(?<=<mfrac) displaystyle="false"', ""),
    (r"(?s)<form\b.*?</form>", STILL),
    (r'<input type="radio"[^>]*>', ""),
    (r'(?s)<div class="quiz-answers".*?>(.*?)</div>', rf"<details>{WHY}\1</details>"),
    # Of Sphinx and its extensions: no title opens what is open, ids are there once, as in
    # tests/test_site.py, and a list is no part of a paragraph.
    (r'<p class="collapsed admonition-title">(.*?)</p>\s*<p class="expanded .*?</p>', r"\1"),
    (r' id="(?:(?:proof|exercise|solution)-content|proof)"| role="doc-biblio\w+"', ""),
    (r"(?s)<p>(<([uo])l\b.*?</\2l>)\s*</p>", r"\1"),
]


class Builder(Epub3Builder):
    """Sphinx's, with pages that EPUBCheck passes."""

    def prepare_writing(self, docnames: set[str]) -> None:
        super().prepare_writing(docnames)
        self.domain_indices = []

    def build_content(self) -> None:
        """Mend the pages, and list them with what they hold."""
        folder, held = Path(self.outdir), {}
        for path in [*folder.glob("_static/**/*.*"), *folder.glob("*.png")]:
            if path.name not in STYLES:
                path.unlink()
        for path in folder.rglob("*.xhtml"):
            page = path.read_text(encoding="utf-8")
            for pattern, replacement in REPLACED:
                page = re.sub(pattern, replacement, page)
            path.write_text(page, encoding="utf-8", newline="\n")
            kinds = [kind.replace("math", "mathml") for kind in KINDS if f"<{kind} " in page]
            if kinds:
                held[path.relative_to(folder).as_posix()] = " ".join(kinds)
        super().build_content()
        listing = folder / "content.opf"
        text = listing.read_text(encoding="utf-8")
        for name, kinds in held.items():
            text = text.replace(f'href="{name}" media', f'href="{name}" properties="{kinds}" media')
        access = "".join(f'<meta property="schema:{name}">{what}</meta>' for name, what in ACCESS)
        text = text.replace("</metadata>", f"{access}</metadata>")
        listing.write_text(text, encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict:
    app.add_builder(Builder, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
