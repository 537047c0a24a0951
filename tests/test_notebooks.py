"""Every committed chapter was run from top to bottom, and its saved outputs are fit to print.

Each check returns a list of complaints about one notebook; no complaint means that it passes.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from outputs import pictures

BOOK = Path(__file__).parent.parent / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))
MAX_LINES = 15
WIDGETS = "application/vnd.jupyter.widget-state+json"


# What there is to look at


def code_cells(nb: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def tree(cell: NotebookNode) -> ast.Module:
    """The syntax tree of a cell; IPython's % and ! lines count as nothing."""
    return ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", cell.source, flags=re.MULTILINE))


def strings(value: object) -> Iterator[str]:
    """Every string inside ``value``, without the bytes of embedded pictures."""
    if isinstance(value, str):
        yield re.sub(r"base64,[\w+/=\s]+", "base64,", value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not key.startswith("image/") or key == "image/svg+xml":
                yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def saved_text(nb: NotebookNode) -> str:
    """All text that the saved outputs and widgets hold."""
    outputs = [output for cell in code_cells(nb) for output in cell.outputs]
    return "\n".join(strings([*outputs, nb.metadata.get("widgets", {})]))


# Checks of one chapter


def check_title(nb: NotebookNode) -> list[str]:
    first = nb.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        return ["the first cell has no title"]
    return []


def check_run_in_order(nb: NotebookNode) -> list[str]:
    counts = [cell.execution_count for cell in code_cells(nb)]
    if counts != list(range(1, len(counts) + 1)):
        return [f"not run from top to bottom: execution counts {counts}"]
    return []


def check_no_errors(nb: NotebookNode) -> list[str]:
    complaints = []
    for cell in code_cells(nb):
        for output in cell.outputs:
            if output.output_type == "error":
                complaints.append(f"cell {cell.execution_count} failed: {output.ename}")
            if output.get("name") == "stderr":
                complaints.append(f"cell {cell.execution_count} wrote to stderr: {output.text!r}")
    if "Traceback (most recent call last)" in saved_text(nb):
        complaints.append("an output shows a traceback")
    return complaints


def check_nothing_of_this_machine(nb: NotebookNode) -> list[str]:
    found = re.findall(
        r"/(?:home|root|tmp|Users)/\S*|\b[A-Za-z]:\\\S*|\b0x[0-9a-fA-F]{6,}", saved_text(nb)
    )
    return [f"a path or a memory address in an output: {text}" for text in found]


def check_no_progress_bar(nb: NotebookNode) -> list[str]:
    state = nb.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    bars = [w.model_name for w in state.values() if w.model_name.endswith("ProgressModel")]
    bars += re.findall(r"\d+%\|.*", saved_text(nb))
    return [f"a progress bar was saved: {bar}" for bar in bars]


def check_ignored_cells_assert(nb: NotebookNode) -> list[str]:
    complaints = []
    for cell in code_cells(nb):
        # nbval takes its orders from tags and from comments.
        text = " ".join([cell.source, *cell.metadata.get("tags", [])]).lower().replace("_", "-")
        asserts = any(isinstance(node, ast.Assert) for node in ast.walk(tree(cell)))
        if "nbval-ignore-output" in text and not asserts:
            complaints.append(f"cell {cell.execution_count} is neither compared nor asserted")
        if "nbval-skip" in text:
            complaints.append(f"cell {cell.execution_count} is never tested")
    return complaints


def check_short_cells(nb: NotebookNode) -> list[str]:
    lengths = {cell.execution_count: len(cell.source.splitlines()) for cell in code_cells(nb)}
    return [
        f"cell {count} has {lines} lines, more than {MAX_LINES}"
        for count, lines in lengths.items()
        if lines > MAX_LINES
    ]


def check_alternative_text(nb: NotebookNode) -> list[str]:
    complaints = []
    for cell in code_cells(nb):
        # myst-nb puts this text on the picture.
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip()
        kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
        if any(kind.startswith("image/") for kind in kinds) and not alt:
            complaints.append(f"the picture of cell {cell.execution_count} has no alternative text")
    prose = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    for picture in re.findall(r"!\[\s*\]\([^)]*\)|<img\b[^>]*>", prose + saved_text(nb)):
        if not re.search(r"""\balt=(["'])\s*\S.*?\1""", picture):
            complaints.append(f"no alternative text: {picture[:80]}")
    return complaints


def check_engine_is_installed(nb: NotebookNode) -> list[str]:
    return [
        f"cell {cell.execution_count} patches sys.path"
        for cell in code_cells(nb)
        if "sys.path" in cell.source
    ]


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]


def shared_definitions(chapters: dict[str, NotebookNode]) -> list[str]:
    """Complain about every function or class that two chapters define."""
    where: dict[str, set[str]] = {}
    for chapter, nb in chapters.items():
        for node in (node for cell in code_cells(nb) for node in ast.walk(tree(cell))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                where.setdefault(node.name, set()).add(chapter)
    return [
        f"{name} is defined in {' and '.join(sorted(found))}: move it to nnlab"
        for name, found in where.items()
        if len(found) > 1
    ]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter(path, check):
    assert check(nbformat.read(path, as_version=4)) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_pictures_used_elsewhere_are_those_of_the_chapter(path):
    for name, png in pictures(nbformat.read(path, as_version=4)).items():
        assert (BOOK / name).read_bytes() == png


def test_no_function_is_defined_in_two_chapters():
    assert shared_definitions({p.stem: nbformat.read(p, as_version=4) for p in CHAPTERS}) == []


# Tests of the checks: a good notebook passes them all, and each flaw is found by its own check


def good() -> NotebookNode:
    """A small notebook that no check complains about."""
    picture = new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"})
    return new_notebook(
        cells=[
            new_markdown_cell("# Measure it\n\n![A falling curve.](images/curve.png)"),
            new_code_cell(
                "%matplotlib inline\nplot()",
                execution_count=1,
                outputs=[picture],
                metadata={"mystnb": {"image": {"alt": "The loss falls to 0.1."}}},
            ),
            new_code_cell(
                "loss = fit()\nassert loss < 0.2\nprint(loss)",
                execution_count=2,
                outputs=[new_output("stream", name="stdout", text="0.1 at 100 %\n")],
                metadata={"tags": ["nbval-ignore-output"]},
            ),
        ]
    )


def shows(text: str):
    """A flaw: the last cell's output is ``text``."""

    def flaw(nb: NotebookNode) -> None:
        nb.cells[-1].outputs = [new_output("stream", name="stdout", text=text)]

    return flaw


def shows_html(html: str):
    """A flaw: the last cell's output is ``html``."""

    def flaw(nb: NotebookNode) -> None:
        nb.cells[-1].outputs = [new_output("display_data", {"text/html": html})]

    return flaw


def fails(nb):
    error = new_output("error", ename="ValueError", evalue="no", traceback=["no"])
    nb.cells[-1].outputs = [error]


def warns(nb):
    nb.cells[-1].outputs[0].name = "stderr"


def keeps_a_bar(nb):
    nb.metadata["widgets"] = {WIDGETS: {"state": {"1": {"model_name": "FloatProgressModel"}}}}


def holds(source: str):
    """A flaw: the last cell's source is ``source``."""

    def flaw(nb: NotebookNode) -> None:
        nb.cells[-1].source = source

    return flaw


FLAWS = {
    "no title": (lambda nb: nb.cells.pop(0), check_title),
    "title too small": (lambda nb: nb.cells[0].update(source="## Measure"), check_title),
    "not run": (lambda nb: nb.cells[1].update(execution_count=None), check_run_in_order),
    "run twice": (lambda nb: nb.cells[2].update(execution_count=3), check_run_in_order),
    "error": (fails, check_no_errors),
    "stderr": (warns, check_no_errors),
    "traceback": (shows("Traceback (most recent call last):"), check_no_errors),
    "path": (shows("saved in /home" + "/ada/x.png"), check_nothing_of_this_machine),
    "Windows path": (shows(r"C:\Users\ada"), check_nothing_of_this_machine),
    "address": (shows("<function f at 0x7f3a10c2d1f0>"), check_nothing_of_this_machine),
    "bar": (keeps_a_bar, check_no_progress_bar),
    "bar as text": (shows(" 40%|####      | 4/10"), check_no_progress_bar),
    "no assert": (holds("print('assert')"), check_ignored_cells_assert),
    "skipped": (holds("# NBVAL_SKIP\nassert loss < 1"), check_ignored_cells_assert),
    "long cell": (holds("assert x\n" * (MAX_LINES + 1)), check_short_cells),
    "no alt": (lambda nb: nb.cells[1].metadata.pop("mystnb"), check_alternative_text),
    "empty alt": (
        lambda nb: nb.cells[1].metadata.mystnb.image.update(alt=" "),
        check_alternative_text,
    ),
    "no alt in prose": (
        lambda nb: nb.cells[0].update(source="# Measure it\n\n![](curve.png)"),
        check_alternative_text,
    ),
    "no alt in HTML": (shows_html('<img src="curve.png">'), check_alternative_text),
    "patched path": (
        lambda nb: nb.cells[1].update(source="sys.path.append('..')"),
        check_engine_is_installed,
    ),
}


def test_every_check_is_tested():
    assert {check for _, check in FLAWS.values()} == set(CHECKS)


def test_a_good_notebook_passes_every_check():
    assert [complaint for check in CHECKS for complaint in check(good())] == []


@pytest.mark.parametrize(("flaw", "found_by"), FLAWS.values(), ids=FLAWS)
def test_each_flaw_is_found_by_its_check_alone(flaw, found_by, tmp_path):
    nb = good()
    flaw(nb)
    nbformat.write(nb, tmp_path / "bad.ipynb")
    saved = nbformat.read(tmp_path / "bad.ipynb", as_version=4)
    assert [check.__name__ for check in CHECKS if check(saved)] == [found_by.__name__]


def test_pictures_are_not_read_as_text():
    nb = good()
    nb.cells[1].outputs[0].data["image/png"] = "/tmp/0x123456789abcdef"
    shows_html('<img alt="A curve." src="data:image/png;base64,/tmp/0x123456789abcdef">')(nb)
    assert [complaint for check in CHECKS for complaint in check(nb)] == []


def test_a_function_defined_twice_is_found():
    one, two, other = good(), good(), good()
    holds("def helper():\n    return 1")(one)
    holds("if x:\n    def helper():\n        return 2")(two)
    holds("def another():\n    return 3")(other)
    assert shared_definitions({"one": one, "other": other}) == []
    (complaint,) = shared_definitions({"one": one, "two": two})
    assert complaint.startswith("helper is defined in one and two")
