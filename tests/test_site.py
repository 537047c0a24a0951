"""Every page of the built site: its links, pictures, headings, texts, and what it says of itself.

Each check returns a list of complaints about one page; no complaint means that it passes.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import nbformat
import pybtex.database
import pytest
import yaml
from bs4 import BeautifulSoup
from website import ROOT, built

# What sphinx-proof and sphinx-exercise call every proof, and the inside of every box. No link leads
# there.
BOX_IDS = {"proof", "proof-content", "exercise-content", "solution-content"}
TITLE = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]


@dataclass
class Page:
    """A page, by its path below ``site``."""

    site: Path
    path: str
    soup: BeautifulSoup

    @property
    def article(self):
        """What the page says, without the frame around it."""
        return self.soup.find("article")

    def meta(self, name: str) -> list[str]:
        """The contents of the meta tags of that name."""
        tags = self.soup.find_all("meta", {"property": name})
        return [tag["content"] for tag in tags + self.soup.find_all("meta", {"name": name})]


def load(site: Path, path: str) -> Page:
    return Page(site, path, BeautifulSoup((site / path).read_text("utf-8"), "html.parser"))


@cache
def ids(file: Path) -> set[str]:
    """The anchors of a page."""
    soup = BeautifulSoup(file.read_text("utf-8"), "html.parser")
    return {tag[name] for name in ("id", "name") for tag in soup.find_all(attrs={name: True})}


def text(page: Page) -> str:
    """The words of a page, without code, formulas and scripts."""
    soup = BeautifulSoup(str(page.article), "html.parser")
    for tag in soup.select("pre, code, script, style, .math"):
        tag.decompose()
    return soup.get_text()


# Checks of one page


def check_title(page: Page) -> list[str]:
    headings = [heading.get_text().strip(" #\n") for heading in page.article.find_all("h1")]
    titles = [title.get_text() for title in page.soup.select("head > title")]
    if len(headings) != 1 or len(titles) != 1 or not titles[0].startswith(headings[0] or "?"):
        return [f"there must be one title, the page's heading first: {titles}, {headings}"]
    return []


def check_description(page: Page) -> list[str]:
    complaints = []
    for name in ("description", "og:description"):
        found = page.meta(name)
        if len(found) != 1 or not 50 <= len(found[0]) <= 300:
            complaints.append(f"{name} must be one of 50 to 300 letters: {found}")
        elif ";," in found[0]:
            complaints.append(f"{name} is a list; let the page open with a sentence: {found}")
    return complaints


def check_preview(page: Page) -> list[str]:
    names = ("og:title", "og:type", "og:url", "og:site_name", "og:image", "og:image:alt")
    found = {name: page.meta(name) for name in names}
    complaints = [
        f"{name} must be there once: {contents}"
        for name, contents in found.items()
        if len(contents) != 1 or not contents[0]
    ]
    if found["og:site_name"] != [TITLE]:
        complaints.append(f"og:site_name must be {TITLE!r}: {found['og:site_name']}")
    # Without an address the picture is given from the site's top, wherever that will be.
    for image in found["og:image"]:
        if image and not (page.site / Path(urlsplit(image).path).name).is_file():
            complaints.append(f"there is no picture {image}")
    return complaints


def check_links(page: Page) -> list[str]:
    complaints, here = [], f"file:///{page.path}"
    for tag in page.soup.find_all(["a", "img", "link", "script"]):
        url = tag.get("href", tag.get("src"))
        if url is None:
            if tag.name == "a" and tag.get_text():
                complaints.append(f"a link to nothing: {tag}")
            continue
        target, anchor = urldefrag(urljoin(here, url) if url else here)
        if urlsplit(target).scheme != "file" or (tag.name == "link" and tag["rel"] == ["search"]):
            continue
        file = page.site / unquote(urlsplit(target).path.lstrip("/"))
        if not file.is_file():
            complaints.append(f"a link to a file that is not there: {url}")
        elif anchor and file.suffix == ".html" and unquote(anchor) not in ids(file):
            complaints.append(f"a link to a place that is not there: {url}")
    return complaints


def check_unique_ids(page: Page) -> list[str]:
    counts = Counter(tag["id"] for tag in page.soup.find_all(id=True) if tag["id"] not in BOX_IDS)
    return [f"the id {name} is there {n} times" for name, n in counts.items() if n > 1]


def check_alternative_text(page: Page) -> list[str]:
    return [
        f"the alternative text is no sentence: {str(image)[:200]}"
        for image in page.article.find_all("img")
        if not re.fullmatch(r"[^a-z\s]\S*(\s+\S+){3,}[.!?]", image.get("alt", "").strip())
    ]


def check_headings(page: Page) -> list[str]:
    levels = [int(tag.name[1]) for tag in page.article.find_all(re.compile("^h[1-6]$"))]
    steps = zip([0, *levels], levels, strict=False)
    if any(level > above + 1 for above, level in steps):
        return [f"heading levels are out of order: {levels}"]
    return []


def check_nothing_raw(page: Page) -> list[str]:
    raw = r":::|```|~~~|\$\$|\$[^\s$]+\$|\{[a-z]+(?::[a-z]+)?\}|\\[A-Za-z]+|\]\(|^\([\w-]+\)=$"
    return [f"raw text: {found[0]!r}" for found in re.finditer(raw, text(page), re.MULTILINE)]


def check_everything_resolved(page: Page) -> list[str]:
    complaints = [f"unresolved: {found}" for found in re.findall(r"\S*\?\?+\S*|\[\?\]", text(page))]
    for problem in page.soup.select(".problematic, .system-message"):
        complaints.append(f"a message of the build: {problem.get_text()}")
    for tag in page.article.select("a.reference.internal"):
        if not tag.get_text().strip() and not tag.find("img"):
            complaints.append(f"a link without text: {tag}")
    return complaints


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    """Every page of the book, from the built site."""
    site = built()
    return [load(site, f"book/{path.name}") for path in sorted(site.glob("book/*.html"))]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_pages(pages, check):
    assert {page.path: complaints for page in pages if (complaints := check(page))} == {}


def test_the_site_has_every_page_of_the_book_and_starts_with_its_first(pages):
    sources = [path.stem for kind in ("md", "ipynb") for path in ROOT.glob(f"book/*.{kind}")]
    assert sorted(Path(page.path).stem for page in pages) == sorted(sources)
    assert "book/index.html" in (built() / "index.html").read_text("utf-8")


def test_no_two_pages_say_the_same_of_themselves(pages):
    for name in ("og:title", "description"):
        counts = Counter(contents for page in pages for contents in page.meta(name))
        assert [contents for contents, n in counts.items() if n > 1] == []


# The bibliography


def prose(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def incomplete(entry: pybtex.database.Entry) -> list[str]:
    """What an entry of the bibliography lacks."""
    wanted = [
        ("author",),
        ("title",),
        ("year",),
        ("journal", "booktitle", "publisher", "school", "howpublished"),
        ("doi", "eprint", "url"),
    ]
    there = {*entry.fields, *entry.persons}
    if entry.type == "misc" and "unknown" in entry.fields.get("note", ""):
        there |= {"year", "url"}
    return [" or ".join(fields) for fields in wanted if not there & set(fields)]


def test_every_entry_of_the_bibliography_is_complete_and_cited():
    entries = pybtex.database.parse_file(ROOT / "book" / "references.bib").entries
    assert {key: lacks for key, entry in entries.items() if (lacks := incomplete(entry))} == {}
    texts = [prose(path) for kind in ("md", "ipynb") for path in ROOT.glob(f"book/*.{kind}")]
    roles = re.findall(r"\{cite:\w+\}`([^`]+)`", "\n".join(texts))
    cited = {key.strip() for role in roles for key in role.split(",")}
    for path in ROOT.glob("book/papers/*.yml"):
        cited |= {row["source"] for row in yaml.safe_load(path.read_text(encoding="utf-8"))}
    assert cited == set(entries)


def test_an_incomplete_entry_is_found():
    entry = pybtex.database.Entry("article", {"title": "T", "year": "2010", "publisher": "P"})
    assert incomplete(entry) == ["author", "doi or eprint or url"]
    entry = pybtex.database.Entry("misc", {"title": "T", "note": "Year and address unknown"})
    assert incomplete(entry) == [
        "author",
        "journal or booktitle or publisher or school or howpublished",
    ]


# The lists of names in other documentations


def test_every_name_of_the_inventories_exists():
    import pydoc

    for file in ROOT.glob("book/inventories/*.txt"):
        (
            head,
            *_,
        ) = file.read_text(encoding="utf-8").splitlines()
        assert head == "# Sphinx inventory version 1"
        for line in file.read_text(encoding="utf-8").splitlines()[3:]:
            name, _, location = line.split()
            full = location.rpartition("/")[2].removesuffix(".html") if name == "ndarray" else name
            assert pydoc.locate(full) is not None, name


# Tests of the checks: a good page passes them all, and each flaw is found by its own check

GOOD = f"""<!doctype html><html><head><title>Measure it - Book</title>
<link rel="stylesheet" href="../style.css">
<meta name="description" content="A page that says what it is about in a sentence or two.">
<meta property="og:description" content="A page that says what it is about in a sentence or two.">
<meta property="og:title" content="Measure it"><meta property="og:type" content="website">
<meta property="og:url" content="book/good.html"><meta property="og:site_name" content="{TITLE}">
<meta property="og:image" content="picture.png"><meta property="og:image:alt" content="A curve.">
</head><body><img src="../picture.png" alt=""><article>
<h1 id="top">Measure it<a class="headerlink" href="#top">#</a></h1>
<h2 id="how">How?</h2><h3>With code</h3><h2>Why {{1, 2}}?</h2>
<p>See <a class="reference internal" href="other.html#there">there</a>, <a href="#how">here</a> and
<a href="https://example.org/#nowhere">elsewhere</a>. It costs $5.</p>
<p class="math">\\(\\frac{{a}}{{b}}\\) $$</p><pre>{{glue}} ::: \\n ??</pre>
<img src="../picture.png" alt="The loss falls to 0.1."></article></body></html>"""

FLAWS = {
    "no title": ("<title>Measure it - Book</title>", "", check_title),
    "another title": ("<title>Measure it", "<title>Something else", check_title),
    "two titles": ("<h2 id", "<h1>Again</h1><h2 id", check_title),
    "no description": ('<meta name="description"', '<meta name="x"', check_description),
    "a list": ('"A page that says', '"You will see;, A page that', check_description),
    "no preview": ('property="og:url"', 'property="x"', check_preview),
    "preview twice": ("<h1", '<meta property="og:type" content="x"><h1', check_preview),
    "another site": (f'content="{re.escape(TITLE)}"', 'content="Project"', check_preview),
    "no preview picture": ('content="picture.png"', 'content="none.png"', check_preview),
    "no file": ("other.html#there", "none.html", check_links),
    "no anchor": ("other.html#there", "other.html#nowhere", check_links),
    "no anchor here": ('href="#how"', 'href="#nowhere"', check_links),
    "no picture": ('src="../picture.png" alt="T', 'src="none.png" alt="T', check_links),
    "no style": ("../style.css", "style.css", check_links),
    "no target": ('<a href="#how"', "<a", check_links),
    "same id": ("<h3>", '<h3 id="how">', check_unique_ids),
    "no alt": (' alt="The loss falls to 0.1."', "", check_alternative_text),
    "a file name": ("The loss falls to 0.1.", "curve_of_the_loss.png", check_alternative_text),
    "no full stop": ("falls to 0.1.", "falls to 0.1", check_alternative_text),
    "skipped level": ("<h3>With code</h3>", "<h4>With code</h4>", check_headings),
    "dollars": ("costs \\$5", "costs $$5$$", check_nothing_raw),
    "formula": ("costs \\$5", "costs $x$", check_nothing_raw),
    "LaTeX": ("costs \\$5", r"costs \\\\frac12", check_nothing_raw),
    "role": ("costs \\$5", "costs {glue:text}5", check_nothing_raw),
    "reference": ("costs \\$5", "costs {ref}5", check_nothing_raw),
    "directive": ("costs \\$5", "costs :::5", check_nothing_raw),
    "Markdown link": ("costs \\$5", "[costs](5)", check_nothing_raw),
    "target": ("costs \\$5", "costs\n(claim-A1)=\n5", check_nothing_raw),
    "no citation": ("costs \\$5", "costs [?]", check_everything_resolved),
    "no equation": ("costs \\$5", "costs (??)", check_everything_resolved),
    "message": ("<p>See", '<p class="system-message">See', check_everything_resolved),
    "empty link": ("#there\">there<", "#there\"><", check_everything_resolved),
}  # fmt: skip


@pytest.fixture
def make_page(tmp_path):
    """Return a function that loads a page from its HTML, beside what it links to."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "other.html").write_text('<p id="there"></p>', encoding="utf-8")
    for name in ("picture.png", "style.css"):
        (tmp_path / name).touch()

    def make(html: str) -> Page:
        (tmp_path / "book" / "good.html").write_text(html, encoding="utf-8")
        ids.cache_clear()
        return load(tmp_path, "book/good.html")

    return make


def test_every_check_is_tested():
    assert {check for *_, check in FLAWS.values()} == set(CHECKS)


def test_a_good_page_passes_every_check(make_page):
    page = make_page(GOOD)
    assert [complaint for check in CHECKS for complaint in check(page)] == []


@pytest.mark.parametrize(("good", "bad", "found_by"), FLAWS.values(), ids=FLAWS)
def test_each_flaw_is_found_by_its_check_alone(good, bad, found_by, make_page):
    html, times = re.subn(good, bad, GOOD, count=1)
    assert times == 1
    page = make_page(html)
    assert [check.__name__ for check in CHECKS if check(page)] == [found_by.__name__]
