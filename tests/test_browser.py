"""The built pages in a real browser, without a kernel and without a network.

What is opened is the offline edition. The ordinary site is the same but for where MathJax and the
widget manager come from, and that is checked too.
"""

import base64
import functools
import hashlib
import html
import itertools
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import offline
import pdf
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from pypdf import PdfReader
from website import ROOT, built

STATE = "application/vnd.jupyter.widget-state+json"


# --------------------------------------------------------------------------- browser and pages


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = pdf.launch(playwright)
        if browser is None:
            pytest.skip("there is no Chromium: install it, or say in CHROMIUM where it is")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def edition(tmp_path_factory) -> Path:
    """The folder of the offline edition."""
    folder = tmp_path_factory.mktemp("USB stick") / "nnlab"
    try:
        offline.make(built(), folder, download=False)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="module")
def address(edition):
    """The start of the addresses of the offline edition, by protocol."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=edition))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield {"http": f"http://127.0.0.1:{server.server_port}", "file": edition.as_uri()}
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module", params=["http", "file"])
def protocol(request) -> str:
    return request.param


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


def explorers_of(page: Page) -> Locator:
    return page.locator(".nnlab-explorer")


# --------------------------------------------------------------------------- every page

VIEWS = {"phone": ("light", 390), "light": ("light", 1280), "dark": ("dark", 1280)}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]

MATH = r"""() => {
  const formulas = [...document.querySelectorAll('.math')];
  const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const raw = formulas.filter(part => !part.querySelector('mjx-container')).map(p => p.outerHTML);
  while (text.nextNode()) {
    if (/\\[(\[]|\\begin\{|\$\$/.test(text.currentNode.data)
        && !text.currentNode.parentElement.closest('script, style, pre, code'))
      raw.push(text.currentNode.data);
  }
  return {
    formulas: formulas.length,
    raw,
    wrong: [...document.querySelectorAll('mjx-merror')].map(part => part.outerHTML),
    fonts: [...document.fonts].filter(f => /MJX/.test(f.family) && f.status === 'loaded').length,
  };
}"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNFOLD = """() => document.querySelectorAll(
  'details:not([open]) > summary, .admonition.toggle-hidden > .admonition-title'
).forEach(part => part.click())"""
AXE = """async rules => {
  // preload would ask for the style sheets again, for a rule on pages locked to one orientation.
  const found = await axe.run({ preload: false, resultTypes: ['violations'], runOnly: rules });
  return found.violations.flatMap(rule => rule.nodes.map(
    node => `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`));
}"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> Path:
    offline.unpack(offline.AXE, folder := tmp_path_factory.mktemp("axe"), download=False)
    (script,) = folder.rglob("axe.min.js")
    return script


@pytest.fixture(scope="module")
def visit(protocol, browser, edition, address, axe):
    """What was found by opening every page: a record, and facts by page."""
    record, facts = Record(address[protocol]), {}
    context = browser.new_context(reduced_motion="reduce")
    for path in sorted(edition.rglob("*.html")):
        name = path.relative_to(edition).as_posix()
        if name == "index.html" or name.startswith("_static"):
            continue  # the first only leads to another page
        page = context.new_page()
        record.listen(page)
        page.set_viewport_size({"width": 390, "height": 900})
        page.goto(f"{address[protocol]}/{name}")
        pdf.settle(page)
        page.evaluate(UNFOLD)
        fact = facts[name] = page.evaluate(MATH)
        page.add_script_tag(path=axe)
        for view, (scheme, width) in VIEWS.items():
            page.emulate_media(color_scheme=scheme)
            if page.viewport_size["width"] != width:
                page.set_viewport_size({"width": width, "height": 900})
                page.wait_for_timeout(400)  # until the sidebars have slid to their places
            page.wait_for_function("s => document.documentElement.dataset.theme === s", arg=scheme)
            fact["wider", view] = page.evaluate(WIDER)
            # The protocol makes no difference to it, and it takes its time.
            fact["axe", view] = page.evaluate(AXE, RULES) if protocol == "http" else []
        page.close()
    context.close()
    return record, facts


def only(facts, key):
    """What was found, on the pages where something was."""
    return {name: fact[key] for name, fact in facts.items() if fact[key]}


def test_every_page_is_opened(visit, edition):
    record, facts = visit
    notebooks = {f"book/{path.stem}.html" for path in edition.glob("_sources/book/*.ipynb")}
    assert notebooks | {"book/index.html", "search.html"} <= facts.keys()
    assert record.requests > 10 * len(facts)


def test_no_page_asks_another_host_for_anything(visit):
    assert visit[0].foreign == []


def test_the_console_stays_empty(visit):
    assert visit[0].errors == []


def test_mathematics_is_rendered(visit):
    _, facts = visit
    assert not only(facts, "raw")
    assert not only(facts, "wrong")
    assert only(facts, "fonts").keys() == only(facts, "formulas").keys()
    assert sum(only(facts, "formulas").values()) > 100


@pytest.mark.parametrize("view", VIEWS)
def test_no_page_scrolls_sideways(visit, view):
    assert not only(visit[1], ("wider", view))


@pytest.mark.parametrize("protocol", ["http"], indirect=True)
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_that_keeps_people_out(visit, view):
    assert not only(visit[1], ("axe", view))


def test_the_start_page_leads_to_the_book_and_its_search(protocol, browser, address):
    record = Record(address[protocol])
    page = browser.new_page()
    page.goto(f"{address[protocol]}/index.html")
    page.wait_for_url("**/book/index.html")
    record.listen(page)
    page.goto(f"{address[protocol]}/search.html?q=variance")
    expect(page.locator("#search-results li a").first).to_be_visible()
    page.close()
    assert record.errors == record.foreign == []


# --------------------------------------------------------------------------- explorers


class Saved:
    """An explorer as a notebook holds it: its controls, and the frame for each combination."""

    def __init__(self, state: dict, box: dict):
        self.state = state
        parts = [self.model(key) for key in box["children"]]
        self.controls = {
            part["description"]: list(part["_options_labels"])
            for part in parts
            if "_options_labels" in part
        }
        self.picture = parts[-1]
        self.animated = next(
            (
                part["description"].removeprefix("animate ")
                for part in parts
                if part["_model_name"] == "CheckboxModel"
            ),
            None,
        )

    def model(self, key: str) -> dict:
        return self.state[key.removeprefix("IPY_MODEL_")]["state"]

    def alt(self, labels: dict[str, str]) -> str:
        """The alternative text of the frame that was drawn for ``labels``, by control."""
        part = self.picture
        for name, options in self.controls.items():
            part = self.model(part["children"][options.index(labels[name])])
        return html.unescape(re.search('alt="([^"]*)"', part["value"])[1])


def saved_explorers() -> dict[str, list[Saved]]:
    """The explorers of each chapter, from the top down."""
    found = {}
    for path in sorted(ROOT.glob("book/*.ipynb")):
        nb = json.loads(path.read_text(encoding="utf-8"))
        state = nb["metadata"].get("widgets", {}).get(STATE, {}).get("state", {})
        boxes = [
            box
            for cell in nb["cells"]
            for output in cell.get("outputs", [])
            if (view := output.get("data", {}).get("application/vnd.jupyter.widget-view+json"))
            and view["model_id"] in state  # or test_notebooks.py complains
            and "nnlab-explorer" in (box := state[view["model_id"]]["state"])["_dom_classes"]
        ]
        if boxes:
            found[path.stem] = [Saved(state, box) for box in boxes]
    return found


SAVED = saved_explorers()
CASES = [(name, number) for name, found in SAVED.items() for number in range(len(found))]
ANIMATED = [(name, number) for name, number in CASES if SAVED[name][number].animated]


class Explorer:
    """An explorer on a page, as a reader meets it."""

    def __init__(self, page: Page, number: int, saved: Saved):
        self.page, self.saved = page, saved
        self.root = explorers_of(page).nth(number)
        self.labels = {name: options[0] for name, options in saved.controls.items()}

    def control(self, name: str) -> Locator:
        return self.root.get_by_label(name, exact=True)

    def slider(self, name: str) -> Locator:
        """The track and the readout, too."""
        handle = self.page.get_by_label(name, exact=True)
        return self.root.locator(".widget-hslider").filter(has=handle)

    def is_slider(self, name: str) -> bool:
        return self.control(name).get_attribute("role") == "slider"

    def check(self) -> None:
        """The controls say what was chosen, and the picture is the one drawn for it."""
        for name, label in self.labels.items():
            if self.is_slider(name):
                expect(self.control(name)).to_have_attribute("aria-valuetext", label)
                expect(self.slider(name).locator(".widget-readout")).to_have_text(label)
            else:
                expect(self.control(name)).to_have_value(label)
        alt = self.saved.alt(self.labels)
        expect(self.root.locator("img:visible")).to_have_attribute("alt", alt)

    def press(self, name: str, label: str) -> None:
        """Choose with the keyboard."""
        options = self.saved.controls[name]
        steps = options.index(label) - options.index(self.labels[name])
        keys = ("ArrowRight", "ArrowLeft") if self.is_slider(name) else ("ArrowDown", "ArrowUp")
        for _ in range(abs(steps)):
            self.control(name).press(keys[steps < 0])
        self.labels[name] = label

    def click(self, name: str, label: str) -> None:
        """Choose with the mouse: a place on a slider, or an entry of a menu."""
        if self.is_slider(name):
            self.page.mouse.click(*self.place(name, label))
        else:
            self.control(name).select_option(label)
        self.labels[name] = label

    def drag(self, name: str, label: str) -> None:
        """Pull the handle of a slider to where ``label`` is."""
        self.page.mouse.move(*self.place(name, self.labels[name]))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(name, label), steps=5)
        self.page.mouse.up()
        self.labels[name] = label

    def place(self, name: str, label: str) -> tuple[float, float]:
        """Where the middle of the handle is to be, once it rests and heeds the mouse again."""
        slider, options = self.slider(name), self.saved.controls[name]
        expect(slider.locator(".noUi-target")).not_to_have_class(re.compile("noUi-state-tap"))
        track = slider.locator(".noUi-base").bounding_box()
        part = options.index(label) / (len(options) - 1)
        x = track["x"] + 1 + part * (track["width"] - 2)  # its right edge is not a part of it
        return x, track["y"] + track["height"] / 2


@pytest.fixture(scope="module", params=CASES, ids=str)
def explorer(request, browser: Browser, address, protocol):
    chapter, number = request.param
    record = Record(address[protocol])
    page = browser.new_page()
    record.listen(page)
    page.goto(f"{address[protocol]}/book/{chapter}.html")
    pdf.settle(page)
    expect(explorers_of(page)).to_have_count(len(SAVED[chapter]))
    explorer = Explorer(page, number, SAVED[chapter][number])
    explorer.root.scroll_into_view_if_needed()
    explorer.check()
    yield explorer
    page.close()
    assert record.errors == record.foreign == []


def test_the_keyboard_reaches_every_frame(explorer):
    names, options = explorer.saved.controls.keys(), explorer.saved.controls.values()
    for combination in itertools.product(*options):
        for name, label in zip(names, combination, strict=True):
            explorer.press(name, label)
        explorer.check()


@pytest.mark.parametrize("protocol", ["http"], indirect=True)
def test_tab_leads_from_control_to_control(explorer):
    first, *rest = explorer.saved.controls
    explorer.control(first).focus()
    for name in rest:
        explorer.page.keyboard.press("Tab")
        expect(explorer.control(name)).to_be_focused()


@pytest.mark.parametrize("protocol", ["http"], indirect=True)
def test_the_mouse_chooses_every_label(explorer):
    for name, options in explorer.saved.controls.items():
        for label in [*options[1:], options[0], options[-1]]:
            explorer.click(name, label)
            explorer.check()
    for name in filter(explorer.is_slider, explorer.saved.controls):
        for label in (explorer.saved.controls[name][0], explorer.saved.controls[name][-1]):
            explorer.drag(name, label)
            explorer.check()


@pytest.mark.parametrize("protocol", ["http"], indirect=True)
@pytest.mark.parametrize("explorer", ANIMATED, indirect=True, ids=str)
def test_an_animation_shows_every_frame_and_ends(explorer):
    name = explorer.saved.animated
    options = explorer.saved.controls[name]
    explorer.press(name, options[0])
    explorer.check()
    explorer.root.evaluate("""root => {
      window.seen = [];
      new MutationObserver(() => {
        const shown = [...root.querySelectorAll('img')].find(image => image.offsetParent);
        if (shown && shown.alt !== window.seen.at(-1)) window.seen.push(shown.alt);
      }).observe(root, { attributes: true, childList: true, subtree: true });
    }""")
    switch = explorer.control(f"animate {name}")
    switch.press("Space")
    expect(switch).to_be_checked()
    expect(switch).not_to_be_checked(timeout=5000 + 1000 * len(options))
    seen = explorer.page.evaluate("window.seen")
    assert seen == [explorer.saved.alt(explorer.labels | {name: label}) for label in options]
    explorer.labels[name] = options[-1]
    explorer.check()


# --------------------------------------------------------------------------- paper

# As wide as a page of A4 within its margins.
PAPER = {"width": 672, "height": 960}
CUT = """() => [
  ...document.querySelectorAll('.bd-article :is(pre, img, table, div.math > mjx-container)')
].filter(part => part.clientWidth && (part.scrollWidth > part.clientWidth + 1
    || part.getBoundingClientRect().right > innerWidth + 1))
  .map(part => part.outerHTML.slice(0, 200))"""
FOLDED = """() => [...document.querySelectorAll('.bd-article :is(p, pre, img)')]
  .filter(part => !part.closest('summary') && !part.checkVisibility())
  .map(part => part.outerHTML.slice(0, 200))"""


def test_paper_shows_all_and_cuts_nothing(browser, edition):
    page = browser.new_page(viewport=PAPER)
    cut, folded = {}, {}
    for name in pdf.pages():
        page.goto((edition / "book" / f"{name}.html").as_uri())
        pdf.settle(page)
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        cut[name], folded[name] = page.evaluate(CUT), page.evaluate(FOLDED)
        page.emulate_media(media="screen")
    page.close()
    assert not {name: found for name, found in cut.items() if found}
    assert not {name: found for name, found in folded.items() if found}


def test_the_book_is_one_file_with_contents(browser, edition, tmp_path, monkeypatch):
    names = [pdf.pages()[0], next(iter(SAVED))]
    monkeypatch.setattr(pdf, "pages", lambda: names)
    pdf.save(browser, edition, tmp_path / "book.pdf")
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


# --------------------------------------------------------------------------- the ordinary site


def test_what_comes_from_a_cdn_is_pinned_and_has_its_hash(edition):
    found = set()
    for path in built().rglob("*.html"):
        for tag in re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", path.read_text("utf-8")):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            url = attributes.get("src", attributes.get("href", ""))
            if re.match("(https?:)?//", url):
                assert url.startswith(offline.CDN), tag
                file = edition / "_static" / "npm" / url.removeprefix(offline.CDN)
                digest = base64.b64encode(hashlib.sha384(file.read_bytes()).digest()).decode()
                assert attributes["integrity"] == f"sha384-{digest}", tag
                assert attributes["crossorigin"] == "anonymous", tag
                found.add(url)
    assert len(found) == len(offline.PACKAGES)
