"""What is released holds nothing secret, runs where a student unpacks it, and is in order."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
import sample
from nbformat.v4 import new_output
from sample import HIDDEN, NAME

from grading import release
from grading.__main__ import main

SECRETS = (HIDDEN, "total / len(values)", "2 * x", "Any sound reason", "BEGIN", "solution_of")


def write(folder: Path, notebook) -> Path:
    sample.write_sources(folder)
    nbformat.write(notebook, folder / NAME / f"{NAME}.ipynb")
    return folder


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
def test_nothing_secret_in_the_released_bytes(tmp_path):
    sources = sample.write_sources(tmp_path / "sources")
    (sources / NAME / ".ipynb_checkpoints").mkdir()
    (sources / NAME / ".ipynb_checkpoints" / "old.ipynb").write_text("solution_of")
    (sources / NAME / "data.csv").write_text("1,2\n")
    (path,) = release.release(sources, tmp_path / "course")
    found = contents(path)
    assert set(found) == {f"{NAME}/{NAME}.ipynb", f"{NAME}/data.csv"}
    for file in [*(tmp_path / "course" / "release").rglob("*.*"), path]:
        for secret in SECRETS if file.is_file() else ():
            assert secret.encode() not in file.read_bytes(), (file, secret)
    for data in found.values():
        assert not [secret for secret in SECRETS if secret.encode() in data]
    again = release.release(sources, tmp_path / "course")[0].read_bytes()
    assert again == path.read_bytes()


def set_output(notebook):
    notebook.cells[4].outputs = [new_output("stream", text="the answer is 42")]


def solution_in_text(notebook):
    notebook.cells[0].source += "\nThe solution: `return total / len(values)`"


def secret_in_metadata(notebook):
    notebook.cells[3].metadata.rubric = HIDDEN  # dropped, and the next is found
    notebook.cells[3].metadata.jupyter = {"hint": HIDDEN + ", 'divide by the number'"}


def free_points(notebook):
    notebook.cells[5].source = "assert True"


def wrong_solution(notebook):
    notebook.cells[4].source = notebook.cells[4].source.replace("2 * x", "3 * x")


def open_region(notebook):
    notebook.cells[3].source = notebook.cells[3].source.replace("### END HIDDEN TESTS", "")


def same_id(notebook):
    notebook.cells[5].metadata.nbgrader.grade_id = "mean_test"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (free_points, "double_test gives an untouched copy 30 of 30"),
        (wrong_solution, "double_test gives our solution 0 of 30"),
        (open_region, "No end hidden tests"),
        (same_id, "Duplicate grade_id|more than once|[Dd]uplicate"),
        (secret_in_metadata, "would give away: .*assert mean"),
    ],
)
def test_an_assignment_that_is_not_in_order_is_refused(tmp_path, spoil, message):
    notebook = sample.source_notebook()
    spoil(notebook)
    with pytest.raises(release.ReleaseError, match=message):
        release.release(write(tmp_path / "sources", notebook), tmp_path / "course")
    assert not (tmp_path / "course" / "zips").exists()


def test_a_solution_beside_the_notebook_is_refused(tmp_path):
    sources = sample.write_sources(tmp_path / "sources")
    release.release(sources, tmp_path / "course")
    before = list((tmp_path / "course" / "release").rglob("*"))
    (sources / NAME / "helpers.py").write_text("def mean(values):\n    total = sum(values)\n")
    with pytest.raises(release.ReleaseError, match=r"helpers.py: total = sum\(values\)"):
        release.release(sources, tmp_path / "course")
    assert list((tmp_path / "course" / "release").rglob("*")) == before  # nor half of it


def test_outputs_are_left_out(tmp_path):
    notebook = sample.source_notebook()
    set_output(notebook)
    (path,) = release.release(write(tmp_path / "sources", notebook), tmp_path / "course")
    assert b"the answer is 42" not in b"".join(contents(path).values())


def test_from_make_to_grades(tmp_path, capsys):
    """The two commands, as an instructor runs them, and the zip, as a student does."""
    sources, course = sample.write_sources(tmp_path / "sources"), tmp_path / "course"
    main(["assignments", "--sources", str(sources), "--course", str(course)])
    assert capsys.readouterr().out.split() == [str(course / "zips" / f"{NAME}.zip")]
    with zipfile.ZipFile(course / "zips" / f"{NAME}.zip") as archive:
        archive.extractall(tmp_path / "student")
    folder = tmp_path / "student" / NAME
    assert [path.name for path in folder.glob("nnlab-*.whl")]
    notebook = json.loads((folder / f"{NAME}.ipynb").read_text())
    first = "".join(notebook["cells"][0]["source"])
    assert first.startswith("# Installs what is missing")
    subprocess.run([sys.executable, "-c", first], cwd=folder, check=True)

    handed_in = sample.Student(course, "ada").solve()
    handed_in.write()
    main(["grade", str(course / "handed_in"), "--course", str(course), "--jobs", "1"])
    out = capsys.readouterr().out
    assert re.match("(NO ISOLATION|Isolation): ", out) and "1 graded\n" in out
    table = (course / "grades.csv").read_text().splitlines()
    assert table[1] == f"ada,{NAME},graded,70,100,30,"
    main(["grade", "--course", str(course)])
    assert (course / "grades.csv").read_text().splitlines() == table


def test_bad_input(tmp_path):
    with pytest.raises(release.ReleaseError, match="there is no <name>/<name>"):
        release.release(tmp_path, tmp_path / "course")
    with pytest.raises(SystemExit, match="there is no folder"):
        main(["grade", str(tmp_path / "nowhere"), "--course", str(tmp_path)])
