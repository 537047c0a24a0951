"""The decks: from the chapters as they are saved, without a network, and no slide overflows."""

import re
from pathlib import Path

import pytest
import slides

DECKS = sorted(path.stem for path in slides.SOURCE.glob("0*.md"))
WIDTH, HEIGHT = 1280, 720
FOOT = 28  # pixels below all that a slide says: the number of the slide and the progress bar
SMALLEST = 24  # pixels of a letter: a thirtieth of the height
LABEL = 19  # and of one in a figure
FIGURE = 380  # pixels that a figure needs at least

# Of sphinx-revealjs's own making.
pytestmark = pytest.mark.filterwarnings("ignore:.*RevealjsHTMLBuilder.css_files' is deprecated")

# What is wrong with the slide that is shown.
MEASURE = """([width, height, smallest, label, figure]) => {
  const slide = Reveal.getCurrentSlide(), found = [];
  const parts = [...slide.querySelectorAll(':not(svg *, math *, aside, datalist, option)')];
  for (const part of parts) {
    const box = part.getBoundingClientRect();
    const name = part.tagName + ' ' + part.textContent.slice(0, 40);
    if (!part.checkVisibility() || !box.width) continue;
    if (box.left < 0 || box.top < 0 || box.right > width || box.bottom > height)
      found.push(`${name} ends at ${box.right} x ${box.bottom}`);
    if (part.scrollWidth > part.clientWidth + 1 && part.clientWidth && part.tagName !== 'SELECT')
      found.push(`${name} is wider than its box`);
    const words = [...part.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (words && parseFloat(getComputedStyle(part).fontSize) < smallest)
      found.push(`${name} is small`);
    if (part.tagName === 'svg' && box.height < figure) found.push(`a figure of ${box.height}`);
  }
  for (const text of slide.querySelectorAll('svg text')) {
    const scale = text.ownerSVGElement.getScreenCTM().a;
    if (parseFloat(getComputedStyle(text).fontSize) * scale < label)
      found.push(`${text.textContent} in a figure is small`);
  }
  const bottoms = parts.filter(part => part.parentElement === slide && part.checkVisibility())
    .map(part => part.getBoundingClientRect());
  bottoms.forEach((box, i) => {
    if (i && box.top < bottoms[i - 1].bottom - 1) found.push('parts overlap');
  });
  return found.map(what => `${slide.querySelector('h1, h2').textContent}: ${what}`);
}"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    target = tmp_path_factory.mktemp("slides") / "slides"
    assert slides.build(slides.SOURCE, target) == 0
    return target


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    return page


def show(page, path):
    page.asked.clear()
    page.goto(path.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.evaluate("document.fonts.ready")


def count(page):
    return page.evaluate("Reveal.getTotalSlides()")


def faults(page):
    """Go through the deck; return what is wrong with each slide."""
    found = []
    for _ in range(count(page)):
        found += page.evaluate(MEASURE, [WIDTH, HEIGHT - FOOT, SMALLEST, LABEL, FIGURE])
        page.evaluate("Reveal.next()")
    return found


@pytest.mark.parametrize("name", DECKS)
def test_every_slide_fits_and_can_be_read_from_the_last_row(page, built, name):
    show(page, built / f"{name}.html")
    assert 12 <= count(page) <= 20
    assert faults(page) == []
    assert page.evaluate("Reveal.isLastSlide()")
    assert page.locator("math").count() and not page.locator(".problematic").count()
    assert all(url.startswith("file:") for url in page.asked)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("slide.append(...'abcdefghij'.split('').map(c => {"
         "  const p = document.createElement('p'); p.textContent = c; return p; }))", "ends at"),
        ("slide.querySelector('p').textContent = 'x'.repeat(200)", "wider than its box"),
        ("slide.querySelector('p').style.fontSize = '16px'", "is small"),
        ("Reveal.next(); Reveal.getCurrentSlide().querySelector('text').style.fontSize = '5px'",
         "in a figure is small"),
        ("Reveal.next(); Reveal.getCurrentSlide().querySelector('svg').style.flex = '0 1 370px'",
         "a figure of 370"),
        ("slide.querySelectorAll('p')[1].style.marginTop = '-60px'", "overlap"),
    ],
)  # fmt: skip
def test_a_slide_that_does_not_fit_is_found(page, built, change, said):
    show(page, built / f"{DECKS[0]}.html")
    page.evaluate("Reveal.slide(1)")
    page.evaluate(f"() => {{ const slide = Reveal.getCurrentSlide(); {change} }}")
    assert any(said in fault for fault in faults(page))


def test_the_list_leads_to_each_deck(page, built):
    show(page, built / "index.html")
    assert page.evaluate(MEASURE, [WIDTH, HEIGHT - FOOT, SMALLEST, LABEL, FIGURE]) == []
    links = page.locator(".slides a").evaluate_all("links => links.map(link => link.href)")
    assert links == [(built / f"{name}.html").as_uri() for name in DECKS]


def test_an_explorer_answers_on_its_slide_and_keeps_the_arrow_keys(page, built):
    show(page, built / f"{DECKS[0]}.html")
    number = page.evaluate(
        "[...Reveal.getSlides()].findIndex(slide => slide.querySelector('.nnlab-explorer'))"
    )
    page.evaluate(f"Reveal.slide({number})")
    frame = page.locator("section.present section.present .frame")
    before = frame.inner_html()
    page.locator("section.present section.present input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('section.present section.present .frame').innerHTML"
        " !== before",
        arg=before,
    )
    page.locator("section.present section.present select").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.getIndices().h") == number


def deck(folder: Path, text: str) -> Path:
    """A project of one deck, which has the name of a chapter."""
    folder.mkdir(exist_ok=True)
    (folder / "conf.py").write_bytes((slides.SOURCE / "conf.py").read_bytes())
    settings = (folder / "conf.py").read_text(encoding="utf-8")
    extensions = slides.SOURCE.parent / "_extensions"
    settings = re.sub(r"sys.path.insert\(.*", f"sys.path.insert(0, {str(extensions)!r})", settings)
    settings += f'\nroot_doc = "{DECKS[0]}"\nrevealjs_static_path = []\n'
    (folder / "conf.py").write_text(settings, encoding="utf-8")
    (folder / f"{DECKS[0]}.md").write_text(f"# Title\n\n{text}\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{number}`ch1-none`", "no 'ch1-none' among its numbers: ch1-loss-1, "),
        ("{number}`ch1-loss-1:.2q`", "ch1-loss-1:.2q: "),
        ("{exercise}`ex-02-budget`", "no 'ex-02-budget' among its exercises: ex-01-by-hand, "),
        ("```{figure-of} fig-01-none\n```", "no 'fig-01-none' among its figures: fig-01-data, "),
        ("```{explorer-of} walk\n```", "no 'walk' among its explorers: "),
    ],
)
def test_what_the_chapter_has_not_stops_the_build(tmp_path, capfd, text, said):
    assert slides.build(deck(tmp_path / "deck", text), tmp_path / "built") != 0
    assert said in capfd.readouterr().err
    assert (
        slides.build(deck(tmp_path / "deck", "{number}`ch1-loss-1:.1f`"), tmp_path / "built") == 0
    )
    assert re.search(r"<p>0\.5</p>", (tmp_path / "built" / f"{DECKS[0]}.html").read_text())
