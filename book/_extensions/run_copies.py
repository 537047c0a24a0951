"""Run copies: each notebook of the book as an ordinary ``.ipynb`` that reads well anywhere.

The sources are written for Sphinx. A copy is made from the resolved page instead: its text is
plain Markdown with every number filled in, and its code cells are those that the page shows,
without outputs. Its first cell installs what is missing.

* ``python tests/website.py notebooks`` writes all copies into ``_build/notebooks``, and into
  ``without_solutions`` there a variant without solutions.
* The site has a copy beside each page, and its download button leads there.
"""

import posixpath
import shutil
from pathlib import Path

import nbformat
from docutils import nodes
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.util import logging
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

from plain_markdown import PlainMarkdown, escaped, folded
from set_up import set_up_cell

LOGGER = logging.getLogger(__name__)

PYTHON, ENGINE = "python-3.11", "nnlab[run] @ git+"
HIDDEN = {"hide-input", "hide-cell"}


class RunCopy:
    """The cells of one copy, from the resolved page and the notebook that it was made from."""

    def __init__(
        self, page: PlainMarkdown, source: nbformat.NotebookNode, *, solutions: bool
    ) -> None:
        self.page, self.source, self.solutions = page, source, solutions
        self.cells: list[nbformat.NotebookNode] = []
        self.text: list[str] = []
        self.folding = False  # a folded part hides all that follows it, up to the next heading

    def notebook(self, document: nodes.document, engine: str) -> nbformat.NotebookNode:
        self.flow(document.children, 0)
        self.close()
        set_up = set_up_cell(self.code(), engine)
        known = ("kernelspec", "language_info")
        metadata = {key: self.source.metadata[key] for key in known if key in self.source.metadata}
        return new_notebook(cells=[set_up, *self.cells], metadata=metadata)

    def code(self) -> list[str]:
        return [cell.source for cell in self.cells if cell.cell_type == "code"]

    def close(self, **metadata: object) -> None:
        """End the cell of text that is being written."""
        if self.text:
            cell = new_markdown_cell(
                "\n\n".join(self.text), id=f"text-{len(self.cells)}", metadata=metadata
            )
            self.cells.append(cell)
            self.text = []

    def flow(self, children: list[nodes.Node], level: int) -> None:
        """Add what stands one after the other, below a heading of the given level."""
        for node in children:
            if isinstance(node, nodes.section):
                self.head(self.page.heading(node, level + 1))
                self.flow(node.children[1:], level + 1)
            elif isinstance(node, solution_node | exercise_node | exercise_enumerable_node):
                self.exercise(node, level + 1)
            elif isinstance(node, nodes.container) and node.get("nb_element") == "cell_code":
                self.unfolded(node)
                self.add_code(node)
            elif text := self.page.render(node):
                self.unfolded(node)
                self.text.append(text)

    def head(self, heading: str) -> None:
        """Start a cell with a heading, under which a notebook folds what follows."""
        self.close()
        self.text = [heading]
        self.folding = False

    def unfolded(self, node: nodes.Node) -> None:
        if self.folding:
            LOGGER.warning(
                "this would be folded with the solution before it: let a section start here",
                location=node,
                type="run_copy",
            )

    def exercise(self, node: nodes.Element, level: int) -> None:
        """An exercise is a heading, and so is a solution, folded; both may hold code cells."""
        solution = isinstance(node, solution_node)
        if solution and not self.solutions:
            return
        self.head(f"{'#' * level} {self.page.title(node)}")
        if solution:
            self.close(**{"jp-MarkdownHeadingCollapsed": True})
        for part in self.page.body(node):
            self.flow(part.children if isinstance(part, nodes.section) else [part], level)
        self.folding = solution

    def add_code(self, node: nodes.container) -> None:
        cell = self.source.cells[node["cell_index"]]
        tags = cell.metadata.get("tags", [])
        self.close()
        metadata = {"tags": tags} if tags else {}
        if HIDDEN & set(tags):
            metadata["jupyter"] = {"source_hidden": True}
        self.cells.append(new_code_cell(cell.source, id=cell.id, metadata=metadata))
        # The picture comes when the cell is run. What it shows is said in words, as on the page.
        self.text += [
            self.page.render(caption)
            for output in node.findall(nodes.container)
            if output.get("nb_element") == "cell_code_output"
            for caption in output.findall(nodes.caption)
        ]
        if alt := cell.metadata.get("mystnb", {}).get("image", {}).get("alt"):
            self.text.append(folded("The picture in words", escaped(alt)))


class RunCopies(Builder):
    """Writes the run copies of all notebooks."""

    name = "notebooks"
    epilog = "The run copies are in %(outdir)s."

    def init(self) -> None:
        self.site = self.config.nnlab_site_url.rstrip("/")

    def get_outdated_docs(self) -> list[str]:
        return [name for name in sorted(self.env.found_docs) if self.is_notebook(name)]

    def is_notebook(self, docname: str) -> bool:
        return self.env.doc2path(docname).endswith(".ipynb")

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        return f"{self.site}/{docname}.html"

    def get_relative_uri(self, from_: str, to: str, typ: str | None = None) -> str:
        return self.get_target_uri(to)

    def prepare_writing(self, docnames: set[str]) -> None:
        for old in [*Path(self.outdir).rglob("*.ipynb"), *Path(self.outdir).glob("*.txt")]:
            old.unlink()

    def write_doc(self, docname: str, doctree: nodes.document) -> None:
        if self.is_notebook(docname):
            name = f"{posixpath.basename(docname)}.ipynb"
            self.save(docname, doctree, Path(self.outdir, name))
            variant = Path(self.outdir, "without_solutions", name)
            self.save(docname, doctree, variant, solutions=False)

    def finish(self) -> None:
        """Say to Binder what the copies need: the Python that it has by itself is too old."""
        if address := self.config.nnlab_repository_url:
            for name, text in [("runtime.txt", PYTHON), ("requirements.txt", ENGINE + address)]:
                Path(self.outdir, name).write_text(f"{text}\n", encoding="utf-8")

    def save(
        self, docname: str, doctree: nodes.document, path: Path, *, solutions: bool = True
    ) -> None:
        source = nbformat.read(self.env.doc2path(docname), as_version=4)
        address = self.config.nnlab_repository_url
        copy = RunCopy(PlainMarkdown(self, docname), source, solutions=solutions)
        notebook = copy.notebook(doctree, f"nnlab @ git+{address}" if address else "")
        nbformat.validate(notebook)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


def tidy(app: Sphinx, error: Exception | None) -> None:
    """Remove the style sheets that some extensions write whatever is built."""
    if app.builder.name == RunCopies.name:
        shutil.rmtree(Path(app.outdir, "_static"), ignore_errors=True)


def beside_the_pages(app: Sphinx) -> list:
    """Write the copies that the pages' download buttons lead to, when the pages are written."""
    site = app.builder
    if site.name == "html":
        copies = RunCopies(app, app.env)
        copies.init()
        app.builder = copies  # which the transforms of a page ask how they link
        for docname in copies.get_outdated_docs():
            doctree = app.env.get_and_resolve_doctree(docname, copies)
            copies.save(docname, doctree, Path(app.outdir, f"{docname}.ipynb"))
        app.builder = site
    return []  # no page of ours


def lead_to_the_copy(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """Let the download button give the run copy; nobody can run or read the source elsewhere."""
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            ours = [b for b in group["buttons"] if b["label"] != "download-source-button"]
            if context.get("page_source_suffix") == ".ipynb":
                copy = {
                    "type": "link",
                    "url": f"{posixpath.basename(pagename)}.ipynb",
                    "text": ".ipynb",
                    "icon": "fas fa-code",
                    "tooltip": "Download notebook file",
                    "label": "download-notebook-button",
                }
                ours.insert(0, copy)
            group["buttons"] = ours


def choose_outputs(app: Sphinx, config) -> None:
    """Say which output a copy's captions are taken from; the outputs themselves are left out."""
    kinds = ["image/svg+xml", "image/png", "text/plain", "text/html", "text/markdown"]
    kinds.append("application/vnd.jupyter.widget-view+json")
    config.nb_mime_priority_overrides = [
        *config.nb_mime_priority_overrides,
        *((RunCopies.name, kind, rank) for rank, kind in enumerate(kinds)),
    ]


def setup(app: Sphinx) -> dict:
    app.add_builder(RunCopies)
    app.setup_extension("quizzes")
    app.connect("config-inited", choose_outputs)
    app.connect("build-finished", tidy, priority=900)
    app.connect("html-collect-pages", beside_the_pages)
    app.connect("html-page-context", lead_to_the_copy, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
