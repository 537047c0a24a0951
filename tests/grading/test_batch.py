"""One batch that holds every hostile submission: each gets a grade or a reason."""

import csv
import json
import os
import time
from copy import deepcopy
from pathlib import Path

import nbformat
import psutil
import pytest
import sample
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from sample import DOUBLE, HIDDEN, MEAN, NAME, Student

from grading import batch, release, sandbox

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

LIMITS = sandbox.Limits(cell_seconds=6, seconds=60, memory=1 << 30)
SWALLOW = "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException:\n"
SWALLOW += "        pass"
SPY = "import os\nfor folder in {folders!r}:\n    for path, _, files in os.walk(folder):\n"
SPY += "        print('FOUND', path, files)\n" + MEAN
LEAK = "import linecache\nprint([c for f in list(linecache.cache) for c in linecache.cache[f][2]])"


def hostile(course: Path, walls: str) -> dict[str, tuple]:
    """Hand in all of them; for each student the status, the points and words of the reason.

    Behind these walls: two of them depend on that.
    """
    expected = {}

    def hand_in(name: str, status: str, points: float | None, words: str = "", **solutions):
        expected[name] = (status, points, words)
        return Student(course, name).solve(**solutions)

    def raw(name: str, text: str, words: str, file: str = f"{NAME}.ipynb") -> None:
        hand_in(name, "not graded", None, words).write(text, file)

    hand_in("a_right", "graded", 70).write()
    hand_in("a_warning", "graded", 70, double="import warnings\n" + DOUBLE.replace(
        "    return", "    warnings.warn('careful')\n    return")).write()  # fmt: skip
    Student(course, "a_untouched").write()
    expected["a_untouched"] = ("graded", 0, "")
    hand_in("a_wrong", "graded", 30, mean=MEAN.replace(" / len(values)", "")).write()
    middle = "def mean(values):\n    return (min(values) + max(values)) / 2"
    hand_in("a_hidden_wrong", "graded", 30, mean=middle).write()
    hand_in("magic", "graded", 70, mean="%matplotlib inline\n!echo hello\n" + MEAN).write()

    loop = "while True:\n    pass"
    hand_in("loop", "graded", 30, mean=loop).write()
    hand_in("loop_in_test", "graded", 30, mean=f"def mean(values):\n    {loop[:12]} pass").write()
    part = "graded in part"
    hand_in("quit", "graded", 70, double=DOUBLE + "\nquit()").write()
    hand_in("exit", part, 40, "its process ended", double="import os\nos._exit(0)").write()
    killed = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    segfault = "import ctypes\nctypes.string_at(0)"
    # The first process of a namespace cannot kill itself.
    end = ("graded", 30) if walls == "namespaces" else (part, 0, "its process ended")
    hand_in("killed", *end, mean=killed).write()
    hand_in("crash", part, 40, "its process ended", double=segfault).write()
    hand_in("memory", "graded", 30, mean="hog = bytearray(8 << 30)\n" + MEAN).write()
    hogs = "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n"
    hogs += "        hog = b'x' * (250 << 20)\n        time.sleep(99)\ntime.sleep(5)"
    hand_in("memory_of_children", part, 40, "too much memory", double=hogs).write()
    hand_in("swallow", part, 40, "did not react", double=SWALLOW).write()
    hand_in(
        "output", "graded", 70, mean=MEAN + "\nfor _ in range(200): print('x' * 1000000)"
    ).write()
    child = "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '86399'])\n"
    hand_in("child", "graded", 70, mean=child + MEAN).write()
    bomb = "import os, time\nfor _ in range(100):\n    if os.fork() == 0: time.sleep(999)\n"
    # A user's processes are counted, unless it is the grader, who has others.
    hand_in("fork_bomb", "graded", 70 if walls == "none" else 30, mean=bomb + MEAN).write()
    disk = "with open('big', 'wb') as f:\n    for _ in range(1000): f.write(bytes(1 << 20))\n"
    hand_in("disk", "graded", 30, mean=disk + MEAN).write()
    forged = (
        "import os\nfor fd in range(3, 99):\n    try: os.write(fd, b'\\x00\\x00\\x00\\x04junk')\n"
    )
    forged += "    except OSError: pass"
    hand_in("forged", part, 40, "not a cell's output", double=forged).write()
    folders = [str(course), str(release.REPOSITORY / "book")]
    hand_in("spy", "graded", 70, mean=SPY.format(folders=folders)).write()
    hand_in("quoting", "graded", 70, double=f"{LEAK}\n{DOUBLE}").write()

    hand_in("nested", "graded", 70, why=">" * 3000 + "[" * 3000 + "*" * 3000).write()
    hand_in("long", "graded", 70, why="[" * 1_000_000).write()
    raw("empty", "", "is empty")
    raw("invalid", '{"cells": [', "not valid JSON")
    raw("list", "[1, 2]", "not a notebook")
    raw("deep", "[" * 100_000, "not valid JSON")
    raw("no_cells", '{"cells": []}', "no cells")
    raw("html", "<!DOCTYPE html><html></html>", "HTML")
    raw("big", " " * (51 << 20) + "{}", "50 is the limit")
    hand_in("pdf", "not graded", None, "there is report.pdf").write("%PDF", "report.pdf")
    hand_in("other_name", "graded", 70, f"took My copy.ipynb for {NAME}").write(
        file="My copy.ipynb"
    )
    hand_in("link", "not graded", None, "cannot be opened").folder.mkdir(parents=True)
    (course / "handed_in" / "link" / NAME / f"{NAME}.ipynb").symlink_to(course / "gradebook.db")
    hand_in("pipe", "not graded", None, "not an ordinary file").folder.mkdir(parents=True)
    os.mkfifo(course / "handed_in" / "pipe" / NAME / f"{NAME}.ipynb")
    hand_in("no_folder", "not graded", None, "no folder named after").folder.parent.mkdir()
    other = hand_in("other_assignment", "not graded", None, "no assignment of this name")
    other.folder = other.folder.parent / "homework"
    other.write()

    one = hand_in("wrong_id", "graded", 70, "the answer mean is missing")
    one.cell("mean").metadata.nbgrader.grade_id, one.cell("mean").id = "typo", "typo"
    one.write()
    one = hand_in("added_graded", "graded", 70)
    one.after("double_test", sample.test("bonus", 1000, "assert True")).write()
    one = hand_in("unlocked", "graded", 30, mean="def mean(values): return 0")
    one.cell("mean_test").source = "assert True"
    one.cell("mean_test").metadata.nbgrader.update(locked=False, solution=True, points=99)
    one.write()
    one = hand_in("twice", "graded", 70, "left out a copy of mean_test")
    one.after("mean_test", deepcopy(one.cell("mean_test"))).write()
    one = hand_in("answer_twice", "graded", 70, mean="def mean(values): return 0")
    again = deepcopy(one.cell("mean"))
    again.source, again.id = MEAN, "again"
    one.after("mean", again).write()
    one = hand_in("own_cell", "graded", 70, mean="mean = helper")
    one.after("imports", new_code_cell(MEAN.replace("mean", "helper"))).write()
    one = hand_in("deleted", "graded", 30, "the answer mean is missing")
    one.notebook.cells = [c for c in one.notebook.cells if c.id not in ("mean", "mean_test")]
    one.write()
    one = hand_in("surrogate", "graded", 70, mean=MEAN + "\nx = '\ud800'  # \0")
    one.write()
    one = hand_in("nonsense", "graded", 0)
    one.write(json.dumps({"cells": [{"cell_type": 7, "source": ["a"], "metadata": []}]}))
    expected["nonsense"] = ("graded", 0, "the answer mean is missing")
    script = "<script>alert(1)</script><img src=x onerror=alert(2)>![](https://example.org/x.png)"
    script += "<a href='javascript:alert(3)'>x</a><iframe src='https://example.org'></iframe>"
    one = hand_in("script", "graded", 70, why=script)
    shown = "from IPython.display import HTML\ndisplay(HTML('<script>alert(4)</script>'))"
    one.after("why", new_markdown_cell(script)).after("why", new_code_cell(shown)).write()
    hand_in("z_right", "graded", 70).write()
    return expected


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("grading")
    release.release(sample.write_sources(folder / "sources"), folder / "course")
    return folder / "course"


@pytest.fixture(scope="module")
def walls(course) -> sandbox.Walls:
    return sandbox.strongest([course, release.REPOSITORY / "book"])  # what the spy looks for


@pytest.fixture(scope="module")
def expected(course, walls) -> dict[str, tuple]:
    return hostile(course, walls.kind)


@pytest.fixture(scope="module")
def rows(course, expected) -> dict[str, batch.Row]:
    started = time.monotonic()
    rows = batch.grade(course / "handed_in", course, LIMITS, jobs=4)
    print(f"{len(rows)} submissions in {time.monotonic() - started:.0f} s")
    return {row.student: row for row in rows}


def test_every_submission_has_a_grade_or_a_reason(rows, expected):
    assert rows.keys() == expected.keys()
    points = {name: float(row.score) if row.score else None for name, row in rows.items()}
    found = {name: (row.status, points[name]) for name, row in rows.items()}
    assert found == {name: (status, points) for name, (status, points, _) in expected.items()}
    for name, (_, _, words) in expected.items():
        assert words in rows[name].why, name
        assert rows[name].why or rows[name].status == "graded", name


def test_the_table_is_written(rows, course):
    with (course / "grades.csv").open(newline="") as file:
        table = {row["student"]: row for row in csv.DictReader(file)}
    assert table["a_right"]["score"] == "70" and table["a_right"]["max_score"] == "100"
    assert table["a_right"]["by_hand"] == "30"
    assert table["a_untouched"]["score"] == "0" and table["a_untouched"]["by_hand"] == "0"
    assert table["html"]["score"] == table["html"]["max_score"] == ""


def test_nothing_keeps_running(rows):
    assert not [p for p in psutil.process_iter(["cmdline"]) if "86399" in (p.info["cmdline"] or [])]


def pages(course: Path) -> dict[str, str]:
    found = (course / "feedback").glob("*/*/*.html")
    return {path.parts[-3]: path.read_text(encoding="utf-8") for path in found}


def test_the_spy_found_nothing_unless_that_was_said(rows, course, walls):
    saved = course / "autograded" / "spy" / NAME / f"{NAME}.ipynb"
    outputs = [cell.get("outputs") for cell in nbformat.read(saved, as_version=4).cells]
    assert any("FOUND" in str(found) for found in outputs) == bool(walls.reach)


def test_feedback_for_each_and_no_hidden_test_in_it(rows, course):
    html = pages(course)
    assert html.keys() == rows.keys()
    secret = HIDDEN.removeprefix("assert ")
    for name, page in html.items():
        assert secret not in page and "[2, 4, 9]" not in page, name
    assert "divide by the number" in html["a_hidden_wrong"]
    assert "quotes a hidden test" in html["quoting"]
    assert "stopped after 6 s" in html["loop"] and "KeyboardInterrupt" not in html["loop"]
    assert "not graded" in html["html"]
    assert "<strong>70 of 100 points</strong>, and 30 points are still" in html["a_right"]
    assert "why: to be graded by hand, of 30" in html["a_right"]
    assert "<strong>0 of 100 points</strong>." in html["a_untouched"]


def test_feedback_runs_nothing_and_asks_nobody(rows, course):
    for name, page in pages(course).items():
        assert "<h1>Means</h1>" in page or "not graded" in page, name  # without a link to itself
        for bad in ("<script", "onerror=", "<iframe", "javascript:", 'src="http', "<link"):
            assert bad not in page.replace("&lt;", "(lt)"), (name, bad)


def test_output_is_cut(rows, course):
    for folder in ("autograded", "feedback"):
        for path in (course / folder).rglob("*.*"):
            if path.is_file():
                assert path.stat().st_size < 3_000_000, path


def test_nbgrader_opens_it(rows, course, expected):
    api = NbGraderAPI(release.course_directory(course))
    graded = {name for name, row in rows.items() if row.status != "not graded"}
    assert {one["student"] for one in api.get_submissions(NAME) if one["autograded"]} == graded
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        assert gradebook.find_submission(NAME, "a_wrong").score == 30
    assert api.generate_feedback(NAME, "a_right")["success"]


def test_grading_by_hand_comes_into_the_table(rows, course):
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        grade = gradebook.find_grade("why", NAME, NAME, "a_right")
        grade.manual_score = 25
        gradebook.find_comment("why", NAME, NAME, "a_right").manual_comment = "Well <b>said"
        gradebook.db.commit()
    again = {row.student: row for row in batch.refresh(course)}
    assert again["a_right"].score == "95" and again["a_right"].by_hand == "0"
    assert again["html"].score == "" and again["html"].status == "not graded"
    assert "Well &lt;b&gt;said" in pages(course)["a_right"]


def test_grading_again_keeps_what_was_given_by_hand(rows, course, tmp_path):
    (tmp_path / "a_right").symlink_to(course / "handed_in" / "a_right")
    row = batch.grade(tmp_path, course, LIMITS)[0]
    assert (row.status, row.score) == ("graded", "95")
    saved = course / "autograded" / "a_right" / NAME / f"{NAME}.ipynb"
    assert nbformat.read(saved, as_version=4).metadata.notes == []


def test_bad_input(course, tmp_path):
    with pytest.raises(NotADirectoryError, match="there is no folder"):
        batch.grade(tmp_path / "nowhere", course)
    with pytest.raises(release.ReleaseError, match="run make assignments first"):
        batch.grade(tmp_path, tmp_path)


def test_a_failure_of_ours_stops_nobody_else(rows, course, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise RuntimeError("ours")

    for name in ("a_right", "z_right"):
        (tmp_path / name).symlink_to(course / "handed_in" / name)
    save = batch.save
    only = lambda one, *rest: fail() if one.student == "a_right" else save(one, *rest)  # noqa: E731
    monkeypatch.setattr(batch, "save", only)
    monkeypatch.setattr(batch.feedback, "page", fail)
    first, second = batch.grade(tmp_path, course, LIMITS)
    assert (first.status, first.score) == ("not graded", "") and "ours" in first.why
    assert (second.status, second.score) == ("graded", "70")
    assert len((course / "grades.csv").read_text().splitlines()) == 3
    assert "no feedback for z_right" in capsys.readouterr().out
