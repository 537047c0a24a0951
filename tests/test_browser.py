"""The built pages in a real browser, without a kernel and without a network."""

import functools
import gzip
import itertools
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import explorers
import pdf
import pytest
import quizzes
from playwright.sync_api import Locator, Page, expect
from pypdf import PdfReader
from website import ROOT, built, served

PAGES = pdf.pages()

# --------------------------------------------------------------------------- pages


@pytest.fixture(scope="module")
def address():
    """The start of the addresses of the site, by protocol; served as PUBLISHING.md proposes."""
    with served(built()) as (http, _):
        yield {"http": http, "file": built().as_uri()}


@dataclass
class Record:
    """What happened while pages were open."""

    home: str
    requests: int = 0
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("request", self._request)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._message)

    def _request(self, request):
        self.requests += 1
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.foreign.append(request.url)

    def _message(self, message):
        if message.type == "error":
            self.errors.append(f"{message.text} {message.location['url']}")


# --------------------------------------------------------------------------- every page

VIEWS = {"phone": ("light", 390), "desk": ("dark", 1280)}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
BUDGET = 400_000  # bytes of a page with all that it loads by itself, compressed
FIRST = 50_000  # bytes of that, beside the page, that the first words wait for

WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNFOLD = """() => {
  document.querySelectorAll(
    'details:not([open]) > summary, .admonition.toggle-hidden > .admonition-title'
  ).forEach(part => part.click());
  // So that nothing is on its way when it is measured.
  const style = document.head.appendChild(document.createElement('style'));
  style.textContent = '* { transition: none !important; animation: none !important; }'
    + '.quiz-answers p { display: block !important; }';  // to look at all of them at once
}"""
# What is wider than its place, and so is cut off or has to be scrolled.
CUT = """kinds => {
  const column = document.querySelector('.bd-article').getBoundingClientRect().right + 1;
  return [...document.querySelectorAll(`.bd-article :is(${kinds})`)].filter(
    part => part.clientWidth && (part.scrollWidth > part.clientWidth + 1
      || part.getBoundingClientRect().right > column)
  ).map(part => `${part.scrollWidth} > ${part.clientWidth}: ${part.outerHTML.slice(0, 300)}`);
}"""
CONTENT = (
    ".math, .pst-scrollable-table-container, table, figure, img, svg, .nnlab-explorer, "
    "fieldset.quiz, fieldset.quiz *"
)
# On a phone a table may be scrolled, if it must, but no word in it is broken.
OUTSIDE = "".join(f":not(.pst-scrollable-table-container{part})" for part in ("", " *"))
BROKEN = r"""() => [...document.querySelectorAll('.bd-article table.table :is(td, th)')].flatMap(
  cell => {
    const text = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = [];
    while (text.nextNode()) {
      for (const word of text.currentNode.data.matchAll(/[\p{Script=Latin}\d_]+/gu)) {
        const range = document.createRange();
        range.setStart(text.currentNode, word.index);
        range.setEnd(text.currentNode, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(box => box.top)).size > 1) found.push(word[0]);
      }
    }
    return found;
  })"""
CODE = "div.cell_input pre"
# The size of letters as they are shown; an exponent counts as its base does.
LETTERS = """() => [...document.querySelectorAll('.nnlab-figure')].flatMap(figure => {
  const scale = figure.getBoundingClientRect().width / figure.viewBox.baseVal.width;
  return [...figure.querySelectorAll('text')].map(text => {
    const parts = [text, ...text.children].filter(part => part.style.fontSize);
    const size = scale * Math.max(...parts.map(part => parseFloat(part.style.fontSize)));
    return [size, `${size.toFixed(1)} px: ${text.textContent}, ${figure.ariaLabel}`];
  });
}).filter(([size]) => size < 10.99).map(([, text]) => text)"""
AXE = """async rules => {
  // A figure is one thing with a name: its parts only take time.
  for (const figure of document.querySelectorAll('.nnlab-figure')) figure.replaceChildren();
  // preload would ask for the style sheets again, for a rule on pages locked to one orientation.
  const found = await axe.run(
    { preload: false, resultTypes: ['violations'], runOnly: rules });
  return found.violations.flatMap(rule => rule.nodes.map(
    node => `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
}"""
RAW = r"""() => {
  const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), raw = [];
  while (text.nextNode()) {
    const { data, parentElement } = text.currentNode;
    if (/\\[(\[]|\\begin\{|\$\$/.test(data)
        && !parentElement.closest('script, style, pre, code, annotation')) raw.push(data);
  }
  return raw;
}"""
LOADED = "performance.getEntriesByType('resource').map(entry => entry.name)"
BLOCKING = """performance.getEntriesByType('resource').filter(
  entry => entry.renderBlockingStatus === 'blocking').map(entry => entry.name.split('?')[0])"""


@functools.cache
def weight(path: Path) -> int:
    """The bytes of a file as a server would send it."""
    data = path.read_bytes()
    return len(data if path.suffix in {".woff", ".woff2", ".png"} else gzip.compress(data))


@pytest.fixture(scope="module")
def visit(browser, address, axe):
    """What was found by opening every page: a record, and facts by page."""
    record, facts = Record(address["http"]), {}
    page = browser.new_page(reduced_motion="reduce")
    record.listen(page)
    for name in [*(f"book/{name}" for name in PAGES), "search", "genindex"]:
        page.set_viewport_size({"width": 390, "height": 900})
        page.goto(f"{address['http']}/{name}.html")
        fact = facts[name.removeprefix("book/")] = {
            "loaded": {url.partition("?")[0] for url in page.evaluate(LOADED)} | {page.url},
            "blocking": page.evaluate(BLOCKING),
            "raw": page.evaluate(RAW),
        }
        page.evaluate(UNFOLD)
        page.add_script_tag(path=axe)
        for view, (scheme, width) in VIEWS.items():
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function("s => document.documentElement.dataset.theme === s", arg=scheme)
            fact["wider", view] = page.evaluate(WIDER)
            if page.locator(".bd-article").count():
                content = CONTENT if view == "desk" else f":is({CONTENT}){OUTSIDE}"
                fact["cut", view] = page.evaluate(CUT, content)
                fact["broken", view] = page.evaluate(BROKEN)
                fact["code", view] = page.evaluate(CUT, CODE)
                fact.setdefault("letters", page.evaluate(LETTERS))
            fact["axe", view] = page.evaluate(AXE, RULES)
    page.close()
    return record, facts


def only(facts, key):
    """What was found, on the pages where something was."""
    return {name: fact[key] for name, fact in facts.items() if fact[key]}


def test_every_page_is_opened(visit):
    record, facts = visit
    assert {path.stem for path in built().glob("_sources/book/*.ipynb")} < facts.keys()
    assert record.requests > 5 * len(facts)


def test_no_page_asks_another_host_for_anything(visit):
    assert visit[0].foreign == []


def test_the_console_stays_empty(visit):
    assert visit[0].errors == []


def test_every_formula_is_set(visit):
    assert not only(visit[1], "raw")


@pytest.mark.parametrize("view", VIEWS)
def test_no_page_scrolls_sideways(visit, view):
    assert not only(visit[1], ("wider", view))


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_that_keeps_people_out(visit, view):
    assert not only(visit[1], ("axe", view))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_no_formula_table_or_figure_is_cut(visit, name, view):
    assert visit[1][name]["cut", view] == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_no_word_in_a_table_is_broken(visit, name, view):
    assert visit[1][name]["broken", view] == []


@pytest.mark.parametrize("name", PAGES)
def test_code_stays_within_its_column(visit, name):
    assert visit[1][name]["code", "desk"] == []


@pytest.mark.parametrize("name", PAGES)
def test_lettering_can_be_read_on_a_phone(visit, name):
    assert visit[1][name]["letters"] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light(visit, address, name):
    urls = visit[1][name]["loaded"]
    sizes = {url: weight(built() / url.removeprefix(address["http"] + "/")) for url in urls}
    assert sum(sizes.values()) < BUDGET, Counter(sizes).most_common(5)
    assert not [url for url in urls if "_frames" in url]  # they wait until they are chosen


@pytest.mark.parametrize("name", PAGES)
def test_the_first_words_wait_for_little(visit, address, name):
    urls = visit[1][name]["blocking"]
    sizes = {url: weight(built() / url.removeprefix(address["http"] + "/")) for url in urls}
    assert 0 < sum(sizes.values()) < FIRST, Counter(sizes).most_common(5)


def test_pages_open_from_a_disk(browser, address):
    record = Record(address["file"])
    page = browser.new_page()
    record.listen(page)
    for name in PAGES:
        page.goto(f"{address['file']}/book/{name}.html")
    page.goto(f"{address['file']}/search.html?q=variance")
    expect(page.locator("#search-results li a").first).to_be_visible()
    page.close()
    assert record.errors == record.foreign == []


def test_the_start_page_leads_to_the_book_and_its_search(browser, address):
    record = Record(address["http"])
    page = browser.new_page()
    page.goto(f"{address['http']}/index.html")
    page.wait_for_url("**/book/index.html")
    record.listen(page)
    page.goto(f"{address['http']}/search.html?q=variance")
    expect(page.locator("#search-results li a").first).to_be_visible()
    page.close()
    assert record.errors == record.foreign == []


# --------------------------------------------------------------------------- quizzes

QUIZZES = sorted(path.stem for path in ROOT.glob("book/quizzes/*.yml"))


def explained(question: Locator, number: int, right: bool) -> None:
    """Check that a choice, and no other, is explained where a screen reader announces it."""
    words = ("Right.", "Not quite.") if right else ("Not quite.", "Right.")
    said = question.get_by_role("status").get_by_role("paragraph")  # only what can be seen
    expect(said).to_have_count(1)
    expect(said).to_have_attribute("data-choice", str(number))
    expect(said).to_contain_text(words[0])
    assert words[1] not in question.aria_snapshot()


@pytest.mark.parametrize("name", QUIZZES)
def test_a_quiz_answers_without_scripts(browser, address, name):
    record = Record(address["file"])
    page = browser.new_context(java_script_enabled=False).new_page()
    record.listen(page)
    page.goto(f"{address['file']}/book/{name}.html")
    asked = quizzes.questions(ROOT / quizzes.FOLDER / f"{name}.yml")
    shown = page.get_by_role("group").filter(has=page.get_by_role("radio")).all()
    for question, (number, each) in zip(shown, enumerate(asked, 1), strict=True):
        rights = [choice.get("right", False) for choice in each["choices"]]
        radios = question.get_by_role("radio")
        expect(radios).to_have_count(len(rights))
        expect(question).to_have_accessible_name(re.compile(rf"^Question {number}\. "))
        expect(question.get_by_role("status")).to_have_count(1)  # there before it has to speak
        expect(question.get_by_role("status").get_by_role("paragraph")).to_have_count(0)
        question.locator("label").last.click(position={"x": 30, "y": 12})  # its text, by mouse
        explained(question, len(rights), rights[-1])
        for place, right in enumerate(rights, 1):  # from the last, down leads to the first
            page.keyboard.press("ArrowDown")
            expect(radios.nth(place - 1)).to_be_checked()
            explained(question, place, right)
            formulas = each["choices"][place - 1]["why"].count("$") // 2
            expect(question.get_by_role("status").get_by_role("math")).to_have_count(formulas)
    page.context.close()
    assert record.errors == record.foreign == []


# --------------------------------------------------------------------------- explorers


def saved_explorers() -> dict[str, list[explorers.Explorer]]:
    """The explorers of each chapter, from the top down."""
    found = {}
    for path in sorted(ROOT.glob("book/*.ipynb")):
        nb = json.loads(path.read_text(encoding="utf-8"))
        saved = explorers.saved(nb)
        views = [
            output["data"].get("application/vnd.jupyter.widget-view+json", {}).get("model_id")
            for cell in nb["cells"]
            for output in cell.get("outputs", [])
            if "data" in output
        ]
        if shown := [saved[view] for view in views if view in saved]:
            found[path.stem] = shown
    return found


SAVED = saved_explorers()
CASES = [(name, number) for name, found in SAVED.items() for number in range(len(found))]
ANIMATED = [(name, number) for name, number in CASES if SAVED[name][number].animated]


class Explorer:
    """An explorer on a page, as a reader meets it."""

    def __init__(self, page: Page, number: int, saved: explorers.Explorer):
        self.page, self.saved = page, saved
        self.root = page.locator(".nnlab-explorer").nth(number)
        self.picture = self.root.get_by_role("img")
        self.names = [control.name for control in saved.controls]
        self.options = [control.labels for control in saved.controls]
        self.alts = [frame.alt for frame in saved.frames]
        self.chosen = [control.start for control in saved.controls]

    def control(self, name: str) -> Locator:
        return self.root.get_by_label(name, exact=True)

    def alt(self) -> str:
        """The alternative text of the frame that was drawn for what is chosen."""
        number = 0
        for options, index in zip(self.options, self.chosen, strict=True):
            number = number * len(options) + index
        return self.alts[number]

    def check(self) -> None:
        """The controls say what was chosen, and the picture is the one drawn for it."""
        expect(self.picture).to_have_attribute("aria-label", self.alt())
        for name, options, index in zip(self.names, self.options, self.chosen, strict=True):
            control = self.control(name)
            expect(control).to_have_value(str(index))
            if control.get_attribute("type") == "range":
                expect(control).to_have_attribute("aria-valuetext", options[index])
                expect(control.locator("+ output")).to_have_text(options[index])

    def press(self, indices: tuple[int, ...]) -> None:
        """Choose with the keyboard."""
        for number, index in enumerate(indices):
            control, steps = self.control(self.names[number]), index - self.chosen[number]
            slides = control.get_attribute("type") == "range"
            more, less = ("ArrowRight", "ArrowLeft") if slides else ("ArrowDown", "ArrowUp")
            for _ in range(abs(steps)):
                control.press(more if steps > 0 else less)
        self.chosen = list(indices)


@pytest.fixture(scope="module")
def tab(browser, address):
    """A page that all explorers are opened in, one after the other."""
    record = Record(address["http"])
    page = browser.new_page()
    record.listen(page)
    yield page
    page.close()
    assert record.errors == record.foreign == []


@pytest.fixture
def explorer(request, tab, address):
    chapter, number = request.param
    tab.goto(f"{address['http']}/book/{chapter}.html")
    explorer = Explorer(tab, number, SAVED[chapter][number])
    explorer.check()
    return explorer


@pytest.mark.parametrize("explorer", CASES, indirect=True, ids=str)
def test_the_keyboard_reaches_every_frame(explorer):
    for indices in itertools.product(*(range(len(options)) for options in explorer.options)):
        explorer.press(indices)
        explorer.check()
    first, *rest = explorer.names
    explorer.control(first).focus()
    for name in rest:
        explorer.page.keyboard.press("Tab")
        expect(explorer.control(name)).to_be_focused()


@pytest.mark.parametrize("explorer", ANIMATED, indirect=True, ids=str)
def test_an_animation_shows_every_frame_and_ends(explorer):
    moved = explorer.names.index(explorer.saved.animated)
    explorer.press([0 if i == moved else index for i, index in enumerate(explorer.chosen)])
    explorer.check()
    explorer.picture.locator("..").evaluate("""frame => {
      window.seen = [];
      new MutationObserver(() => {
        const alt = frame.firstElementChild.ariaLabel;
        if (alt !== window.seen.at(-1)) window.seen.push(alt);
      }).observe(frame, { childList: true });
    }""")
    switch = explorer.control(f"animate {explorer.saved.animated}")
    switch.press("Space")
    expect(switch).to_be_checked()
    count = len(explorer.options[moved])
    expect(switch).not_to_be_checked(timeout=5000 + 1000 * count)
    wanted = []
    for explorer.chosen[moved] in range(count):
        wanted.append(explorer.alt())
    assert explorer.page.evaluate("window.seen") == wanted
    explorer.check()


def test_explorers_answer_from_a_disk(browser, address):
    page = browser.new_page()
    for chapter, number in CASES:
        page.goto(f"{address['file']}/book/{chapter}.html")
        explorer = Explorer(page, number, SAVED[chapter][number])
        explorer.press([len(options) - 1 for options in explorer.options])
        explorer.check()
    page.close()


def test_a_frame_that_cannot_be_loaded_says_so_and_comes_later(browser, address):
    chapter, number = CASES[0]
    page = browser.new_page()
    page.goto(f"{address['http']}/book/{chapter}.html")
    explorer = Explorer(page, number, SAVED[chapter][number])
    page.route("**/_frames/**", lambda route: route.abort())
    explorer.press([len(options) - 1 for options in explorer.options])
    expect(explorer.root).to_contain_text("could not be loaded")
    page.unroute("**/_frames/**")
    explorer.press([0 for _ in explorer.options])
    explorer.press([len(options) - 1 for options in explorer.options])
    explorer.check()
    page.close()


def test_without_scripts_an_explorer_is_a_figure(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for chapter, found in SAVED.items():
        page.goto(f"{address['http']}/book/{chapter}.html")
        for number, saved in enumerate(found):
            root = page.locator(".nnlab-explorer").nth(number)
            alt = saved.frames[saved.first].alt
            expect(root.get_by_role("img")).to_have_attribute("aria-label", alt)
            expect(root.locator("form")).to_be_hidden()
    context.close()


INK = """() => [...document.querySelectorAll('.nnlab-figure')].map(
  figure => getComputedStyle(figure).fill)"""


def test_figures_follow_the_theme(browser, address):
    page = browser.new_page(color_scheme="light")
    page.goto(f"{address['http']}/book/{next(iter(SAVED))}.html")
    assert set(page.evaluate(INK)) == {"rgb(0, 0, 0)"}
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    (ink,) = set(page.evaluate(INK))
    assert min(map(int, re.findall(r"\d+", ink))) > 200
    page.close()


# --------------------------------------------------------------------------- paper

# As wide as a page of A4 within its margins.
PAPER = {"width": 672, "height": 960}
FOLDED = """() => [...document.querySelectorAll('.bd-article :is(p, pre, img, svg)')]
  .filter(part => !part.closest('summary, .toggle-button, .nnlab-live') && !part.checkVisibility())
  .map(part => part.outerHTML.slice(0, 200))"""


def test_paper_shows_all_and_cuts_nothing(browser, address):
    page = browser.new_page(viewport=PAPER, color_scheme="dark")
    cut, folded = {}, {}
    for name in PAGES:
        page.goto(f"{address['file']}/book/{name}.html")
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        cut[name] = page.evaluate(CUT, f"{CONTENT}, pre")
        folded[name] = page.evaluate(FOLDED)
        assert set(page.evaluate(INK)) <= {"rgb(0, 0, 0)"}
        page.emulate_media(media="screen")
    page.close()
    assert not {name: found for name, found in cut.items() if found}
    assert not {name: found for name, found in folded.items() if found}


def test_the_book_is_one_file_with_contents(browser, tmp_path, monkeypatch):
    names = [PAGES[0], next(iter(SAVED))]
    monkeypatch.setattr(pdf, "pages", lambda: names)
    pdf.save(browser, built(), tmp_path / "book.pdf")
    book = PdfReader(tmp_path / "book.pdf")
    lines = re.findall(r"^(.*\S) +(\d+)$", book.pages[0].extract_text(), re.MULTILINE)
    assert len(lines) > 5
    for title, number in lines:
        assert title in book.pages[int(number) - 1].extract_text().replace("\n", " ")
    links = [
        link.get_object()
        for sheet in book.pages
        for link in sheet.get("/Annots", [])
        if link.get_object()["/Subtype"] == "/Link"
    ]
    assert not [link for link in links if "file:" in str(link.get("/A"))]
