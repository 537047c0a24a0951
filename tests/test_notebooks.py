"""Every committed chapter was run from top to bottom, and its saved outputs are fit to print.

Each check returns a list of complaints about one notebook; no complaint means that it passes.
"""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from cells import names, tree
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from outputs import pictures

BOOK = Path(__file__).parent.parent / "book"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))
MAX_LINES = 15
MAX_LETTERS = 79  # a page is narrower than an editor
WIDGETS = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"


# What there is to look at


def code_cells(nb: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def only_checks(cell: NotebookNode) -> bool:
    """Whether a cell glues numbers or asserts, and is neither on the page nor in run copies."""
    return "check" in cell.metadata.get("tags", [])


def asserts(cell: NotebookNode) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(tree(cell.source)))


def draws(cell: NotebookNode) -> bool:
    """Whether a cell shows a picture."""
    return any(kind.startswith("image/") for out in cell.outputs for kind in out.get("data", {}))


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


def check_ignored_cells_are_asserted(nb: NotebookNode) -> list[str]:
    complaints = []
    cells = code_cells(nb)
    for cell, after in pairwise([*cells, None]):
        # nbval takes its orders from tags and from comments.
        text = " ".join([cell.source, *cell.metadata.get("tags", [])]).lower().replace("_", "-")
        asserted = asserts(cell) or (after and only_checks(after) and asserts(after))
        if "nbval-ignore-output" in text and not asserted:
            complaints.append(f"cell {cell.execution_count} is neither compared nor asserted")
        if "nbval-skip" in text:
            complaints.append(f"cell {cell.execution_count} is never tested")
    return complaints


def check_page_does_not_test(nb: NotebookNode) -> list[str]:
    return [
        f"cell {cell.execution_count} glues or asserts: tag it check, or move that to a check cell"
        for cell in code_cells(nb)
        if not only_checks(cell) and (asserts(cell) or "glue" in set.union(*names(cell.source)))
    ]


def check_page_needs_no_check_cell(nb: NotebookNode) -> list[str]:
    complaints = []
    from_checks: set[str] = set()
    for cell in code_cells(nb):
        read, own = names(cell.source)
        if only_checks(cell):
            from_checks |= own
            continue
        complaints += [
            f"cell {cell.execution_count} needs {name}, which a check cell has set"
            for name in sorted(read & from_checks)
        ]
        from_checks -= own
    return complaints


def check_short_lines(nb: NotebookNode) -> list[str]:
    return [
        f"a line of cell {cell.execution_count} has more than {MAX_LETTERS} letters: {line}"
        for cell in code_cells(nb)
        if not only_checks(cell)
        for line in cell.source.splitlines()
        if len(line) > MAX_LETTERS
    ]


def check_short_cells(nb: NotebookNode) -> list[str]:
    lengths = {cell.execution_count: len(cell.source.splitlines()) for cell in code_cells(nb)}
    return [
        f"cell {count} has {lines} lines, more than {MAX_LINES}"
        for count, lines in lengths.items()
        if lines > MAX_LINES
    ]


def check_figures_are_saved(nb: NotebookNode) -> list[str]:
    return [
        f"cell {cell.execution_count} draws a figure, but none is saved: run `make outputs`"
        for cell in code_cells(nb)
        if "plt.show()" in cell.source and not draws(cell)
    ]


def check_explorers_are_saved(nb: NotebookNode) -> list[str]:
    state = nb.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    return [
        f"the widget of cell {cell.execution_count} is not saved: run `make outputs`"
        for cell in code_cells(nb)
        for output in cell.outputs
        if VIEW in output.get("data", {}) and output.data[VIEW]["model_id"] not in state
    ]


def check_captions(nb: NotebookNode) -> list[str]:
    complaints = []
    for cell in code_cells(nb):
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if draws(cell) and not re.fullmatch(r"\S.*[.?!]", figure.get("caption", ""), re.DOTALL):
            complaints.append(f"the picture of cell {cell.execution_count} has no caption")
        if draws(cell) and not re.fullmatch(r"fig-[\w-]+", figure.get("name", "")):
            complaints.append(f"the picture of cell {cell.execution_count} has no name fig-…")
    return complaints


def check_alternative_text(nb: NotebookNode) -> list[str]:
    complaints = []
    for cell in code_cells(nb):
        # myst-nb puts this text on the picture.
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip()
        if draws(cell) and not alt:
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
        for node in (n for cell in code_cells(nb) for n in ast.walk(tree(cell.source))):
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
    shown = {
        "image": {"alt": "The loss falls to 0.1."},
        "figure": {"caption": "The loss falls.", "name": "fig-loss"},
    }
    return new_notebook(
        cells=[
            new_markdown_cell("# Measure it\n\n![A falling curve.](images/curve.png)"),
            new_code_cell(
                "%matplotlib inline\nplt.show()",
                execution_count=1,
                outputs=[picture],
                metadata={"mystnb": shown},
            ),
            new_code_cell(
                "loss = fit()\nprint(loss)",
                execution_count=2,
                outputs=[new_output("stream", name="stdout", text="0.1 at 100 %\n")],
                metadata={"tags": ["nbval-ignore-output"]},
            ),
            new_code_cell(
                f"low = loss < 0.2\nassert low, '{'a long line, which nobody sees ' * 3}'",
                execution_count=3,
                metadata={"tags": ["check"]},
            ),
            new_code_cell(
                "low = 0.3\nexplore(low)",
                execution_count=4,
                outputs=[new_output("display_data", {VIEW: {"model_id": "1"}})],
            ),
            new_code_cell("print('end')", execution_count=5),
        ],
        metadata={"widgets": {WIDGETS: {"state": {"1": {"model_name": "VBoxModel"}}}}},
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
    nb.cells[-1].outputs = [new_output("stream", name="stderr", text="Warning")]


def keeps_a_bar(nb):
    nb.metadata.widgets[WIDGETS].state["2"] = {"model_name": "FloatProgressModel"}


IGNORED = {"tags": ["nbval-ignore-output"]}


def holds(source: str):
    """A flaw: the last cell's source is ``source``."""

    def flaw(nb: NotebookNode) -> None:
        nb.cells[-1].source = source

    return flaw


def changes(number: int, **fields):
    """A flaw: a cell's fields are others."""
    return lambda nb: nb.cells[number].update(fields)


FLAWS = {
    "no title": (lambda nb: nb.cells.pop(0), check_title),
    "title too small": (changes(0, source="## Measure"), check_title),
    "not run": (changes(1, execution_count=None), check_run_in_order),
    "run twice": (changes(2, execution_count=3), check_run_in_order),
    "error": (fails, check_no_errors),
    "stderr": (warns, check_no_errors),
    "traceback": (shows("Traceback (most recent call last):"), check_no_errors),
    "path": (shows("saved in /home" + "/ada/x.png"), check_nothing_of_this_machine),
    "Windows path": (shows(r"C:\Users\ada"), check_nothing_of_this_machine),
    "address": (shows("<function f at 0x7f3a10c2d1f0>"), check_nothing_of_this_machine),
    "bar": (keeps_a_bar, check_no_progress_bar),
    "bar as text": (shows(" 40%|####      | 4/10"), check_no_progress_bar),
    "no assert": (changes(3, source="print('assert')"), check_ignored_cells_are_asserted),
    "assert too late": (
        lambda nb: nb.cells[2].update(metadata={}) or nb.cells[4].update(metadata=IGNORED),
        check_ignored_cells_are_asserted,
    ),
    "skipped": (holds("# NBVAL_SKIP\nx = 1"), check_ignored_cells_are_asserted),
    "assert on the page": (holds("assert 1"), check_page_does_not_test),
    "assert in a function": (holds("def f():\n    assert 1"), check_page_does_not_test),
    "glue on the page": (holds("glue('x', 1)"), check_page_does_not_test),
    "glue imported": (holds("from myst_nb import glue"), check_page_does_not_test),
    "check cell needed": (changes(4, source="explore(low)"), check_page_needs_no_check_cell),
    "check cell needed in a function": (
        changes(4, source="def look(x):\n    return low + x"),
        check_page_needs_no_check_cell,
    ),
    "long line": (holds(f"print('{'x' * MAX_LETTERS}')"), check_short_lines),
    "long cell": (holds("print(1)\n" * (MAX_LINES + 1)), check_short_cells),
    "no figure": (changes(1, outputs=[]), check_figures_are_saved),
    "no widgets": (lambda nb: nb.metadata.pop("widgets"), check_explorers_are_saved),
    "no state": (
        lambda nb: nb.metadata["widgets"][WIDGETS].pop("state"),
        check_explorers_are_saved,
    ),
    "no caption": (lambda nb: nb.cells[1].metadata.mystnb.figure.pop("caption"), check_captions),
    "caption without end": (
        lambda nb: nb.cells[1].metadata.mystnb.figure.update(caption="The loss"),
        check_captions,
    ),
    "no name": (lambda nb: nb.cells[1].metadata.mystnb.figure.pop("name"), check_captions),
    "no alt": (lambda nb: nb.cells[1].metadata.mystnb.pop("image"), check_alternative_text),
    "empty alt": (
        lambda nb: nb.cells[1].metadata.mystnb.image.update(alt=" "),
        check_alternative_text,
    ),
    "no alt in prose": (
        changes(0, source="# Measure it\n\n![](curve.png)"),
        check_alternative_text,
    ),
    "no alt in HTML": (shows_html('<img src="curve.png">'), check_alternative_text),
    "patched path": (holds("sys.path.append('..')"), check_engine_is_installed),
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
