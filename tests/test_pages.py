"""The pages are for readers: honest minutes, folded answers, nothing that only tests.

What is looked at is the built site. The core path of a chapter is what stands open on its page:
neither folded, nor in a section "Go deeper", nor an exercise, nor code.
"""

import copy
import math
import re
from functools import cache

import bs4
import pytest
from website import ROOT, built

CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("0*.ipynb"))
WORDS_A_MINUTE, LONGEST = 200, 40

# What a reader may leave out, and what takes a minute of its own.
OPTIONAL = "details, section.deeper, .exercise, .solution, .admonition.dropdown, a.headerlink"
STOPS = "div.math, figure, .nnlab-explorer, .admonition.tip"
UNREAD = re.compile(r"check yourself|exercises|further reading", re.IGNORECASE)


@cache
def article(chapter: str) -> bs4.Tag:
    """The text of a chapter's page."""
    html = (built() / "book" / f"{chapter}.html").read_text(encoding="utf-8")
    return bs4.BeautifulSoup(html, "html.parser").select_one("article.bd-article")


def core_path(article: bs4.Tag) -> bs4.Tag:
    """A copy of the article without what a reader may leave out."""
    core = copy.copy(article)
    unread = [title.parent for title in core.select("section > h2") if UNREAD.search(title.text)]
    for part in [*unread, *core.select(OPTIONAL)]:
        if not part.decomposed:
            part.decompose()
    return core


def minutes(article: bs4.Tag) -> float:
    """How long the core path takes: 200 words a minute, and a minute where one stops to look."""
    core = core_path(article)
    stops = len(core.select(STOPS))
    for part in core.select("div.math, div.cell, .nnlab-live"):
        part.decompose()
    for formula in core.select("math"):
        formula.replace_with("formula")
    return len(core.get_text(" ").split()) / WORDS_A_MINUTE + stops


def stated(article: bs4.Tag) -> int:
    """The minutes that the page promises."""
    found = re.search(r"Time:\s*(\d+) minutes to read", article.get_text())
    assert found, "the page does not say **Time:** N minutes to read"
    return int(found[1])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_stated_minutes_are_those_of_the_core_path(chapter):
    page = article(chapter)
    measured = minutes(page)
    assert stated(page) == 5 * math.ceil(measured / 5), f"it takes {measured:.1f} minutes"
    assert stated(page) <= LONGEST


def test_the_guide_states_the_minutes_of_the_chapters():
    rows = article("instructors").select("tr:has(> td:first-child a)")
    guide = {row.a["href"].removesuffix(".html"): row.get_text(" ") for row in rows}
    assert sorted(guide) == CHAPTERS
    for chapter, text in guide.items():
        assert f" {stated(article(chapter))} min" in text


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_page_shows_a_test(chapter):
    code = "\n".join(cell.text for cell in article(chapter).select("div.cell_input"))
    assert not re.findall(r"\bglue\b.*|^\s*assert\b.*", code, flags=re.MULTILINE)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_answer_to_a_prediction_is_folded(chapter):
    page = article(chapter)
    questions, answers = page.select("div.admonition.tip"), page.select("details.answer")
    assert 1 <= len(questions) <= 3
    assert len(answers) == len(questions)
    assert not any(answer.has_attr("open") for answer in answers)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_folded_box_has_a_title_to_open_it_by(chapter):
    # At a box without one the script that folds boxes stops, and the rest of the page lies open.
    boxes = article(chapter).select(".admonition.dropdown")
    assert [box.text for box in boxes if not box.select_one(":scope > .admonition-title")] == []


# Tests of the measures, on small pages


def page(body: str) -> bs4.Tag:
    return bs4.BeautifulSoup(f"<article>{body}</article>", "html.parser").article


def words(n: int) -> str:
    return "<p>" + "word " * n + "</p>"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (words(400), 2),
        (words(200) + "<div class='math'>x = 1</div>", 2),
        (words(200) + "<div class='cell'><figure>A picture.</figure></div>", 2),
        (words(200) + f"<details>{words(200)}</details>", 1),
        (words(200) + f"<section class='deeper'><h2>Deep</h2>{words(200)}</section>", 1),
        (words(200) + f"<section><h2>3. Exercises</h2>{words(200)}</section>", 1),
        (words(200) + f"<div class='cell'>{words(200)}</div>", 1),
    ],
)
def test_minutes(body, expected):
    assert minutes(page(body)) == expected


def test_minutes_leave_the_page_as_it_is():
    article = page(words(10) + f"<details>{words(10)}</details>")
    minutes(article)
    assert len(article.text.split()) == 20
