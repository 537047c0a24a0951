"""Reads what a student handed in, whatever it is, and puts the answers into a copy of ours."""

import json
import os
import stat
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader import utils

MEGABYTES = 50  # a notebook with pictures has 1 to 10
CELLS = 2000


class Ungradable(ValueError):
    """Why a submission cannot be graded, for the instructor."""


def find(folder: Path, name: str) -> tuple[Path, list[str]]:
    """The notebook in a student's folder, and what is to say about its name."""
    found = sorted(path for path in folder.glob("*.ipynb"))
    exact = folder / f"{name}.ipynb"
    if exact in found:
        return exact, []
    if len(found) == 1:
        return found[0], [f"took {found[0].name} for {exact.name}"]
    if not found:
        others = sorted(path.name for path in folder.iterdir()) or ["nothing"]
        raise Ungradable(f"there is no notebook {exact.name}; there is {', '.join(others[:5])}")
    raise Ungradable(f"there is no {exact.name}, and more than one other notebook")


def read(path: Path) -> list[NotebookNode]:
    """The cells of a submitted file, by a parser that takes all that Jupyter would open."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Ungradable(f"{path.name} cannot be opened ({error.strerror})") from None
    with os.fdopen(file, "rb") as stream:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise Ungradable(f"{path.name} is not an ordinary file")
        if status.st_size > MEGABYTES << 20:
            size = status.st_size >> 20
            raise Ungradable(f"{path.name} has {size} MB, and {MEGABYTES} is the limit")
        data = stream.read()
    if not data.strip():
        raise Ungradable(f"{path.name} is empty")
    if data.lstrip()[:1] == b"<":
        raise Ungradable(f"{path.name} is a web page (HTML), not a notebook")
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError):
        raise Ungradable(f"{path.name} is damaged: it is not valid JSON") from None
    try:
        if "worksheets" in notebook:
            notebook = nbformat.convert(nbformat.from_dict(notebook), 4)
        cells = [plain(cell) for cell in notebook["cells"][:CELLS]]
    except Exception:  # of any kind, from nbformat's conversion of what is not its format
        raise Ungradable(f"{path.name} is JSON, but not a notebook") from None
    if not cells:
        raise Ungradable(f"{path.name} has no cells")
    return cells


def plain(cell: dict) -> NotebookNode:
    """What grading needs of a cell: its type, text, id and nbgrader's id."""
    source = cell.get("source", "")
    source = source if isinstance(source, str) else "".join(source)
    source = source.encode("utf-8", "replace").decode().replace("\0", "")
    metadata = cell.get("metadata")
    metadata = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = metadata.get("grade_id") if isinstance(metadata, dict) else None
    return NotebookNode(
        code=cell.get("cell_type") == "code",
        source=source,
        id=str(cell.get("id")),
        grade_id=grade_id if isinstance(grade_id, str) else None,
    )


def merge(ours: NotebookNode, cells: list[NotebookNode]) -> tuple[NotebookNode, list[str]]:
    """Our notebook, tests and all, with the student's answers in it.

    An answer is known by its nbgrader id, then by its cell id. The student's own cells stay where
    they were, as plain ones; a second cell with an answer's id is such a cell. Changed, copied and
    unlocked tests are ours again.
    """
    names = {cell.metadata.nbgrader.grade_id: i for i, cell in enumerate(ours.cells) if known(cell)}
    ids = {cell.id: i for i, cell in enumerate(ours.cells)}
    sources = {cell.source: i for i, cell in enumerate(ours.cells) if not known(cell)}
    merged = deepcopy(ours)
    answered: set[int] = set()
    own: dict[int, list[NotebookNode]] = {}
    place, notes = -1, []
    for cell in cells:
        index = names.get(cell.grade_id, ids.get(cell.id, sources.get(cell.source)))
        if index is not None and index not in answered:
            place = max(place, index)
            answered.add(index)
            if open_to_students(ours.cells[index]):
                merged.cells[index].source = cell.source
        elif index is not None and (locked(ours.cells[index]) or not cell.code):
            if known(ours.cells[index]):
                notes.append(f"left out a copy of {cell.grade_id or cell.id}")
        elif cell.source.strip():
            new = new_code_cell if cell.code else new_markdown_cell
            own.setdefault(place, []).append(new(cell.source))
    for index, cell in enumerate(merged.cells):
        if utils.is_solution(cell) and index not in answered:
            notes.append(f"the answer {cell.metadata.nbgrader.grade_id} is missing")
            if cell.cell_type == "code" and not utils.is_grade(cell):
                cell.source = ""  # so that the student's own cell counts, if it has lost its id
    after = [own.get(index, []) for index in range(len(merged.cells))]
    both = zip(merged.cells, after, strict=True)
    merged.cells = own.get(-1, []) + [one for cell, more in both for one in (cell, *more)]
    return merged, notes


def known(cell: NotebookNode) -> bool:
    return "nbgrader" in cell.metadata


def locked(cell: NotebookNode) -> bool:
    return known(cell) and not utils.is_solution(cell)


def open_to_students(cell: NotebookNode) -> bool:
    """Whether what the student made of this cell counts: an answer, or code that is not locked."""
    return utils.is_solution(cell) or (cell.cell_type == "code" and not utils.is_locked(cell))
