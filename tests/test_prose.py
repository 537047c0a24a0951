"""No measured number is typed by hand into the prose of a chapter.

What looks measured (decimals, percentages, powers of ten, "about 37") is glued by the cell that
measured it, or it stands in ``ALLOWED`` with the reason why it is no measurement.
"""

import re
from pathlib import Path

import nbformat
import pytest

BOOK = Path(__file__).parent.parent / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))

# What is no prose, or no measurement.
APART = re.compile(
    r"""
      ^(`{3,})(?:\{(?:math|code\S*)\}|(?!\{)).*?^\1   # code, mathematics
    | \$\$.*?\$\$ | \$[^$\n]*(?:\n[^$\n]+)?\$       # mathematics
    | \{[\w:-]+\}`[^`]*`                            # glue, citations, references
    | (?<!`)`(?!`)[^`]+`(?!`)                       # code
    | (?<=\])\([^)]*\)                              # addresses
    | \b(?:chapters?|eqs?\.|equations?|figures?|pages?|sec(?:tions?|s?\.))\s+\d[\d.]*  # places
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
MEASURED = re.compile(
    r"""
      (?<![\w.])(?:
        (?:\d+\.)?\d+(?:,\d{3})*(?:\.\d+)?\s?%      # 97.3 %
      | \d+(?:,\d{3})*\.\d+                         # 0.849
      | (?:\d\s?[·×]\s?)?10[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+       # 10⁻⁶
      | \d+e[-+]?\d+                                # 1e-6
      | (?:about|almost|approximately|around|nearly|roughly)\s+
        \d++(?:,\d{3})*+(?:\.\d+)?+(?!/|\s+minutes)  # about 37
      )
    """,
    re.VERBOSE,
)

# Why a number is no measurement.
CHOSEN = "a setting, which the code beside it has too, or a number that the reader is asked about"
CHECKED = "a bound that the code beside it asserts, or prints as kept"
SAID = "quoted from a source, a claim or a paper"
THEORY = "follows from a formula on the page"
ALLOWED = {
    "01_logistic_regression": {
        "37.5 %": CHOSEN,  # 60 of 160
        "0.001": CHOSEN,
        "0.00001": CHECKED,
        "1 %": CHOSEN,
    },
    "02_symmetry": {
        "99 %": CHOSEN,
        "0.1": SAID,
        "0.01": SAID,
    },
    "03_vanishing_exploding": {
        "0.01": SAID,
        "0.001": SAID,
        "1.5": CHOSEN,
        "0.1 %": CHECKED,
        "0.2785": THEORY,
        "72 %": THEORY,  # 1 − 0.2785
        "0.5": CHOSEN,
        "7.7": CHOSEN,
        "1.54": THEORY,
    },
    "04_xavier_he": {
        "0.01": SAID,
        "1 %": CHOSEN,
        "1.5925": THEORY,
        "1.96": THEORY,  # 784/400
        "around 0.8": SAID,
        "0.5": SAID,
        "0.9": CHOSEN,
        "1.1": CHOSEN,
    },
    "05_mnist": {
        "0.1": CHOSEN,
        "0.02": CHOSEN,
        "3 %": CHOSEN,
        "0.01": SAID,
        "10 %": THEORY,  # chance among ten
    },
    "09_questions": {"0.01": SAID, "0.02": SAID},
    "claims": {"0.1": SAID, "0.01": SAID},
    "08_width": {
        "6.7": SAID,  # billions of parameters, in the paper
        "7 %": SAID,
    },
}


def measured(markdown: str) -> list[str]:
    """The numbers in a text that look measured."""
    prose = APART.sub("□", markdown)
    return [re.sub(r"\s+", " ", found[0]) for found in MEASURED.finditer(prose)]


def by_hand(path: Path) -> list[str]:
    """The numbers of a chapter that look measured and are not glued."""
    cells = nbformat.read(path, as_version=4).cells
    return [number for c in cells if c.cell_type == "markdown" for number in measured(c.source)]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_measured_number_is_typed_by_hand(path):
    allowed = ALLOWED.get(path.stem, {})
    assert [number for number in by_hand(path) if number not in allowed] == []


def test_nothing_is_allowed_that_is_not_there():
    assert {chapter: set(numbers) for chapter, numbers in ALLOWED.items()} == {
        path.stem: set(by_hand(path)) & set(ALLOWED[path.stem])
        for path in CHAPTERS
        if path.stem in ALLOWED
    }
    reasons = {reason for numbers in ALLOWED.values() for reason in numbers.values()}
    assert reasons <= {CHECKED, CHOSEN, SAID, THEORY}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Xavier reaches 97.3 % of the images.", ["97.3 %"]),
        ("It is right on 97% of them.", ["97%"]),
        ("The mean singular value is 0.849, not 0.49.", ["0.849", "0.49"]),
        ("After 1,234.5 steps", ["1,234.5"]),
        ("It shrinks to 10⁻⁶, or 2 · 10⁻⁶, or 3e-7.", ["10⁻⁶", "2 · 10⁻⁶", "3e-7"]),
        ("It takes about 37 steps,\nand roughly\n1,500 seeds.", ["about 37", "roughly 1,500"]),
        ("(0.5) −0.5 ±0.25 ≈0.1", ["0.5", "0.5", "0.25", "0.1"]),
        ("::: {admonition} Claim\nIt is 0.8.\n:::", ["0.8"]),
        ("```{admonition} Claim\nIt is 0.8.\n```", ["0.8"]),
        ("| 0.8 | 12 % |", ["0.8", "12 %"]),
        ("From $a$ it falls by 0.3 to $b$.", ["0.3"]),
        ("It is {glue:text}`ch1-x:.1f` % in {glue:text}`ch1-y` and, 32 {glue:text}`z` %.", []),
        ("$0.5$ and `0.5` and $$\n0.5\n$$ and\n```python\n0.5\n```", []),
        ("[a page](https://example.org/0.5) {cite:p}`he2015`, section 4.2, eq. 1.5", []),
        ("2-2-1, 1,797 digits, 60,000 images, 8 × 8, W1, 2015, ½, about 1/4, v1.2", []),
        ("**Time**: about 45 minutes", []),
    ],
)
def test_what_looks_measured(text, numbers):
    assert measured(text) == numbers
