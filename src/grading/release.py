"""Makes the students' versions of the assignments, and lets nothing out that is not theirs."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from logging.handlers import BufferingHandler
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import OverwriteCells
from tqdm import tqdm
from traitlets.log import get_logger

from grading import sandbox
from nnlab.files import whole

REPOSITORY = Path(__file__).parents[2]
EDGE = re.compile("(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)")
KEPT = ("nbgrader", "deletable", "editable", "jupyter")


class ReleaseError(ValueError):
    """Why an assignment is not fit to be released."""


def course_directory(course: Path) -> CourseDirectory:
    """nbgrader's view of a course's folder."""
    course.mkdir(mode=0o700, parents=True, exist_ok=True)
    gradebook = course / "gradebook.db"
    if not gradebook.exists():  # nbgrader takes one that has only some tables for a whole one
        with whole(gradebook) as part:
            Gradebook(f"sqlite:///{part.absolute()}").close()
    return CourseDirectory(root=str(course.absolute()))


def release(
    sources: Path, course: Path, engine: list[Path] | None = None, cell: NotebookNode | None = None
) -> list[Path]:
    """Write the students' version and a zip of each assignment in a folder.

    Parameters
    ----------
    sources : Path
        Holds ``<name>/<name>.ipynb`` for each assignment, in nbgrader's format.
    course : Path
        nbgrader's course folder, which is made if it is not there.
    engine : list of Path, optional
        Files for the zip beside the notebook: the engine's wheel.
    cell : NotebookNode, optional
        A first cell, which installs what is missing.

    Returns
    -------
    list of Path
        The zips.

    Raises
    ------
    ReleaseError
        If an assignment is not in order: nbgrader refuses it, its own solution does not get full
        marks, an untouched copy gets more than 0, or something secret would be released.
    """
    names = sorted(path.parent.name for path in sources.glob("*/*.ipynb"))
    if not names:
        raise ReleaseError(f"there is no <name>/<name>.ipynb in {sources}")
    directory = course_directory(course)
    walls = sandbox.strongest([]).kind
    zips = []
    for name in tqdm(names, desc="Assignments", leave=False):
        original = nbformat.read(sources / name / f"{name}.ipynb", as_version=4)
        shutil.rmtree(course / "source" / name, ignore_errors=True)
        hidden_files = shutil.ignore_patterns(".*", "__pycache__", "*.ipynb")
        shutil.copytree(sources / name, course / "source" / name, ignore=hidden_files)
        nbformat.write(stripped(original, cell), course / "source" / name / f"{name}.ipynb")
        released = course / "release" / name
        released.parent.mkdir(exist_ok=True)
        with whole(released) as folder:  # so that nothing is there that is not checked
            directory.release_directory = str(folder.parent)
            generate(name, directory)
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            leaks = [f"{path.name}: {leak}" for path in files for leak in leaking(path, original)]
            if leaks:
                raise ReleaseError(f"{name} would give away: " + "; ".join(leaks[:5]))
            check_points(name, directory, walls)
            zips.append(course / "zips" / f"{name}.zip")
            zips[-1].parent.mkdir(exist_ok=True)
            pack(zips[-1], {path.relative_to(folder.parent): path for path in files}
                 | {Path(name, path.name): path for path in engine or []})  # fmt: skip
    return zips


def generate(name: str, directory: CourseDirectory) -> None:
    """Let nbgrader write the students' version, and keep the tests in its gradebook."""
    said = BufferingHandler(10_000)
    get_logger().addHandler(said)
    try:
        made = NbGraderAPI(directory).generate_assignment(name)
    finally:
        get_logger().removeHandler(said)
    if not made["success"]:
        log = "\n".join(record.getMessage() for record in said.buffer)
        errors = re.findall(r"^[\w.]+(?:Error|Exception): (.+)", log, re.MULTILINE) or [log]
        raise ReleaseError(f"{name}: nbgrader refuses it: {errors[0]}")


def stripped(original: NotebookNode, cell: NotebookNode | None) -> NotebookNode:
    """The source notebook without metadata that is nobody's business, and with the first cell."""
    metadata = {key: original.metadata[key] for key in ("kernelspec", "language_info")
                if key in original.metadata}  # fmt: skip
    notebook = nbformat.v4.new_notebook(cells=original.cells, metadata=metadata)
    notebook = nbformat.from_dict(notebook)
    for one in notebook.cells:
        one.metadata = {key: one.metadata[key] for key in KEPT if key in one.metadata}
    if cell is not None:
        notebook.cells.insert(0, cell)
    return nbformat.from_dict(notebook)


def leaking(path: Path, original: NotebookNode) -> Iterator[str]:
    """Lines of a released file that are solutions, hidden tests, rubrics or outputs of ours."""
    text = path.read_bytes().decode("utf-8", "replace")
    if path.suffix == ".ipynb":
        text = "\n".join(strings(nbformat.reads(text, as_version=4)))
    secret, public = parts(original)
    yield from (line for line in sorted(secret) if line not in public and line in text)
    yield from (found.group() for found in EDGE.finditer(text))


def parts(original: NotebookNode) -> tuple[set[str], str]:
    """The secret lines of a source notebook, and all that is public in it."""
    secret: set[str] = set()
    public = []
    for cell in original.cells:
        inside = utils.is_solution(cell) and "BEGIN SOLUTION" not in cell.source
        for line in map(str.strip, cell.source.splitlines()):
            if edge := EDGE.search(line):
                inside = edge[1] == "BEGIN"
            elif inside:
                secret.add(line)
            else:
                public.append(line)
        for text in strings(cell.get("outputs", [])):
            secret.update(map(str.strip, text.splitlines()))
    return {line for line in secret if len(line) > 8}, "\n".join(public)


def strings(value: object) -> Iterator[str]:
    """All strings in a tree of dictionaries and lists, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (str(key), *strings(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)


def template(name: str, directory: CourseDirectory) -> NotebookNode:
    """The students' version with the hidden tests, which are in the gradebook, back in place."""
    path = Path(directory.root, directory.release_directory, name, f"{name}.ipynb")
    notebook = nbformat.read(path, as_version=4)
    about = {"notebook": name, "assignment": name, "db_url": directory.db_url}
    return OverwriteCells().preprocess(notebook, {"nbgrader": about})[0]


def check_points(name: str, directory: CourseDirectory, walls: str) -> None:
    """Our solution must get all points that tests give, and an untouched copy none."""
    ours = template(name, directory)
    solved = nbformat.read(Path(directory.root, "source", name, f"{name}.ipynb"), as_version=4)
    files = Path(directory.root, directory.release_directory, name)
    for notebook, wanted in ((solved, "all"), (ours, "none")):
        run_notebook(notebook, sandbox.USUAL, walls=walls, files=files)
        tests = [cell for cell in notebook.cells if utils.is_grade(cell)
                 and not utils.is_solution(cell)]  # fmt: skip
        for cell in tests:
            points, most = utils.determine_grade(cell)
            if points != (most if wanted == "all" else 0):
                errors = [out.evalue for out in cell.outputs if out.output_type == "error"]
                whose = "our solution" if wanted == "all" else "an untouched copy"
                raise ReleaseError(
                    f"{name}: {cell.metadata.nbgrader.grade_id} gives {whose} {points:g} of "
                    f"{most:g} points {' '.join(errors)}"
                )


def run_notebook(notebook: NotebookNode, limits: sandbox.Limits, **how: object) -> str:
    """Run a notebook in a sandbox, write its outputs into it, and return why it was stopped.

    A warning costs no point: nbgrader takes what is written to stderr for an error, so in a test
    it is stdout.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    ran = sandbox.run([cell.source for cell in code], limits, **how)
    for count, cell in enumerate(code):
        if count < len(ran.outputs):
            cell.outputs, cell.execution_count = ran.outputs[count], count + 1
        else:
            message = ran.stopped if count == len(ran.outputs) else "an earlier cell ended the run"
            cell.outputs = [sandbox.error("Stopped", message)]
        for output in cell.outputs if utils.is_grade(cell) else []:
            if output.output_type == "stream":
                output.name = "stdout"
    if not ran.stopped:
        return ""
    about = code[len(ran.outputs)].metadata.get("nbgrader", {})
    where = about.get("grade_id", f"code cell {len(ran.outputs) + 1}")
    left = [cell for cell in code[len(ran.outputs) :] if utils.is_grade(cell)]
    return f"{ran.stopped}, in {where}; {len(left)} tests were not run to their end"


def pack(path: Path, files: dict[Path, Path]) -> None:
    """Zip files; the same files give the same bytes."""
    with whole(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name.as_posix()), file.read_bytes())


def wheel(folder: Path) -> Path:
    """Build the engine's wheel from a copy, so that nothing is left beside the sources."""
    with tempfile.TemporaryDirectory() as copy:
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(REPOSITORY / name, copy)
        shutil.copytree(REPOSITORY / "src" / "nnlab", Path(copy, "src", "nnlab"))
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        command += ["--no-build-isolation", "--wheel-dir", str(folder), copy]
        subprocess.run(command, check=True)
    return next(folder.glob("nnlab-*.whl"))


def first_cell(sources: Path) -> NotebookNode:
    """The run copies' first cell, for what all assignments import."""
    from set_up import set_up_cell  # in book/_extensions, which only the sources have

    notebooks = [nbformat.read(path, as_version=4) for path in sorted(sources.glob("*/*.ipynb"))]
    code = [cell.source for one in notebooks for cell in one.cells if cell.cell_type == "code"]
    address = os.environ.get("REPOSITORY_URL", "")
    return set_up_cell(code, f"nnlab @ git+{address}" if address else "")
