"""The ledger judges every claim, and as the chapters do."""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest

from nnlab import ledger
from nnlab.ledger import xavier_he

BOOK = Path(__file__).parent.parent / "book"
COUNTS = {"A": 11, "B": 16, "C": 7, "D": 8, "E": 18}
judge = cache(ledger.judge)


@cache
def titles() -> dict[str, str]:
    """The verdict that a chapter's box gives each claim, and the chapter that has its anchor."""
    found = {}
    for path in sorted(BOOK.glob("0*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        boxes = re.findall(
            r"^\(claim-(\w+)\)=\n:+\{admonition\} Claim (\w+): (.+)$", text, flags=re.MULTILINE
        )
        for anchor, claim, verdict in boxes:
            assert anchor == claim, f"{path.name}: claim {claim} stands under {anchor}"
            assert claim not in found, f"claim {claim} is judged twice"
            found[claim] = (path.stem, verdict)
    return found


def test_all_sixty_claims_are_judged():
    assert list(ledger.CHECKS) == [
        f"{s}{n + 1}" for s, count in COUNTS.items() for n in range(count)
    ]
    assert titles().keys() == ledger.CHECKS.keys()


@pytest.mark.filterwarnings("ignore::nnlab.datasets.FallbackWarning")
@pytest.mark.parametrize("claim", ledger.CHECKS)
def test_verdicts_are_those_of_the_chapters(claim):
    judged = judge(claim)
    chapter, verdict = titles()[claim]
    assert judged.chapter == chapter
    assert judged.kind == re.match(r"holds if|holds|fails", verdict)[0]
    assert judged.says.endswith((".", "?"))
    assert judged.measured


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [("holds", "holds"), ("holds if b = 0", "holds if"), ("fails: it falls", "fails")],
)
def test_kinds(verdict, kind):
    assert ledger.Claim("A1", "", "", verdict, "").kind == kind


@pytest.mark.parametrize("verdict", ["maybe", "holds.", "fails", "holds if "])
def test_other_verdicts_are_refused(verdict):
    with pytest.raises(ValueError, match="A1: no such verdict"):
        ledger.Claim("A1", "", "", verdict, "").kind  # noqa: B018


def test_the_bibliography_says_what_the_ledger_says_of_the_paper():
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    entry = re.search(r"@\w+\{glorot2010understanding,(.*?)\n\}", text, flags=re.DOTALL)[1]
    fields = dict(re.findall(r"(\w+)\s*=\s*\{(.*)\}", entry))
    assert fields.items() >= xavier_he.PAPER.items()


def test_claims_are_judged_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ledger.judge("E17").kind == "fails"


def test_unknown_claims_are_named():
    with pytest.raises(ValueError, match="got 'Z9'"):
        ledger.judge("Z9")
