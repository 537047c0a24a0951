"""The EPUB of the whole book: what EPUBCheck looks at, and what only we can know.

`make check-epub` asks EPUBCheck itself, which needs Java.
"""

import shutil
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path
from urllib.parse import urldefrag
from xml.etree import ElementTree
from zipfile import ZIP_STORED, ZipFile

import pdf
import pytest
from test_browser import SAVED
from website import ROOT

XHTML, SVG, MATHML = (
    "{http://www.w3.org/1999/xhtml}",
    "{http://www.w3.org/2000/svg}",
    "{http://www.w3.org/1998/Math/MathML}",
)
OPF = "{http://www.idpf.org/2007/opf}"


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> ZipFile:
    """The EPUB, built as `make epub` builds it, apart from what other tests build."""
    folder = tmp_path_factory.mktemp("epub")
    command = shutil.which("jupyter-book", path=sysconfig.get_path("scripts"))
    strict = ["-W", "-n", "--keep-going"]
    kind = ["--builder=custom", "--custom-builder=epub"]
    done = subprocess.run(
        [command, "build", ROOT, "--path-output", folder, *strict, *kind],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-3000:]
    with ZipFile(folder / "_build" / "epub" / "nnlab.epub") as archive:
        yield archive


@pytest.fixture(scope="module")
def pages(book) -> dict[str, ElementTree.Element]:
    """Every page, by its path; it is XML, or this fails."""
    names = [name for name in book.namelist() if name.endswith(".xhtml")]
    return {name: ElementTree.fromstring(book.read(name)) for name in names}


@pytest.fixture(scope="module")
def listing(book) -> dict[str, ElementTree.Element]:
    """The items of the list of what the book holds, by their path."""
    root = ElementTree.fromstring(book.read("content.opf"))
    return {item.get("href"): item for item in root.iter(f"{OPF}item")}


def ids(page: ElementTree.Element) -> list[str]:
    return [part.get("id") for part in page.iter() if "id" in part.attrib]


def test_the_pages_are_there_in_order_and_named_in_the_contents(book, listing):
    first = book.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", ZIP_STORED)
    wanted = [f"book/{name}.xhtml" for name in pdf.pages()]
    places = {item.get("id"): href for href, item in listing.items()}
    spine = ElementTree.fromstring(book.read("content.opf")).iter(f"{OPF}itemref")
    assert [places[item.get("idref")] for item in spine][: len(wanted)] == wanted
    links = ElementTree.fromstring(book.read("nav.xhtml")).iter(f"{XHTML}a")
    assert [link.get("href") for link in links] == wanted


def test_the_list_says_what_is_in_the_book(book, pages, listing):
    rest = {"mimetype", "META-INF/container.xml", "content.opf"}
    assert set(book.namelist()) - rest == listing.keys()
    for name, page in pages.items():
        held = {tag: page.find(f".//{tag}") is not None for tag in (f"{MATHML}math", f"{SVG}svg")}
        said = listing[name].get("properties", "").split()
        assert list(held.values()) == ["mathml" in said, "svg" in said], name


def test_every_link_leads_to_a_place(book, pages):
    for name, page in pages.items():
        folder = Path(name).parent
        for part in page.iter():
            target = part.get("href") or part.get("src")
            if target is None or target.startswith(("http", "data:")):
                continue
            path, anchor = urldefrag(target)
            file = (folder / path).as_posix().replace("book/../", "") if path else name
            assert file in book.namelist(), (name, target)
            if anchor and file in pages:
                assert anchor in ids(pages[file]), (name, target)


def test_every_id_is_there_once(pages):
    for name, page in pages.items():
        assert [key for key, n in Counter(ids(page)).items() if n > 1] == [], name


def test_pages_need_no_script_and_no_form(pages):
    for name, page in pages.items():
        tags = {part.tag for part in page.iter()}
        assert not tags & {f"{XHTML}{tag}" for tag in ("script", "style", "form", "input")}, name
        assert all(tag.startswith((XHTML, SVG, MATHML)) for tag in tags), name


def test_formulas_and_figures_can_be_read_aloud(pages):
    formulas = [math for page in pages.values() for math in page.iter(f"{MATHML}math")]
    assert len(formulas) > 1000
    assert all(math.find(f".//{MATHML}annotation").text for math in formulas)
    for page in pages.values():
        for figure in page.iter(f"{SVG}svg"):
            assert "sd-octicon" in figure.get("class") or len(figure.get("aria-label")) > 20
            assert not [part for part in figure.iter() if "var(" in part.get("style", "")]


@pytest.mark.parametrize("name", SAVED)
def test_an_explorer_shows_its_first_picture(pages, name):
    boxes = [
        box
        for box in pages[f"book/{name}.xhtml"].iter(f"{XHTML}div")
        if box.get("class") == "nnlab-explorer"
    ]
    for box, saved in zip(boxes, SAVED[name], strict=True):
        (figure,) = box.iter(f"{SVG}svg")
        assert figure.get("aria-label") == saved.frames[saved.first].alt
        assert [part for part in box.iter(f"{XHTML}p") if part.get("class") == "still"]


def test_quizzes_fold_their_answers(pages):
    for name in SAVED:
        quizzes = list(pages[f"book/{name}.xhtml"].iter(f"{XHTML}fieldset"))
        assert quizzes
        for quiz in quizzes:
            answers = quiz.findall(f"{XHTML}details/{XHTML}p")
            assert len(answers) == len(quiz.findall(f"{XHTML}label"))
            assert [answer.get("class") for answer in answers].count("right") == 1
