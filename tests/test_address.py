"""With an address every link to site and repository is well formed; without one there is none.

The site is built three times, from a copy of the settings and a few pages, under each address.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import address
import bs4
import icons
import nbformat
import pytest
import yaml
from fontTools.ttLib import TTFont
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from sphinx.errors import ConfigError
from website import ROOT

SITE = "https://ada.example.org/start"
ADDRESSES = {
    "none": {},
    "GitHub": {
        "SITE_URL": f"{SITE}/",
        "REPOSITORY_URL": "https://github.com/ada/initialise",
        "HUB_URL": "https://hub.example.org",
    },
    "another host": {"REPOSITORY_URL": "https://git.example.org/ada/initialise"},
}


def write(folder: Path) -> None:
    """Write a book of two pages with the real settings into ``folder``."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    (folder / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    shutil.copytree(ROOT / "book" / "_extensions", folder / "book" / "_extensions")
    for name in ("_static", "_templates", "images", "inventories", "live"):
        shutil.copytree(ROOT / "book" / name, folder / "book" / name)
    shutil.copy(ROOT / "book" / "references.bib", folder / "book")
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n- file: book/01_chapter\n"
    )
    (folder / "book" / "index.md").write_text("# Start\n", encoding="utf-8")
    cells = [new_markdown_cell("# A chapter"), new_code_cell("1 + 1", execution_count=1)]
    nbformat.write(new_notebook(cells=cells), folder / "book" / "01_chapter.ipynb")


def build(folder: Path, addresses: dict[str, str], *options: str) -> None:
    """Build the book in ``folder``."""
    unset = {"SITE_URL": "", "REPOSITORY_URL": "", "HUB_URL": ""}
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "."]
    done = subprocess.run(
        [*command, *options],
        cwd=folder,
        env=os.environ | unset | addresses,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.fixture(scope="module", params=ADDRESSES)
def site(request, tmp_path_factory) -> tuple[str, Path]:
    """The name of the addresses, and the folder of the site built with them."""
    folder = tmp_path_factory.mktemp("book")
    write(folder)
    build(folder, ADDRESSES[request.param])
    build(folder, ADDRESSES[request.param], "--builder=custom", "--custom-builder=notebooks")
    return request.param, folder / "_build" / "html"


def page(site: Path, name: str = "book/01_chapter") -> bs4.BeautifulSoup:
    return bs4.BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def outside(soup: bs4.BeautifulSoup) -> list[str]:
    """The addresses outside of the site that a page links to, for readers."""
    return [link["href"] for link in soup.select("a[href^=http]")]


def test_links_are_there_with_an_address_only(site):
    name, folder = site
    links = outside(page(folder))
    found = [link for link in links if "ada" in link]
    assert bool(found) == (name == "GitHub"), links
    assert all(" " not in link and "//ada" not in urlsplit(link).path for link in found)


def test_canonical_links_previews_sitemap_and_404(site):
    name, folder = site
    soup = page(folder)
    published = name == "GitHub"
    canonical = [link["href"] for link in soup.select("link[rel=canonical]")]
    assert canonical == [f"{SITE}/book/01_chapter.html"] * published
    picture = soup.select_one("meta[property='og:image']")["content"]
    assert picture.startswith(f"{SITE}/") == published
    assert (folder / urlsplit(picture).path.removeprefix("/start/")).is_file()
    for file in ("sitemap.xml", "404.html"):
        assert (folder / file).exists() == published
    if published:
        listed = re.findall("<loc>(.*?)</loc>", (folder / "sitemap.xml").read_text())
        assert set(listed) == {f"{SITE}/book/{name}.html" for name in ("index", "01_chapter")}
        for part in page(folder, "404").select("link[rel=stylesheet], script[src], a[href]"):
            target = part.get("href") or part.get("src")
            assert target.startswith(("/start/", "http", "#", "javascript")), target


def test_launch_links_open_the_run_copy(site):
    name, folder = site
    links = {urlsplit(link).netloc: link for link in outside(page(folder))}
    hosts = {"colab.research.google.com", "mybinder.org", "hub.example.org"}
    if name != "GitHub":
        assert not hosts & links.keys()
        return
    assert links["colab.research.google.com"].endswith(
        "/github/ada/initialise/blob/notebooks/01_chapter.ipynb"
    )
    binder = urlsplit(links["mybinder.org"])
    assert binder.path == "/v2/gh/ada/initialise/notebooks"
    assert parse_qs(binder.query) == {"urlpath": ["lab/tree/01_chapter.ipynb"]}
    assert parse_qs(urlsplit(links["hub.example.org"]).query) == {
        "repo": ["https://github.com/ada/initialise"],
        "branch": ["notebooks"],
        "urlpath": ["lab/tree/initialise/01_chapter.ipynb"],
    }


def test_binder_is_told_which_python_and_which_engine(site):
    name, folder = site
    told = {path.name: path.read_text().strip() for path in folder.parent.glob("notebooks/*.txt")}
    if name == "none":
        assert not told
        return
    requirement = Requirement(told.pop("requirements.txt"))
    assert requirement.url == f"git+{ADDRESSES[name]['REPOSITORY_URL']}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert requirement.name == project["name"]
    assert requirement.extras <= project["optional-dependencies"].keys()
    python, version = told.pop("runtime.txt").split("-")
    assert python == "python"
    assert version in SpecifierSet(project["requires-python"])
    assert not told


def test_edit_and_issue_links_lead_to_this_page(site):
    name, folder = site
    links = outside(page(folder))
    repository = "https://github.com/ada/initialise"
    edit = f"{repository}/edit/main/book/01_chapter.ipynb"
    assert (edit in links) == (name == "GitHub")
    issues = [urlsplit(link) for link in links if link.startswith(f"{repository}/issues/new?")]
    assert len(issues) == (name == "GitHub")
    for query in (parse_qs(issue.query) for issue in issues):
        assert query.pop("place") == [f"{SITE}/book/01_chapter.html"]
        form = ROOT / ".github" / "ISSUE_TEMPLATE" / query.pop("template")[0]
        fields = yaml.safe_load(form.read_text(encoding="utf-8"))["body"]
        assert "place" in [field["id"] for field in fields]
        assert query == {}


def test_every_icon_is_in_its_font(site):
    _, folder = site
    style = icons.read(folder / "_static" / "styles" / "pydata-sphinx-theme.css")
    signs = {
        name: ord(sign)
        for selectors, sign in icons.RULE.findall(style)
        for name in re.findall(r"fa-[\w-]+", selectors)
    }
    kinds = {"fas": "icons", "fa-solid": "icons", "fab": "brands"}
    fonts = {font: TTFont(folder / "_static" / f"{font}.woff") for font in kinds.values()}
    shown = page(folder).select("i[class^=fa], span[class^=fa]")
    assert shown
    for icon in shown:
        kind, name = icon["class"][:2]
        assert signs[name] in fonts[kinds[kind]].getBestCmap(), icon


@pytest.mark.parametrize("url", ["example.org", "https://", "ftp://example.org", "https://a b"])
def test_what_is_no_address_is_named(url):
    with pytest.raises(ConfigError, match=f"SITE_URL must be a web address .* got {url}"):
        address.checked("SITE_URL", url)


@pytest.mark.parametrize("url", ["", None, "https://example.org/", "http://localhost:8000/book"])
def test_an_address_ends_without_a_slash(url):
    assert address.checked("SITE_URL", url) == (url or "").rstrip("/")


def test_the_version_and_the_addresses_are_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == project["version"]
    assert f"## [{project['version']}] - {citation['date-released']}" in changes
    assert citation.get("repository-code", "") == config["repository"]["url"]
    assert citation.get("url", "") == config["html"]["baseurl"]
    assert project.get("urls", {}).get("Repository", "") == config["repository"]["url"]
    assert project.get("urls", {}).get("Homepage", "") == config["html"]["baseurl"]
