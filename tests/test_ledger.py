"""The ledger judges every claim, each chapter marks its own, and both have the same numbers."""

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from website import built

from nnlab import ledger
from nnlab.datasets import mnist_is_local
from nnlab.ledger import xavier_he

BOOK = Path(__file__).parent.parent / "book"
COUNTS = {"A": 11, "B": 16, "C": 7, "D": 8, "E": 18}


@cache
def chapters() -> dict[str, nbformat.NotebookNode]:
    paths = sorted(path for path in BOOK.glob("*.ipynb") if path.stem != "claims")
    return {path.stem: nbformat.read(path, as_version=4) for path in paths}


def marks(nb: nbformat.NotebookNode) -> list[str]:
    """The claims that a chapter says it judges: ``{claim}`A5```."""
    text = "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    return re.findall(r"\{claim\}`([^`]*)`", text)


def misplaced(claims: dict[str, str], found: dict[str, list[str]]) -> list[str]:
    """Complain about each claim that is not marked once, in its chapter alone."""
    places = Counter((claim, chapter) for chapter in found for claim in found[chapter])
    wanted = Counter(claims.items())
    return [
        *(f"{claim} has no mark in {chapter}" for claim, chapter in wanted - places),
        *(f"{claim} has a mark too many in {chapter}" for claim, chapter in places - wanted),
    ]


def glued(nb: nbformat.NotebookNode) -> dict[str, tuple[str, bool]]:
    """What a chapter glues, by its name: how it is shown, and whether it is compared."""
    outputs = (
        (output, "nbval-ignore-output" not in cell.metadata.get("tags", []))
        for cell in nb.cells
        for output in cell.get("outputs", [])
    )
    return {
        name: (output.data["application/papermill.record/text/plain"], compared)
        for output, compared in outputs
        if (name := output.get("metadata", {}).get("scrapbook", {}).get("name"))
        and "application/papermill.record/text/plain" in output.data
    }


def other_numbers(numbers: Mapping[str, float], shown: Mapping[str, tuple[str, bool]]) -> list[str]:
    """Complain about each number that is not what is shown.

    All digits that are shown count; where the chapter's own are not compared, since they hang on
    a long run, the number may be off by 0.03 and a tenth.
    """
    complaints = []
    for name, number in numbers.items():
        text, compared = shown.get(name, ("nothing", True))
        text = text.replace(",", "").replace("−", "-")
        # A NumPy scalar is shown as np.float64(0.46).
        text = re.sub(r"^np\.\w+\(", "", text)
        match = re.search(r"(-?\d+(?:\.(\d+))?(?:e([-+]?\d+))?)\s?(%?)", text)
        if not match:
            complaints.append(f"{name}: measured {number}, shown {text}")
            continue
        value, decimals, exponent, percent = match.groups()
        scale = 0.01 if percent else 1
        half_a_digit = 0.5 * 10.0 ** (int(exponent or 0) - len(decimals or "")) * scale
        off = abs(number - float(value) * scale)
        allowed = half_a_digit + 1e-9 * abs(number)
        if not compared:
            allowed += 0.03 + 0.1 * abs(number)
        if off > allowed:
            complaints.append(f"{name}: measured {number}, shown {text}")
    return complaints


def test_all_sixty_claims_are_judged():
    assert list(ledger.CHECKS) == [
        f"{s}{n + 1}" for s, count in COUNTS.items() for n in range(count)
    ]
    assert list(ledger.SOURCES) == list(COUNTS)


def test_each_claim_has_one_mark_and_that_in_its_chapter():
    claims = {claim: chapter for claim, (chapter, _) in ledger.CHECKS.items()}
    assert misplaced(claims, {chapter: marks(nb) for chapter, nb in chapters().items()}) == []


def test_marks_that_are_missing_misplaced_or_twice_are_found():
    claims = {"A1": "one", "A2": "one", "A3": "two"}
    assert misplaced(claims, {"one": ["A1", "A2"], "two": ["A3"]}) == []
    found = {"one": ["A1", "A1", "A3"], "two": ["A3", "A9"]}
    assert misplaced(claims, found) == [
        "A2 has no mark in one",
        "A1 has a mark too many in one",
        "A3 has a mark too many in one",
        "A9 has a mark too many in two",
    ]


def test_marks_and_rows_lead_to_each_other():
    pages = {
        path.stem: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in built().glob("book/*.html")
    }
    for claim, (chapter, _) in ledger.CHECKS.items():
        row = pages["claims"].find(id=f"ledger-{claim.lower()}").find_parent("tr")
        assert row.find("a")["href"] == f"{chapter}.html#claim-{claim.lower()}"
        mark = pages[chapter].find(id=f"claim-{claim.lower()}")
        assert mark.find("a")["href"] == f"claims.html#ledger-{claim.lower()}"


@pytest.mark.filterwarnings("ignore::nnlab.datasets.FallbackWarning")
@pytest.mark.parametrize("claim", ledger.CHECKS)
def test_claims_are_judged_with_the_numbers_of_their_chapters(claim):
    judged = ledger.judge(claim)
    assert judged.kind in ledger.KINDS
    assert judged.says.endswith((".", "?"))
    assert judged.measured
    nb = chapters()[judged.chapter]
    if nb.metadata.get("nnlab", {}).get("needs") != "mnist" or mnist_is_local():
        assert other_numbers(judged.numbers, glued(nb)) == []


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.4567, "0.4567"),
        (0.4567, "np.float64(0.46)"),
        (0.7512, "'75 %'"),
        (-5.87, "'−5.87'"),
        (1234.4, "'1,234'"),
        (2.4e-6, "'2e-06'"),
        (1 / 3, repr(1 / 3)),
    ],
)
def test_numbers_are_compared_to_the_digits_shown(number, shown):
    shown = {"name": (shown, True)}
    assert other_numbers({"name": number}, shown) == []
    assert len(other_numbers({"name": 1.9 * number}, shown)) == 1
    assert len(other_numbers({"name": -number}, shown)) == 1


def test_a_number_that_hangs_on_a_long_run_may_be_a_little_off():
    shown = {"name": ("0.45", False)}
    assert other_numbers({"name": 0.41}, shown) == []
    assert other_numbers({"name": 0.35}, shown) == ["name: measured 0.35, shown 0.45"]


def test_a_number_that_no_chapter_shows_is_found():
    assert other_numbers({"name": 1.0}, {}) == ["name: measured 1.0, shown nothing"]
    assert other_numbers({"name": 1.0}, {"name": ("'yes'", True)}) == [
        "name: measured 1.0, shown 'yes'"
    ]


def test_numbers_are_found_where_chapters_glue_them():
    shown = {name: text for nb in chapters().values() for name, text in glued(nb).items()}
    assert len(shown) > 20
    assert other_numbers(dict.fromkeys(shown, 1e99), shown)


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


def entry(key: str) -> dict[str, str]:
    """An entry of the book's bibliography."""
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    fields = re.search(rf"@\w+\{{{key},(.*?)\n\}}", text, flags=re.DOTALL)[1]
    return dict(re.findall(r"(\w+)\s*=\s*\{(.*)\}", fields))


def test_the_bibliography_says_what_the_ledger_says_of_the_paper():
    assert entry("glorot2010understanding").items() >= xavier_he.PAPER.items()


@pytest.mark.parametrize("source", ledger.SOURCES.values(), ids=ledger.SOURCES)
def test_the_bibliography_says_what_the_ledger_says_of_a_source(source):
    fields = entry(source.key)
    assert fields["title"] == source.title
    assert fields.get("url", "") == source.link
    assert source.original in fields["howpublished"]


def test_claims_are_judged_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ledger.judge("E17").kind == "fails"


def test_unknown_claims_are_named():
    with pytest.raises(ValueError, match="got 'Z9'"):
        ledger.judge("Z9")
