"""Run copies hold what their pages hold, without markup, and run anywhere."""

import base64
import os
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import requires
from pathlib import Path

import bs4
import nbformat
import pytest
import website
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from outputs import run
from packaging.requirements import Requirement
from website import ROOT, built

CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("*.ipynb"))
SITE, REPOSITORY = "https://example.org/course", "https://example.org/course.git"
EXTENSIONS = ROOT / "book" / "_extensions"
PICTURE = "The picture in words"


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def source(chapter: str) -> NotebookNode:
    return read(ROOT / "book" / f"{chapter}.ipynb")


@cache
def copies() -> Path:
    """The folder of the run copies, made as `make notebooks` makes them."""
    built()  # whose pages are read once for both
    done = website.build("notebooks", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout[-3000:]
    return website.BUILD / "notebooks"


def build(folder: Path, command: list[str]) -> str:
    """Run a build, which must pass; return what it says."""
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def code(nb: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def text(nb: NotebookNode) -> list[str]:
    return [cell.source for cell in nb.cells if cell.cell_type == "markdown"]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


# The words of a page and of its copy

BLOCKS = (
    "p li div h1 h2 h3 h4 h5 h6 td th pre summary details blockquote figcaption dt dd label legend"
)
MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)


def words(soup: bs4.Tag) -> list[str]:
    """Words and signs in the order of reading; a formula is its TeX, with its number."""
    for tag in soup.find_all(BLOCKS.split()):
        tag.insert_before("\n")
        tag.append("\n")
    text = re.sub(r"\\tag\{(.*?)\}", r" (\1)", soup.get_text())
    text = re.sub(r"\\[()\[\]]|\\(?:begin|end)\{(?:split|aligned)\}", " ", text)
    text = re.sub(r"\\vert\b", "|", re.sub(r"\\Vert\b", r"\\|", text))
    return re.findall(r"\w+|[^\w\s]", text)


def words_of_page(html: str) -> list[str]:
    """What a page says, but for its outputs; their captions stay."""
    article = bs4.BeautifulSoup(html, "html.parser").find("article")
    for output in article.select("div.cell_output"):
        captions = [caption.extract() for caption in output.select("figcaption")]
        output.clear()
        output.extend(captions)
    for control in article.select("a.headerlink, details.hide > summary, .nnlab-live"):
        control.decompose()
    for formula in article.select("math"):
        formula.replace_with(formula.find("annotation").text)
    for number in article.select("span.eqno"):
        number.parent.append(number.extract())
    return words(article)


def words_of_copy(nb: NotebookNode) -> list[str]:
    """What a copy says, but for its first cell and the texts that stand for pictures."""
    soup = bs4.BeautifulSoup("", "html.parser")
    for cell in nb.cells[1:]:
        if cell.cell_type == "code":
            soup.append(soup.new_tag("pre", string=cell.source))
        else:
            soup.append(bs4.BeautifulSoup(MARKDOWN.render(cell.source), "html.parser"))
    for title in soup.select("summary"):  # which is HTML: its formulas are left to MathJax
        title.string = re.sub(r"\$(.*?)\$", r" \1 ", title.text).replace(r"\lt", "<")
    for title in soup.select("summary"):
        if title.text == PICTURE:
            title.parent.decompose()
        elif title.text == "Answers":  # to a quiz
            title.decompose()
    return words(soup)


# A small book with every construct

PROSE = r"""
(start)=
# A title with $x^2$

See {doc}`claims`, {ref}`the start <start>`, {eq}`eq-one`, {prf:ref}`thm-one`, {numref}`fig-one`,
{ref}`ex-one`, {cite:t}`One` and {term}`logit`.

[A page](https://example.org/a_b) proves it. {claim}`A5`

2\. is no list; *, _, `a|b`, \$5 and 1 < 2 are no markup,
W[i] and snake_case neither.

```{math}
:label: eq-one
a &= b, \\
c &= d.
```

:::{admonition} Predict **boldly**
:class: tip
1. What is $y$?

   $$
   y =
   1
   $$
2. And $z$?
   - Perhaps 2.
:::

:::{dropdown} You were right if $a < b$
It is `1`.
:::

:::{note}
A note.
:::

:::{prf:theorem} Of one
:label: thm-one
All is *one*.
:::

:::{prf:proof}
Clear.
:::

| name | $\|x\|$ |
|:-----|--------:|
| `a`  | a\|b |

::::{tab-set}
:::{tab-item} Keras
```python
Dense(2)
```
:::
::::

Term
: Its meaning.

> Quoted,\
> in two lines.

![A *red* dot.](dot.png)

:::{glossary}
logit
  A number before the sigmoid.
:::

```{quiz} all
```
"""

EXERCISE = """
## Exercises

:::{exercise} Add
:label: ex-one
What is 1 + 1?
:::

:::{solution-start} ex-one
:class: dropdown
:::

Count.
"""

# The cells of its copy, but for the first, where the book has no address.
COPY = [
    r"""# 1. A title with $x^2$

See Claims, the start, (1.1), Theorem 1.1, Fig. 1.1, Exercise 1.1, One \[2001\] and logit.

[A page](https://example.org/a_b) proves it. <sup>A5: true</sup>

2\. is no list; \*, \_, `a|b`, \$5 and 1 \< 2 are no markup, W\[i\] and snake_case neither.

$$\begin{aligned}a &= b, \\ c &= d.\end{aligned} \tag{1.1}$$

> **Predict boldly**
>
> 1. What is $y$?
>
>    $$y = 1$$
>
> 2. And $z$?
>
>    - Perhaps 2.

<details>
<summary>You were right if $a \lt b$</summary>

It is `1`.

</details>

> **Note**
>
> A note.

> **Theorem 1.1 (Of one)**
>
> All is *one*.

> Proof. Clear.

| name | $\vert x\vert $ |
| --- | --: |
| `a` | a\|b |

**Keras**

```python
Dense(2)
```

**Term**
- Its meaning.

> Quoted,\
> in two lines.

![A red dot.](data:image/png;base64,DOT)

**logit**
- A number before the sigmoid.

**Question 1.** Is $1 < 2$?

- a) Yes.
- b) No.

<details>
<summary>Answers</summary>

- a) **Right.** By `1`.
- b) **Not quite.** Count.

</details>""",
    "import numpy as np",
    "Pi is 3.14.",
    "draw()  # $x$",
    r"""**Fig. 1.1** A dot at $0$.

<details>
<summary>The picture in words</summary>

A dot, and a \$.

</details>""",
    "1",
    "## 1.1. Exercises",
    "### Exercise 1.1 (Add)\n\nWhat is 1 + 1?",
    "### Solution to Exercise 1.1 (Add)",
    "Count.",
    "1 + 1",
    "## 1.2. The end\n\nDone.",
]

CONF = """
import sys
sys.path.insert(0, {extensions!r})
project = "Small"
extensions = ["myst_nb", "sphinx_book_theme", "sphinx_design", "sphinx_exercise", "sphinx_proof",
              "sphinxcontrib.bibtex", "pages", "figures", "explorers", "run_copies"]
html_theme = "sphinx_book_theme"
exclude_patterns = ["_build"]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
nb_execution_mode = "off"
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"
numfig = math_numfig = True


def setup(app):
    for name in ("nnlab_site_url", "nnlab_repository_url"):
        app.add_config_value(name, "", "")
"""
INDEX = """
# Small

```{toctree}
:numbered:
book/all
book/claims
```
```{bibliography}
```
"""
QUIZ = """
- question: Is $1 < 2$?
  choices:
    - {text: "Yes.", why: "By `1`.", right: true}
    - {text: "No.", why: "Count."}
"""
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 2" width="2pt" height="2pt">
<path d="M 0 0 L 1 1" style="fill: #123456"/></svg>"""
DOT = (  # one dot, a small PNG
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJg"
    "gg=="
)


def glued(name: str, value: object) -> NotebookNode:
    """The output of a cell that glues a value."""
    kind = "application/papermill.record/"
    metadata = {"scrapbook": {"name": name, "mime_prefix": kind}}
    return new_output("display_data", {f"{kind}text/plain": repr(value)}, metadata=metadata)


def cells_of_every_kind() -> list[NotebookNode]:
    picture = new_output("display_data", {"image/svg+xml": SVG, "text/plain": "<Figure>"})
    words = {"figure": {"caption": "A dot at $0$.", "name": "fig-one"}}
    words["image"] = {"alt": "A dot, and a $."}
    two = new_output("execute_result", {"text/plain": "2"})
    return [
        new_markdown_cell(PROSE),
        new_code_cell("import numpy as np", metadata={"tags": ["hide-input"]}),
        new_code_cell(
            "glue('pi', '3.14')", metadata={"tags": ["check"]}, outputs=[glued("pi", "3.14")]
        ),
        new_markdown_cell("Pi is {glue:text}`pi`."),
        new_code_cell("draw()  # $x$", metadata={"mystnb": words}, outputs=[picture]),
        new_code_cell("1", metadata={"tags": ["hide-cell"]}),
        new_markdown_cell(EXERCISE),
        new_code_cell("1 + 1", outputs=[two]),
        new_markdown_cell(":::{solution-end}\n:::\n\n## The end\n\nDone."),
    ]


def write_book(folder: Path, cells: list[NotebookNode]) -> Path:
    """Write a book with one chapter, which holds ``cells``."""
    kinds = [glued("claims-kinds", {"A5": "holds"})]
    claims = [
        new_markdown_cell("# Claims\n\n(ledger-a5)=\n## A5"),
        new_code_cell("judge()", metadata={"tags": ["check"]}, outputs=kinds),
    ]
    python = {"name": "python", "pygments_lexer": "ipython3"}
    nb = new_notebook(cells=cells, metadata={"language_info": python})
    (folder / "book" / "quizzes").mkdir(parents=True)
    (folder / "book" / "quizzes" / "all.yml").write_text(QUIZ)
    nbformat.write(nb, folder / "book" / "all.ipynb")
    ledger = new_notebook(cells=claims, metadata={"language_info": python})
    nbformat.write(ledger, folder / "book" / "claims.ipynb")
    (folder / "book" / "dot.png").write_bytes(base64.b64decode(DOT))
    (folder / "index.md").write_text(INDEX)
    (folder / "conf.py").write_text(CONF.format(extensions=str(EXTENSIONS)))
    reference = "@book{One, author={Ann One}, title={Ones}, publisher={P}, year={2001}}"
    (folder / "references.bib").write_text(reference)
    return folder


def sphinx(builder: str, *more: str) -> list[str]:
    """The command that builds a book with plain Sphinx, warnings as errors."""
    strict = ["-W", "-n", "--keep-going", "-d", "_build/doctrees"]
    return [sys.executable, "-m", "sphinx", "-b", builder, *strict, *more, ".", f"_build/{builder}"]


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """The small book: its site, and its run copies with an address."""
    folder = write_book(tmp_path_factory.mktemp("small"), cells_of_every_kind())
    build(folder, sphinx("html"))
    address = ["-D", f"nnlab_site_url={SITE}", "-D", f"nnlab_repository_url={REPOSITORY}"]
    build(folder, sphinx("notebooks", *address))
    return folder / "_build"


def test_every_construct_becomes_plain_markdown(small):
    nb = read(small / "html" / "book" / "all.ipynb")
    assert [cell.source.replace(DOT, "DOT") for cell in nb.cells[1:]] == COPY


def test_every_word_of_the_small_page_is_in_its_copy(small):
    html = (small / "html" / "book" / "all.html").read_text(encoding="utf-8")
    assert words_of_copy(read(small / "html" / "book" / "all.ipynb")) == words_of_page(html)


def test_cells_are_folded_as_on_the_page(small):
    nb = read(small / "html" / "book" / "all.ipynb")
    hidden = [
        c.source for c in code(nb)[1:] if c.metadata.get("jupyter") == {"source_hidden": True}
    ]
    assert hidden == ["import numpy as np", "1"]
    closed = [c.source for c in nb.cells if c.metadata.get("jp-MarkdownHeadingCollapsed")]
    assert closed == ["### Solution to Exercise 1.1 (Add)"]


def test_links_lead_to_the_pages_of_the_site(small):
    text = read(small / "notebooks" / "all.ipynb").cells[1].source
    links = dict(re.findall(r"\[([^\[\]]*)\]\((.*?)\)", text))
    page = f"{SITE}/book/all.html"
    assert links.pop("2001").startswith(f"{SITE}/index.html#")  # the bibliography
    assert links == {
        "Claims": f"{SITE}/book/claims.html",
        "the start": f"{page}#start",
        "(1.1)": f"{page}#equation-eq-one",
        "Theorem 1.1": f"{page}#thm-one",
        "Fig. 1.1": f"{page}#fig-one",
        "Exercise 1.1": f"{page}#ex-one",
        "logit": f"{page}#term-logit",
        "A page": "https://example.org/a_b",
        "A5: true": f"{SITE}/book/claims.html#ledger-a5",
        "A red dot.": f"data:image/png;base64,{DOT}",
    }


def test_the_variant_of_the_small_book_has_no_solution(small):
    nb = read(small / "notebooks" / "without_solutions" / "all.ipynb")
    solution = COPY.index("### Solution to Exercise 1.1 (Add)")
    assert [cell.source for cell in nb.cells[2:]] == COPY[1:solution] + COPY[solution + 3 :]


def downloads(html: str) -> list[str]:
    links = bs4.BeautifulSoup(html, "html.parser").select("a[href]")
    return [link["href"] for link in links if link["href"].endswith((".ipynb", ".md"))]


def test_the_small_page_offers_its_copy_and_not_its_source(small):
    html = (small / "html" / "book" / "all.html").read_text(encoding="utf-8")
    assert downloads(html) == ["all.ipynb"]
    assert "_sources" not in html


def test_what_would_be_lost_or_folded_away_stops_the_build(tmp_path):
    unknown = "# Title\n\n```{hlist}\n- a\n```\n"
    folded = EXERCISE + "\n:::{solution-end}\n:::\n\nNot in the solution."
    folder = write_book(tmp_path, [new_markdown_cell(unknown), new_markdown_cell(folded)])
    done = subprocess.run(sphinx("notebooks"), cwd=folder, capture_output=True, encoding="utf-8")
    assert done.returncode != 0
    assert "run copies do not know 'hlist'" in done.stderr
    assert "this would be folded with the solution before it" in done.stderr


# The first cell


def set_up(nb: NotebookNode, folder: Path, *python: str) -> subprocess.CompletedProcess:
    """Run the first cell in ``folder``; instead of installing it prints what it would install."""
    script = f"import subprocess\nsubprocess.check_call = print\n{nb.cells[0].source}"
    return subprocess.run(
        [sys.executable, *python, "-c", script], cwd=folder, capture_output=True, encoding="utf-8"
    )


BARE = ("-I", "-S")  # nothing but Python


def test_it_says_nothing_if_all_is_there(small, tmp_path):
    done = set_up(read(small / "notebooks" / "all.ipynb"), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_installs_what_is_missing_from_the_address(small, tmp_path):
    done = set_up(read(small / "notebooks" / "all.ipynb"), tmp_path, *BARE)
    assert done.returncode == 0, done.stderr
    assert "'-m', 'pip', 'install'" in done.stdout
    assert "'numpy>=2'" in done.stdout
    assert f"'nnlab @ git+{REPOSITORY}'" in done.stdout


def test_it_takes_a_wheel_that_lies_beside_it(small, tmp_path):
    for version in ("0.1.0", "0.2.0"):
        (tmp_path / f"nnlab-{version}-py3-none-any.whl").touch()
    done = set_up(read(small / "notebooks" / "all.ipynb"), tmp_path, *BARE)
    assert re.findall(r"[^']*nnlab[^']*", done.stdout) == [
        str(tmp_path / "nnlab-0.2.0-py3-none-any.whl")
    ]


def test_it_finds_the_engine_of_a_clone(small):
    folder = ROOT / "tests"
    done = set_up(read(small / "html" / "book" / "all.ipynb"), folder, *BARE)
    assert done.returncode == 0, done.stderr
    assert "'numpy>=2'" in done.stdout
    assert "nnlab" not in done.stdout


def test_without_an_address_it_never_asks_the_index_for_nnlab(small, tmp_path):
    done = set_up(read(small / "html" / "book" / "all.ipynb"), tmp_path, *BARE)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "nnlab, the engine of this course, is not here" in done.stderr


# The chapters

MARKUP = {
    "directive": r"^\W*(?::{3,}|`{3,}|~{3,})\s*\{",
    "end of a directive": r"^\s*:{3,}\s*$",
    "role": r"\{[\w:+.-]+\}`",
    "glue": r"glue",
    "label": r"^\s*\(\S+\)=\s*$",
    "option": r"^\s*:[a-z-]+:(?:\s|$)",
    "comment": r"^%",
}


def markup(text: str) -> list[str]:
    """The kinds of Sphinx's markup in a text."""
    return [kind for kind, regex in MARKUP.items() if re.search(regex, text, flags=re.MULTILINE)]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("> :::{note}", "directive"),
        ("```{math}", "directive"),
        (":::", "end of a directive"),
        ("a {term}`logit`", "role"),
        ("{glue:}`x`", "glue"),
        ("(start)=", "label"),
        (":label: x", "option"),
        ("% a comment", "comment"),
    ],
)
def test_markup_is_found(source, kind):
    assert kind in markup(source)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_copy_has_no_markup(chapter):
    for nb in (read(copies() / f"{chapter}.ipynb"), without_solutions(chapter)):
        assert {cell: found for cell in text(nb) if (found := markup(cell))} == {}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_word_of_the_page_is_in_the_copy(chapter):
    html = (built() / "book" / f"{chapter}.html").read_text(encoding="utf-8")
    assert words_of_copy(read(copies() / f"{chapter}.ipynb")) == words_of_page(html)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_copy_has_the_code_of_the_chapter_and_no_outputs(chapter):
    nb = read(copies() / f"{chapter}.ipynb")
    nbformat.validate(nb)
    visible = [cell for cell in code(source(chapter)) if "check" not in tags(cell)]
    first, *others = code(nb)
    assert first == nb.cells[0]
    assert [(cell.id, cell.source) for cell in others] == [(c.id, c.source) for c in visible]
    assert not any(cell.outputs or cell.execution_count for cell in code(nb))
    assert "widgets" not in nb.metadata


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_what_a_picture_shows_is_said_in_words(chapter):
    kept = "\n".join(text(read(copies() / f"{chapter}.ipynb")))
    for cell in code(source(chapter)):
        if alt := cell.metadata.get("mystnb", {}).get("image", {}).get("alt"):
            shown = bs4.BeautifulSoup(MARKDOWN.render(kept), "html.parser").get_text()
            assert " ".join(alt.split()) in " ".join(shown.split())


def without_solutions(chapter: str) -> NotebookNode:
    return read(copies() / "without_solutions" / f"{chapter}.ipynb")


def solutions_taken_out(nb: NotebookNode) -> list[str]:
    """The cells of a copy, without what a closed heading "Solution" hides."""
    kept, closed = [], False
    for cell in nb.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            closed = cell.metadata.get("jp-MarkdownHeadingCollapsed", False)
        if not closed:
            kept.append(cell.source)
    return kept


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_variant_lacks_the_solutions_and_nothing_else(chapter):
    variant = without_solutions(chapter)
    nbformat.validate(variant)
    assert not any("Solution to" in cell for cell in text(variant))
    full = solutions_taken_out(read(copies() / f"{chapter}.ipynb"))
    assert [cell.source for cell in variant.cells[1:]] == full[1:]


def test_solutions_are_where_the_chapters_have_them():
    """Or the test above would compare nothing."""
    for chapter in CHAPTERS:
        prose = "\n".join(text(source(chapter)))
        closed = [
            c
            for c in read(copies() / f"{chapter}.ipynb").cells
            if c.metadata.get("jp-MarkdownHeadingCollapsed")
        ]
        assert len(closed) == len(re.findall(r"\{solution(?:-start)?\}", prose))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_cell_needs_a_name_that_a_cell_left_out_defines(chapter):
    for folder in (copies(), copies() / "without_solutions"):
        ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821"]
        build(folder, [*ruff, f"{chapter}.ipynb"])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_copy_needs_no_more_than_the_light_install(chapter):
    first = read(copies() / f"{chapter}.ipynb").cells[0]
    needed = set(re.findall(r'^    "([\w-]+)": "', first.source, flags=re.MULTILINE))
    assert "numpy" in needed
    ours = [Requirement(line) for line in requires("nnlab")]
    light = {one.name for one in ours if not one.marker or one.marker.evaluate({"extra": "run"})}
    assert needed <= {*light, "ipython"}  # every kernel has that one


BLOCKER = """
import sys


class NotThere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"jupyter_book", "myst_nb", "myst_parser", "sphinx"}:
            raise ModuleNotFoundError(f"a run copy needs {name}")


sys.meta_path.insert(0, NotThere())
"""


def printed(cell: NotebookNode) -> str:
    """What a cell shows as text."""
    shown = [output.get("text") or output.data.get("text/plain", "") for output in cell.outputs]
    return "".join(shown)


def test_a_copy_runs_anywhere_and_prints_what_the_chapter_prints(tmp_path, monkeypatch):
    """Of the quickest chapter; for the others it follows.

    The cells of their copies are theirs (see above), which need nothing of the cells left out
    (above and test_watch.py), no file beside them (test_watch.py), and no package of the book.
    """
    chapter = CHAPTERS[0]
    nb = read(copies() / f"{chapter}.ipynb")
    (tmp_path / "empty").mkdir()
    (tmp_path / "sitecustomize.py").write_text(BLOCKER)
    paths = [str(tmp_path), str(ROOT / "src")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    run(nb, tmp_path / "empty")
    saved = {cell.id: cell for cell in code(source(chapter))}
    first, *others = code(nb)
    assert first.outputs == []
    compared = [cell for cell in others if "nbval-ignore-output" not in tags(cell)]
    assert [printed(cell) for cell in compared] == [printed(saved[cell.id]) for cell in compared]
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_download_button_gives_the_copy(chapter):
    folder = built() / "book"
    links = downloads((folder / f"{chapter}.html").read_text(encoding="utf-8"))
    assert links == [f"{chapter}.ipynb"]
    assert (folder / links[0]).read_bytes() == (copies() / links[0]).read_bytes()


def test_no_page_offers_its_source():
    for page in built().rglob("*.html"):
        assert 'href="_sources' not in (html := page.read_text(encoding="utf-8"))
        assert "/_sources/" not in html
