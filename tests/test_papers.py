"""What the book says of the papers it repeats: numbers in their tolerance, places to see."""

import re

import chapters
import nbformat
import papers
import pytest
import yaml
from papers import PaperError, Row, bounds, row, rows, shown
from website import ROOT

FILES = {path.stem: path for path in sorted((ROOT / papers.FOLDER).glob("*.yml"))}
CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("0*.ipynb"))
KEYS = re.findall(r"^@\w+\{(\S+),", (ROOT / "book" / "references.bib").read_text("utf-8"), re.M)


def labels(chapter: str) -> set[str]:
    """What can be linked to in a chapter: targets, equations, theorems, exercises, figures."""
    cells = nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.findall(r"^\(([\w-]+)\)=|^\$\$ *\(([\w-]+)\)|^:label: *(\S+)", text, re.MULTILINE)
    figures = (cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for cell in cells)
    return {label for match in found for label in match if label} | {*filter(None, figures)}


@pytest.mark.parametrize("chapter", FILES)
def test_every_number_is_where_its_row_says(chapter):
    for each in rows(FILES[chapter]):
        assert (each.low <= each.ours <= each.high) != each.differs, each.result
        assert each.low < each.high, each.result


@pytest.mark.parametrize("chapter", FILES)
def test_every_source_and_every_place_exists(chapter):
    places = labels(chapter)
    for each in rows(FILES[chapter]):
        assert each.source in KEYS, each.result
        assert each.section in places, each.result


def test_there_are_as_many_results_as_the_book_promises():
    counts = {name: len(rows(path)) for name, path in FILES.items()}
    assert sum(count for name, count in counts.items() if name < "06") >= 10
    later = [name for name in CHAPTERS if name > "06"]
    assert [name for name in later if name not in counts] == []
    assert sum(counts.values()) >= 20 or not later


@pytest.fixture
def chapter(monkeypatch) -> chapters.Chapter:
    found = chapters.Chapter(ROOT / "book" / "04_xavier_he.ipynb")
    monkeypatch.setattr(found, "numbers", {"half": 0.5, "third": 1 / 3, "text": "0.5"})
    return found


GIVEN = {"result": "r", "source": "s", "paper": "0.5", "ours": "half", "section": "l"}


@pytest.mark.parametrize(
    ("more", "low", "high", "said"),
    [
        ({"within": 0.01}, 0.49, 0.51, "± $0.01$"),
        ({"within": "10 %"}, 0.45, 0.55, "± 10 %"),
        ({"paper": -0.5, "within": "10%", "expected": 0.48}, 0.432, 0.528, "± 10 %"),
        ({"paper": "half", "expected": "half", "within": 1e-5}, 0.49999, 0.50001, None),
        ({"range": ["third", 1]}, 1 / 3, 1, "$0.3333$ to $1$"),
    ],
)
def test_a_row_knows_its_bounds(chapter, more, low, high, said):
    found = row(GIVEN | more, chapter, "x.yml, row 1")
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert said in (found.tolerance, None)
    assert found.ours == 0.5 and not found.differs


def test_what_did_not_come_out_is_said_to_differ(chapter):
    given = GIVEN | {"paper": 0.4, "within": 0.05, "outcome": "differs", "note": "so\n it goes"}
    found = row(given, chapter, "x.yml, row 1")
    assert found.differs and found.note == "so it goes"
    assert "[differs]{.differs}" in "\n".join(papers.table([found]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ours": "hafl"}, "'hafl' among its numbers: half, third, text"),
        ({"ours": "text"}, "must be a number or the key of one, got '0.5'"),
        ({"paper": 0.4}, r"0.5 must lie from 0.39 to 0.41"),
        ({"outcome": "differs"}, r"0.5 must lie outside of 0.49 to 0.51"),
        ({"outcome": "fails"}, "`outcome` must be `differs` or left out, got 'fails'"),
        ({"range": [0, 1]}, "must have `within` or `range`, and not both"),
        ({"paper": "about a half"}, "`expected` must say what number `paper` stands for"),
        ({"within": "a little"}, "`within` must be a number or like \"15 %\", got 'a little'"),
        ({"within": 0}, "`within` must be greater than 0"),
        ({"wihtin": 0.1}, "has wihtin; it must be a list of rows"),
    ],
)
def test_a_wrong_row_says_what_is_wrong(chapter, change, message):
    with pytest.raises(PaperError, match=re.escape(message)) as error:
        row(GIVEN | {"within": 0.01} | change, chapter, "x.yml, row 7")
    assert str(error.value).startswith("x.yml, row 7")


@pytest.mark.parametrize("missing", sorted(papers.NEEDED))
def test_a_row_that_lacks_something_is_refused(chapter, missing):
    given = {key: value for key, value in GIVEN.items() if key != missing} | {"within": 0.01}
    with pytest.raises(PaperError, match="row 7: the file must hold a list of rows"):
        row(given, chapter, "x.yml, row 7")


@pytest.mark.parametrize("wrong", [[0, 1, 2], "0 to 1"])
def test_a_range_has_two_ends(chapter, wrong):
    with pytest.raises(ValueError, match=re.escape("`range` must be [lowest, highest]")):
        bounds(GIVEN | {"range": wrong}, chapter)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("", "must hold a list of rows"),
        (yaml.safe_dump([GIVEN]), "04_hats.yml has the name of no chapter"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "04_hats.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PaperError, match=message):
        rows(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.847964, "$0.848$"), (3.17e-05, r"$3.17 \cdot 10^{-5}$"), (-1383.0, "$-1383$")],
)
def test_numbers_have_four_digits(value, text):
    assert shown(value) == text


def test_the_table_names_source_place_and_numbers():
    numbers = {"ours": 1.25, "low": 1, "high": 2, "tolerance": "± 10 %", "differs": False}
    texts = {"result": "a", "source": "b", "where": "Fig. 1", "paper": "c", "note": "d"}
    lines = papers.table([Row(**numbers, **texts, section="eq-x")])
    assert lines[lines.index("  - Here") + 1 :] == [
        "* - A",
        "",
        "    {cite:t}`b`, Fig. 1. Here: Eq. {eq}`eq-x`",
        "",
        "    d",
        "  - c",
        "",
        "    ± 10 %",
        "  - $1.25$",
        "```",
    ]
