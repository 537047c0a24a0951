"""Grades a folder of submissions: each gets a grade or a reason, and none can harm another."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import GetGrades, SaveAutoGrades
from tqdm import tqdm

from grading import feedback, release, sandbox, submissions
from nnlab.files import whole
from nnlab.workers import usable_cores

GRADED, IN_PART, NOT = "graded", "graded in part", "not graded"


@dataclass
class Row:
    """A line of grades.csv. Where nothing could be graded the score is empty, and not 0."""

    student: str
    assignment: str
    status: str
    score: str = ""
    max_score: str = ""
    by_hand: str = ""  # points that wait for somebody who reads the answer
    why: str = ""


@dataclass(frozen=True)
class Submission:
    """A student's folder for one assignment."""

    student: str
    assignment: str
    folder: Path

    @property
    def file(self) -> str:
        return f"{self.assignment}.ipynb"


def grade(
    handed_in: Path,
    course: Path,
    limits: sandbox.Limits = sandbox.USUAL,
    *,
    walls: str | None = None,
    jobs: int | None = None,
) -> list[Row]:
    """Grade all submissions in a folder, which holds ``<student>/<assignment>/`` as nbgrader's.

    Parameters
    ----------
    handed_in : Path
    course : Path
        The course's folder, in which ``make assignments`` has released the assignments.
    limits : Limits
        What each submission may use.
    walls : {"namespaces", "user", "none"}, optional
        The isolation; without it the strongest that this machine has.
    jobs : int, optional
        How many are run at a time; without it one for each core.

    Returns
    -------
    list of Row
        What is also written to ``grades.csv`` in the course's folder.

    Raises
    ------
    NotADirectoryError
        If there is no such folder of submissions.
    release.ReleaseError
        If no assignment has been released in the course's folder.
    """
    if not handed_in.is_dir():
        raise NotADirectoryError(f"there is no folder {handed_in}")
    names = sorted(path.parent.name for path in (course / "release").glob("*/*.ipynb"))
    if not names:
        raise release.ReleaseError(f"nothing is released in {course}: run make assignments first")
    directory = release.course_directory(course)
    templates = {name: release.template(name, directory) for name in names}
    walls = walls or sandbox.strongest([]).kind
    rows = []
    found = list(look(handed_in))
    with ThreadPoolExecutor(jobs or usable_cores()) as pool:
        running = {
            pool.submit(examine, one, templates, course, limits, walls, number): one
            for number, one in enumerate(found)
        }
        try:
            for done in tqdm(as_completed(running), total=len(found), desc="Grading"):
                one = running[done]
                try:
                    rows.append(save(one, *done.result(), directory))
                except Exception as error:  # as in examine
                    why = f"the gradebook refused it ({error!r:.200})"
                    rows.append(Row(one.student, one.assignment, NOT, why=why))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return finish(rows, directory)


def look(handed_in: Path) -> Iterator[Submission]:
    for student in sorted(path for path in handed_in.iterdir() if path.is_dir()):
        folders = sorted(path for path in student.iterdir() if path.is_dir())
        for folder in folders or [student]:
            yield Submission(student.name, folder.name if folders else "", folder)


def examine(
    one: Submission,
    templates: dict[str, NotebookNode],
    course: Path,
    limits: sandbox.Limits,
    walls: str,
    number: int,
) -> tuple[NotebookNode | None, str]:
    """The submission's notebook, run, and what is to say about it; no notebook if that failed."""
    try:
        if one.folder.is_symlink():
            raise submissions.Ungradable("its folder is a link to another place")
        if not one.assignment:
            raise submissions.Ungradable("there is no folder named after the assignment")
        if one.assignment not in templates:
            known = ", ".join(templates)
            raise submissions.Ungradable(f"there is no assignment of this name, only {known}")
        path, notes = submissions.find(one.folder, one.assignment)
        cells = submissions.read(path)
        notebook, more = submissions.merge(templates[one.assignment], cells)
        files = course.absolute() / "release" / one.assignment
        stopped = release.run_notebook(notebook, limits, walls=walls, number=number, files=files)
        notes += more + [stopped] * bool(stopped)
        notebook.metadata.update(stopped=bool(stopped), notes=notes)
        return notebook, "; ".join(notes)
    except submissions.Ungradable as reason:
        return None, str(reason)
    except Exception as error:  # whatever a submission breaks in us, the others must be graded
        return None, f"the grader failed on it ({error!r:.200})"


def save(
    one: Submission, notebook: NotebookNode | None, why: str, directory: CourseDirectory
) -> Row:
    """Save the grades, and the notebook where nbgrader looks for it; say what became of it."""
    if notebook is None:
        return Row(one.student, one.assignment, NOT, why=why)
    with Gradebook(directory.db_url) as gradebook:
        gradebook.update_or_create_student(one.student)
        when = {}
        with suppress(Exception):  # a student can write anything into the file
            when = {"timestamp": directory.get_existing_timestamp(str(one.folder))}
        gradebook.update_or_create_submission(one.assignment, one.student, **when)
    SaveAutoGrades().preprocess(notebook, about(one.student, one.assignment, directory))
    path = Path(directory.root, "autograded", one.student, one.assignment, one.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        nbformat.write(notebook, part)
    return Row(
        one.student, one.assignment, IN_PART if notebook.metadata.stopped else GRADED, why=why
    )


def about(student: str, assignment: str, directory: CourseDirectory) -> dict:
    """What nbgrader's preprocessors want to be told."""
    names = {"student": student, "assignment": assignment, "notebook": assignment}
    return {"nbgrader": {**names, "db_url": directory.db_url}}


def finish(rows: Sequence[Row], directory: CourseDirectory) -> list[Row]:
    """Write the feedback, and grades.csv with the gradebook's points, those by hand included."""
    rows = sorted(rows, key=lambda row: (row.assignment, row.student))
    waiting: list[dict[str, float]] = []
    with Gradebook(directory.db_url) as gradebook:
        for row in rows:
            waiting.append({})
            if row.status != NOT:
                entry = gradebook.find_submission(row.assignment, row.student)
                for grade in (grade for notebook in entry.notebooks for grade in notebook.grades):
                    if grade.auto_score is None and grade.manual_score is None:
                        waiting[-1][grade.name] = grade.max_score
                row.score, row.max_score = f"{entry.score:g}", f"{entry.max_score:g}"
                row.by_hand = f"{sum(waiting[-1].values()):g}"
    with (
        whole(Path(directory.root, "grades.csv")) as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    for row, by_hand in tqdm(zip(rows, waiting, strict=True), "Feedback", len(rows)):
        try:
            give_back(row, by_hand, directory)
        except Exception as error:  # as in examine
            tqdm.write(f"no feedback for {row.student}, {row.assignment}: {error!r:.200}")
    return rows


def give_back(row: Row, by_hand: dict[str, float], directory: CourseDirectory) -> None:
    """Write a student's feedback page."""
    name = row.assignment or "none"
    if row.status == NOT:
        html = feedback.refusal(name, row.student, row.why)
    else:
        tail = Path(row.student, name, f"{name}.ipynb")
        notebook = nbformat.read(Path(directory.root, "autograded", tail), as_version=4)
        notebook, _ = GetGrades().preprocess(notebook, about(row.student, name, directory))
        path = Path(directory.root, "release", name, f"{name}.ipynb")
        released = nbformat.read(path, as_version=4)
        html = feedback.page(name, row.student, notebook, released, by_hand)
    place = Path(directory.root, "feedback", row.student, name, f"{name}.html")
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole(place) as part:
        part.write_text(html, encoding="utf-8")


def refresh(course: Path) -> list[Row]:
    """Write grades.csv and the feedback again, after somebody has graded by hand."""
    with (course / "grades.csv").open(newline="", encoding="utf-8") as file:
        rows = [Row(**row) for row in csv.DictReader(file)]
    return finish(rows, release.course_directory(course))


def summary(rows: Sequence[Row]) -> str:
    """How many are graded, and why the others are not."""
    counts = Counter(row.status for row in rows)
    lines = [f"{counts[status]} {status}" for status in (GRADED, IN_PART, NOT)]
    lines += [f"  {row.student}, {row.assignment or '?'}: {row.status}, {row.why}"
              for row in rows if row.status != GRADED]  # fmt: skip
    return "\n".join(lines)
