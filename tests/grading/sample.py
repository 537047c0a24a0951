"""A small assignment in nbgrader's format, and a student's work on it."""

import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

NAME = "sample"
HIDDEN = "assert mean([2, 4, 9]) == 5"
MEAN = "def mean(values):\n    return sum(values) / len(values)"
DOUBLE = "def double(x):\n    return x + x"


def about(name: str, **more) -> dict:
    usual = {"grade_id": name, "schema_version": 3, "locked": False, "grade": False}
    return {"nbgrader": {**usual, "solution": False, "task": False, **more}}


def test(name: str, points: int, source: str):
    more = {"grade": True, "locked": True, "points": points}
    return new_code_cell(source, id=name, metadata=about(name, **more))


def answer(name: str, source: str):
    return new_code_cell(source, id=name, metadata=about(name, solution=True))


def source_notebook():
    """What an instructor writes: 40 and 30 points by tests, 30 by hand."""
    hidden = f"### BEGIN HIDDEN TESTS\n{HIDDEN}, 'divide by the number'\n### END HIDDEN TESTS"
    open_question = about("why", grade=True, solution=True, points=30)
    rubric = "### BEGIN SOLUTION\nAny sound reason: 30 points.\n### END SOLUTION"
    cells = [
        new_markdown_cell("# Means", id="intro", metadata=about("intro", locked=True)),
        new_code_cell("import math", id="imports"),
        answer(
            "mean",
            "def mean(values):\n    ### BEGIN SOLUTION\n    total = sum(values)\n"
            "    return total / len(values)\n    ### END SOLUTION",
        ),
        test("mean_test", 40, f"assert mean([1, 2]) == 1.5\n{hidden}"),
        answer(
            "double",
            "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION",
        ),
        test("double_test", 30, "assert double(21) == 42"),
        new_markdown_cell(rubric, id="why", metadata=open_question),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "secret": "Any sound reason"})


def write_sources(folder: Path) -> Path:
    path = folder / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(source_notebook(), path)
    return folder


class Student:
    """The release, as one student changes it; write() hands it in."""

    def __init__(self, course: Path, name: str) -> None:
        self.folder = course / "handed_in" / name / NAME
        self.notebook = nbformat.read(course / "release" / NAME / f"{NAME}.ipynb", as_version=4)
        self.name = name

    def cell(self, name: str):
        return next(c for c in self.notebook.cells if c.id == name)

    def solve(self, mean: str = MEAN, double: str = DOUBLE, why: str = "Because."):
        for name, source in (("mean", mean), ("double", double), ("why", why)):
            self.cell(name).source = source
        return self

    def after(self, name: str, cell) -> "Student":
        self.notebook.cells.insert(self.notebook.cells.index(self.cell(name)) + 1, cell)
        return self

    def write(self, text: str | None = None, file: str = f"{NAME}.ipynb") -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.notebook) if text is None else text
        (self.folder / file).write_text(text, encoding="utf-8")
