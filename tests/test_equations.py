"""Every labelled equation of the book has a check.

The equation labelled ``eq-02-twins`` is checked by ``test_eq_02_twins`` in ``tests/equations``,
symbolically or numerically. A label that begins with ``def-`` marks a definition: it holds because
it says so.
"""

import ast
import re
from collections import Counter
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent
# $$ … $$ (label), and the label option of the math directive.
LABEL = re.compile(r"^\$\$[ \t]*\(([^)\s]+)\)|^:label:[ \t]*((?:eq|def)-\S+)", re.MULTILINE)


def labels(markdown: str) -> list[str]:
    return [dollars or option for dollars, option in LABEL.findall(markdown)]


def pages() -> dict[str, str]:
    """The Markdown of every page, by file name."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("book/*.md")}
    for path in ROOT.glob("book/*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        texts[path.name] = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    return texts


def equations() -> Counter[str]:
    return Counter(label for text in pages().values() for label in labels(text))


def checked() -> set[str]:
    """The labels that the tests of tests/equations check."""
    return {
        node.name.removeprefix("test_").replace("_", "-")
        for path in (ROOT / "tests" / "equations").glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_eq_")
    }


def test_every_label_is_an_equation_or_a_definition_and_used_once():
    assert [label for label, times in equations().items() if times > 1] == []
    assert [label for label in equations() if not label.startswith(("eq-", "def-"))] == []


def test_every_equation_is_checked_and_every_check_has_its_equation():
    assert {label for label in equations() if label.startswith("eq-")} == checked()


def test_labels_are_found():
    text = "$$\na = b\n$$ (eq-1)\n\n$$ c $$\n\n```{math}\n:label: eq-2\nd\n```\n$$\nx\n$$ (def-3)"
    assert labels(text) == ["eq-1", "eq-2", "def-3"]
