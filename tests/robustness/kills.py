"""Kill what writes files at random moments: `make test-kills`.

Each command runs on a small stand-in, again and again, and is killed: half of the times at a moment
of its whole run, half of the times just after it has begun to change a file. Every third kill is a
Ctrl-C, the others cannot be caught. Afterwards each file must be the one from before or the new
one; and the command, run again, must leave what it leaves when nobody stops it.
"""

import argparse
import base64
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import tables
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "grading"))
PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}
# Every Python of the killed session loads this, and one of them strikes.
STRIKE = """
import atexit, os, signal, sys, threading, time
if os.environ.get("KILL_SESSION") == str(os.getsid(0)):
    at, after, place = os.environ["KILL_AT"].split(maxsplit=2)
    changes, seen = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "sqlite3.connect"), [0]

    def strike():
        time.sleep(float(after))
        os.killpg(0, int(os.environ["KILL_SIGNAL"]))

    def hook(event, args):
        if event != "open" and event not in changes or place not in str(args[0]):
            return
        if event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR):
            return
        seen[0] += 1
        if seen[0] == int(at):
            threading.Thread(target=strike, daemon=True).start()

    def tell():
        with open(os.environ["KILL_LOG"], "a") as file:
            print(seen[0], file=file)

    sys.addaudithook(hook)
    if at == "0":
        atexit.register(tell)
"""
TIMED = (".whl", "content.opf")  # files that hold the time at which they were made
Look = Callable[[Path], dict[str, str]]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files(path: Path) -> dict[str, str]:
    """Each file at or below a path by its contents, without what killed writers left aside."""
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    return {
        str(file.relative_to(path.parent)): digest(file.read_bytes())
        for file in found
        if file.is_file() and not any(part.endswith(".part") for part in file.parts)
    }


def each(*names: str) -> Look:
    """Look at these files, and those in these folders, one by one."""
    return lambda folder: {k: v for name in names for k, v in files(folder / name).items()}


def at_once(*names: str) -> Look:
    """Look at these folders, each as one thing."""

    def look(folder: Path) -> dict[str, str]:
        there = [name for name in names if (folder / name).exists()]
        return {name: digest(json.dumps(files(folder / name)).encode()) for name in there}

    return look


def unzipped(*names: str) -> Look:
    """Look at files in zip files, which else hold the time; a zip that is not whole is `torn`."""

    def inside(path: Path) -> str:
        try:
            with zipfile.ZipFile(path) as archive:
                found = sorted(
                    (name, "" if name.endswith(TIMED) else digest(archive.read(name)))
                    for name in archive.namelist()
                )
        except (zipfile.BadZipFile, EOFError):
            return "torn"
        return digest(json.dumps(found).encode())

    return lambda folder: {
        name: inside(folder / name) for name in names if (folder / name).exists()
    }


@dataclass
class Case:
    """A command, what it is tried on, and what must be whole."""

    name: str
    prepare: Callable[[Path], None]
    command: list[str]
    look: Look
    kills: int
    again: list[str] | None = None  # another command that must come to the same end
    spread: float = 0.01  # seconds after a change within which the kill comes
    check: Callable[[Path], str] | None = None  # what else may be wrong, in words
    vanish: bool = False  # whether a folder may be gone, as between its old and its new one
    environment: dict[str, str] = field(default_factory=dict)


def copy(names: list[str], folder: Path) -> None:
    """Copy files and folders of the repository, under the same names."""
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            unneeded = shutil.ignore_patterns("__pycache__", "*.part")
            shutil.copytree(ROOT / name, target, ignore=unneeded, dirs_exist_ok=True)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, target)


def tools(folder: Path) -> Path:
    """A folder of commands as in .venv/bin, which take the stand-in's sources."""
    place = folder.parent / f"{folder.name}.bin"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(STRIKE)
    for name in ("python", "jupyter-book"):
        real = Path(sysconfig.get_path("scripts"), name)
        path = f'PYTHONPATH="{place}:{folder}/src:$PYTHONPATH"'
        interpreter = "" if name == "python" else f'"{real.with_name("python")}" '
        (place / name).write_text(f'#!/bin/sh\n{path} exec {interpreter}"{real}" "$@"\n')
        (place / name).chmod(0o755)
    return place


def start(case: Case, folder: Path, at: int, after: float, kind: int) -> subprocess.Popen:
    environment = os.environ | {
        "KILL_AT": f"{at} {after} {folder}",
        "KILL_SIGNAL": str(int(kind)),
        "KILL_LOG": str(folder.with_suffix(".log")),
        "PYTHONPATH": str(tools(folder)),
    }
    environment |= {key: value.format(folder=folder) for key, value in case.environment.items()}
    bin_folder = tools(folder)
    command = [word.format(bin=bin_folder, folder=folder) for word in case.command]
    with folder.with_suffix(".out").open("wb") as said:
        return subprocess.Popen(
            ["sh", "-c", 'KILL_SESSION=$$ exec "$@"', "sh", *command],
            cwd=folder, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
        )  # fmt: skip


def end(process: subprocess.Popen, kind: int) -> None:
    """Strike a command, and wait until it is gone with all its helpers."""
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, kind)
        process.wait(timeout=60)
    with suppress(ProcessLookupError):
        while True:  # helpers may be dying
            os.killpg(process.pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.02)


def finish(case: Case, folder: Path, command: list[str] | None = None) -> int:
    """Run a command to its end; return how often it changed a file."""
    log = folder.with_suffix(".log")
    log.unlink(missing_ok=True)
    whole = Case(**{**vars(case), "command": command or case.command})
    process = start(whole, folder, 0, 0, signal.SIGKILL)
    if process.wait():
        said = folder.with_suffix(".out").read_text(errors="replace")
        raise RuntimeError(f"{case.name} ended with {process.returncode}:\n{said[-3000:]}")
    return max(map(int, log.read_text().split()), default=0) if log.exists() else 0


def torn(case: Case, folder: Path, old: dict[str, str], new: dict[str, str]) -> list[str]:
    """What is neither as it was nor as it shall be."""
    now = case.look(folder)
    wrong = [
        f"{name} torn" for name, found in now.items() if found not in (old.get(name), new.get(name))
    ]
    if not case.vanish:
        wrong += [f"{name} gone" for name in old if name in new and name not in now]
    if case.check and (said := case.check(folder)):
        wrong.append(said)
    return wrong


def restore(kept: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(kept, folder, symlinks=True)


def run(case: Case, place: Path, rng: random.Random, kills: int) -> dict[str, int]:
    """Kill a command again and again; count what was wrong."""
    folder, kept = place / "now", place / "old"
    folder.mkdir()
    case.prepare(folder)
    shutil.copytree(folder, kept, symlinks=True)
    old = case.look(folder)
    began = time.monotonic()
    changes = finish(case, folder)
    seconds = time.monotonic() - began
    new = case.look(folder)
    if old == new or not new:
        raise RuntimeError(f"{case.name} changes nothing: {new}")
    if case.check and (said := case.check(folder)):
        raise RuntimeError(f"{case.name}, not killed: {said}")
    found: Counter[str] = Counter()
    different = struck = reruns = 0
    dirty = True
    for number in range(kills):
        if dirty:
            restore(kept, folder)
            dirty = False
        kind = signal.SIGINT if number % 3 == 2 else signal.SIGKILL
        at = rng.randint(1, changes) if changes and number % 2 else -1
        after = rng.choice((0, rng.uniform(0, case.spread)))
        process = start(case, folder, at, after, kind)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=None if at > 0 else rng.uniform(0, seconds))
        struck += process.poll() is None or process.returncode != 0
        end(process, kind)
        wrong = torn(case, folder, old, new)
        found.update(wrong)
        if wrong or number % 5 == 4 or number == kills - 1:
            reruns += 1
            dirty = True
            try:
                finish(case, folder, case.again if number % 2 else None)
                now = case.look(folder)
                if now != new:
                    different += 1
                    names = {k for k in now.keys() | new.keys() if now.get(k) != new.get(k)}
                    print(f"  again: {sorted(names)[:5]} differ", flush=True)
                if case.check and (said := case.check(folder)):
                    found[f"again: {said}"] += 1
            except RuntimeError as error:
                different += 1
                print(f"  again: {error}", flush=True)
    for name, count in found.most_common(8):
        print(f"  {count} × {name}", flush=True)
    return {
        "kills": struck, "files": len(new), "wrong": sum(found.values()),
        "reruns": reruns, "different": different,
    }  # fmt: skip


# What the commands are tried on.


def page(text: str) -> nbformat.NotebookNode:
    """A notebook with a figure that is saved as a picture too, as a chapter's."""
    draw = "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([1, 2]);"
    cells = [
        new_markdown_cell("# Page\n\nText.", id="text"),
        new_code_cell(f"for i in range(300):\n    print('{text}', i)", id="code"),
        new_code_cell(draw, id="draw", metadata={"nnlab": {"picture": "images/drawn.png"}}),
    ]
    return new_notebook(cells=cells, metadata={"kernelspec": PYTHON})


def repository(folder: Path) -> None:
    copy(["Makefile", "pyproject.toml", "README.md", "LICENSE", "_config.yml"], folder)
    copy(["src", *(f"tests/{path.name}" for path in (ROOT / "tests").glob("[!t]*.py"))], folder)
    (folder / "tests" / "tables.py").write_bytes(Path(tables.__file__).read_bytes())


def chapters(folder: Path) -> None:
    repository(folder)
    (folder / "book" / "images").mkdir(parents=True)
    nbformat.write(page("new"), folder / "book" / "page.ipynb")
    for name in ("drawn.png", "drawn.svg"):
        (folder / "book" / "images" / name).write_bytes(b"an older one" * 1000)


def book(folder: Path) -> None:
    """Two pages, with all that the real ones have around them."""
    repository(folder)
    around = ("_extensions", "_static", "_templates", "images", "inventories", "references.bib")
    copy([f"book/{name}" for name in around], folder)
    (folder / "book" / "index.md").write_text("# Stand-in\n\nWith {doc}`another <page>`.\n")
    text = "format: jb-book\nroot: book/index\nchapters: [{file: book/page}]\n"
    (folder / "_toc.yml").write_text(text)
    nbformat.write(page("older"), folder / "book" / "page.ipynb")
    make = Case("make book", book, MAKE("book"), each("."), 0)
    finish(make, folder)
    nbformat.write(page("new"), folder / "book" / "page.ipynb")


def site(folder: Path) -> None:
    """A folder that looks like a site that was built, and what was made of an older one."""
    repository(folder)
    html = folder / "_build" / "html"
    rng = random.Random(1)
    for number in range(300):
        path = html / f"{number % 7}" / f"{number}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(20_000))
    for name in ("nnlab-offline.zip", "nnlab.pdf", "nnlab.epub"):
        with zipfile.ZipFile(folder / "_build" / name, "w") as archive:
            archive.writestr("nnlab/index.html", b"an older one" * 100_000)
    shutil.copytree(html, folder / "_build" / "site")
    (folder / "_build" / "site" / "gone.html").write_text("an older one")


def quizzes(folder: Path) -> None:
    repository(folder)
    copy(["book/_extensions", "book/quizzes/01_logistic_regression.yml"], folder)
    (folder / "_build" / "quizzes").mkdir(parents=True)
    for name in ("gift", "zip"):
        path = folder / "_build" / "quizzes" / f"01_logistic_regression.{name}"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("quiz", "an older one")


def decks(folder: Path) -> None:
    repository(folder)
    copy(
        ["book/_extensions", "book/images", "book/slides/conf.py", "book/slides/slides.css"], folder
    )
    (folder / "book" / "slides" / "index.md").write_text("# Slides\n\n- a deck\n")
    (folder / "_build" / "slides").mkdir(parents=True)
    (folder / "_build" / "slides" / "index.html").write_text("an older one")


def course(folder: Path) -> None:
    """An assignment that was released before it was changed, in its solution and its text."""
    from sample import source_notebook

    repository(folder)
    copy(["book/_extensions"], folder)
    source = folder / "book" / "assignments" / "sample" / "sample.ipynb"
    source.parent.mkdir(parents=True)
    notebook = source_notebook()
    notebook.cells[0].source = "# An older title"
    nbformat.write(notebook, source)
    finish(Case("make assignments", course, MAKE("assignments"), each("."), 0), folder)
    nbformat.write(source_notebook(), source)


def batch(folder: Path) -> None:
    """Three students, graded before they handed in again, one of them by hand too."""
    from nbgrader.api import Gradebook
    from sample import Student

    course(folder)
    make = Case("make grade", batch, MAKE("SUBMISSIONS=course/handed_in", "grade"), each("."), 0)
    finish(Case("make assignments", course, MAKE("assignments"), each("."), 0), folder)
    for name in ("ada", "bob", "eve"):
        Student(folder / "course", name).solve().write()
    finish(make, folder)
    with Gradebook(f"sqlite:///{folder}/course/gradebook.db") as gradebook:
        grade = gradebook.find_grade("why", "sample", "sample", "ada")
        grade.manual_score = 25
        gradebook.find_comment("why", "sample", "sample", "ada").manual_comment = "Well said."
        gradebook.db.commit()
    Student(folder / "course", "bob").solve(double="def double(x):\n    return 2").write()
    Student(folder / "course", "eve").solve(mean="def mean(values):\n    return 0").write()


def gradebook(folder: Path) -> str:
    """What is wrong with the gradebook, if anything."""
    path = folder / "course" / "gradebook.db"
    with closing(sqlite3.connect(path)) as database:
        if (said := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            return f"gradebook: {said}"
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if "alembic_version" not in tables:
            return "gradebook: half of its tables"
        by_hand = database.execute("SELECT manual_score FROM grade WHERE manual_score = 25")
        comment = database.execute("SELECT 1 FROM comment WHERE manual_comment = 'Well said.'")
        if (folder / "course" / "feedback").exists() and not (
            by_hand.fetchall() and comment.fetchall()
        ):
            return "gradebook: points by hand are lost"
    return ""


def marks(folder: Path) -> dict[str, str]:
    """What make grade writes, and what its gradebook says of each student."""
    found = each("course/grades.csv", "course/autograded", "course/feedback")(folder)
    with closing(sqlite3.connect(folder / "course" / "gradebook.db")) as database:
        rows = database.execute(
            "SELECT student_id, name, auto_score, manual_score FROM grade"
            " JOIN submitted_notebook AS one ON one.id = grade.notebook_id"
            " JOIN submitted_assignment AS whole ON whole.id = one.assignment_id"
            " JOIN base_cell ON base_cell.id = grade.cell_id ORDER BY 1, 2"
        )
        return found | {f"points of {row[0]} for {row[1]}": str(row[2:]) for row in rows}


def printed(folder: Path) -> None:
    book(folder)
    finish(Case("make book", book, MAKE("book"), each("."), 0), folder)
    with (folder / "_build" / "nnlab.pdf").open("wb") as file:
        file.write(b"an older one" * 100_000)


def pages_of(folder: Path) -> dict[str, str]:
    """The text of the PDF; its bytes hold the time."""
    from pypdf import PdfReader

    path = folder / "_build" / "nnlab.pdf"
    data = path.read_bytes()
    if data.startswith(b"an older one"):
        return {"nnlab.pdf": digest(data)}
    try:
        texts = [one.extract_text() for one in PdfReader(io.BytesIO(data)).pages]
    except Exception:
        return {"nnlab.pdf": "torn"}
    return {"nnlab.pdf": digest("\f".join(texts).encode())}


def for_readers(folder: Path) -> None:
    """As a book whose build was stopped, when it was built before."""
    book(folder)
    path = folder / "_build" / "nnlab.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "an older one")


def sweep(folder: Path) -> None:
    (folder / "runs").mkdir()
    (folder / "job.py").write_text(
        "import numpy as np\nfrom nnlab.sweeps import sweep\n\n"
        "def noise(width, seed):\n"
        "    return {'noise': np.random.default_rng(seed).standard_normal(width)}\n\n"
        "rows = sweep(noise, {'width': [100_000, 200_000]}, seeds=3, folder='runs', workers=2)\n"
    )


def package(folder: Path) -> None:
    """A cache without the package, beside a server that sends it slowly."""
    registry = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{registry.server_port}"
    (folder / "cache").mkdir()
    shutil.copy(ROOT / "tests" / "npm.py", folder)
    (folder / "job.py").write_text(
        "import os, pathlib, npm\nnpm.CACHE = pathlib.Path('cache')\n"
        f"os.environ['npm_config_registry'] = '{address}'\n"
        f"npm.fetch('stand-in@1.0', {PACKAGE_INTEGRITY!r})\n"
    )


PACKAGE_FILE = "stand-in-1.0.tgz"  # beside it pooch leaves what it was receiving
PACKAGE = random.Random(2).randbytes(3_000_000)
PACKAGE_INTEGRITY = "sha512-" + base64.b64encode(hashlib.sha512(PACKAGE).digest()).decode()


class Registry(BaseHTTPRequestHandler):
    """Sends the package in pieces."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(PACKAGE)))
        self.end_headers()
        with suppress(ConnectionError):
            for first in range(0, len(PACKAGE), 100_000):
                self.wfile.write(PACKAGE[first : first + 100_000])
                time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        pass


def results(folder: Path) -> None:
    repository(folder)
    shutil.copy(tables.PAGE, folder)
    (folder / "job.py").write_text(
        "import sys\nfrom pathlib import Path\nsys.path.append('tests')\nimport tables\n"
        "tables.PAGE = Path('README.md')\ntables.write('kills', 'row\\n' * 10000)\n"
    )


def environment(folder: Path) -> None:
    """The rule that sets up .venv, for a package of many modules and one command."""
    repository(folder)
    wheels = folder / "wheels"
    wheels.mkdir()
    name = "standin-1.0"
    with zipfile.ZipFile(wheels / f"{name}-py3-none-any.whl", "w") as archive:
        for number in range(400):
            text = "".join(f"def f{i}(x):\n    return [x + {i}, x * {i}]\n\n" for i in range(60))
            archive.writestr(f"standin/m{number}.py", text)
        archive.writestr("standin/__init__.py", "def main():\n    print('whole')\n")
        meta = {"METADATA": "Metadata-Version: 2.1\nName: standin\nVersion: 1.0\n",
                "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                "entry_points.txt": "[console_scripts]\nstandin = standin:main\n"}  # fmt: skip
        for file, text in meta.items():
            archive.writestr(f"{name}.dist-info/{file}", text)
        listed = [*archive.namelist(), f"{name}.dist-info/RECORD"]
        archive.writestr(f"{name}.dist-info/RECORD", "".join(f"{one},,\n" for one in listed))
    (folder / "requirements.txt").write_text("standin==1.0\n")
    recipe = (folder / "Makefile").read_text()
    own = "$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .\n"
    (folder / "Makefile").write_text(recipe.replace(f"\t{own}", ""))  # the engine needs a network


def set_up(folder: Path) -> dict[str, str]:
    """Whether make takes the environment for whole, and whether it is."""
    if not (folder / ".venv" / "book").exists() or (folder / ".venv.stopped").exists():
        return {}
    commands = [["standin"], ["python", "-m", "pip", "show", "--files", "standin"]]
    there = sorted(
        path.name for path in (folder / ".venv").glob("lib/*/site-packages/standin/*.py")
    )
    for command in commands:
        command[0] = str(folder / ".venv" / "bin" / command[0])
        done = subprocess.run(command, capture_output=True) if Path(command[0]).exists() else None
        there.append(str(done and done.returncode))
    return {".venv": digest(json.dumps(there).encode())}


def released(folder: Path) -> dict[str, str]:
    """What students may get."""
    return each("course/release")(folder) | unzipped("course/zips/sample.zip")(folder)


def MAKE(*targets: str) -> list[str]:
    """The project's own recipe, on the stand-in, without setting up an environment."""
    done = [f".venv/{name}" for name in ("book", "test", "instructors")]
    return ["make", "--silent", "BIN={bin}", *(f"--old-file={name}" for name in done), *targets]


BUILT = [
    "{bin}/python",
    "-c",
    "import sys; sys.path.append('tests'); import website; website.built()",
]
SET_UP = ["make", "--silent", "PYTHON={bin}/python", ".venv/book"]
OWN_WHEEL = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "{folder}/wheels"}

CASES = [
    Case("make outputs", chapters, MAKE("outputs"), each("book"), 24),
    Case("make book", book, MAKE("book"), at_once("_build/html"), 12, BUILT, spread=1, vanish=True),
    Case("make notebooks", book, MAKE("--old-file=book", "notebooks"), at_once("_build/notebooks"),
         8, spread=1, vanish=True),
    Case("make book, make epub", for_readers, MAKE("book", "epub"),
         unzipped("_build/nnlab.epub"), 8, MAKE("epub"), spread=1),
    Case("make offline", site, MAKE("--old-file=book", "offline"),
         unzipped("_build/nnlab-offline.zip"), 60, spread=0.5),
    Case("make pdf", printed, MAKE("--old-file=offline", "pdf"), pages_of, 8, spread=0.5),
    Case("make site", site, MAKE(*(f"--old-file={name}" for name in ("pdf", "epub", "notebooks")),
         "site"), at_once("_build/site"), 200, vanish=True),
    Case("make quizzes", quizzes, MAKE("quizzes"),
         unzipped("_build/quizzes/01_logistic_regression.zip"), 40),
    Case("make slides", decks, MAKE("slides"), at_once("_build/slides"), 16, vanish=True, spread=1),
    Case("make assignments", course, MAKE("assignments"), released, 16),
    Case("make grade", batch, MAKE("SUBMISSIONS=course/handed_in", "grade"), marks, 24,
         check=gradebook),
    Case("make .venv/book", environment, SET_UP, set_up, 16, spread=1, environment=OWN_WHEEL),
    Case("a sweep", sweep, ["{bin}/python", "job.py"], each("runs"), 24),
    Case("a package from npm", package, ["{bin}/python", "job.py"], each(f"cache/{PACKAGE_FILE}"),
         50, spread=0.3),
    Case("this page", results, ["{bin}/python", "job.py"], each("README.md"), 100),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only the commands whose names hold one of these")
    parser.add_argument("--kills", type=int, help="for each command, instead of what it says here")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository to try")
    chosen = parser.parse_args()
    globals()["ROOT"] = chosen.root
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or the commands might ignore it
    lost = False
    for case in CASES:
        if chosen.words and not any(word in case.name for word in chosen.words):
            continue
        print(case.name, flush=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="kills-", ignore_cleanup_errors=True) as place:
            row = run(case, Path(place), random.Random(case.name), chosen.kills or case.kills)
        print(" ", row, f"{time.monotonic() - began:.0f} s", flush=True)
        lost |= bool(row["wrong"] or row["different"])
        tell(case.name, row)
    if lost:
        sys.exit("something was lost or half-written")


def tell(name: str, row: dict[str, int]) -> None:
    """Write a row of the table, in the place of the one from before."""
    section = tables.PAGE.read_text(encoding="utf-8").partition("<!-- kills -->")[2]
    found = re.findall(r"^\| (?!Command|---)(.+?) \|.*", section.partition("<!-- /kills")[0], re.M)
    lines = {one: line for one in found for line in section.splitlines() if f"| {one} |" in line}
    lines[name] = f"| {name} | {' | '.join(map(str, row.values()))} |"
    head = "| Stopped | Kills | Files | Neither old nor new | Run again | Ended otherwise |"
    order = [lines[case.name] for case in CASES if case.name in lines]
    tables.write("kills", "\n".join([head, f"|---|{'--:|' * 5}", *order]))


if __name__ == "__main__":
    main()
