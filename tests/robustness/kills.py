"""Kill what writes files at random moments: `make test-kills`.

Each command runs on a small stand-in, again and again, and is killed: half of the times at a moment
of its whole run, half of the times just after it has begun to change a file. Every third kill is a
Ctrl-C, the others cannot be caught. Afterwards each file must be the one from before or the new
one; and the command, run again, must leave what it leaves when nobody stops it.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
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
                found = sorted((name, digest(archive.read(name))) for name in archive.namelist())
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
    environment = os.environ | case.environment | {
        "KILL_AT": f"{at} {after} {folder}",
        "KILL_SIGNAL": str(int(kind)),
        "KILL_LOG": str(folder.with_suffix(".log")),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
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


def run(case: Case, place: Path, rng: random.Random, kills: int) -> dict[str, object]:
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
        try:
            process.wait(timeout=None if at > 0 else rng.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            pass
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
        "kills": struck, "wrong": sum(found.values()), "files": len(new),
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


def MAKE(*targets: str) -> list[str]:
    """The project's own recipe, on the stand-in, without setting up an environment."""
    done = [f".venv/{name}" for name in ("book", "test", "instructors")]
    return ["make", "--silent", "BIN={bin}", *(f"--old-file={name}" for name in done), *targets]


CASES: list[Case] = [
    Case("make outputs", chapters, MAKE("outputs"), each("book"), 60),
    Case(
        "make book",
        book,
        MAKE("book"),
        at_once("_build/html"),
        30,
        vanish=True,
        spread=1,
        again=[
            "{bin}/python",
            "-c",
            "import sys; sys.path.append('tests'); import website; website.built()",
        ],
    ),
    Case(
        "make offline",
        site,
        MAKE("--old-file=book", "offline"),
        each("_build/nnlab-offline.zip"),
        100,
        spread=0.5,
    ),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only the commands whose names hold one of these")
    parser.add_argument("--kills", type=int, help="for each command, instead of what it says here")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository to try")
    chosen = parser.parse_args()
    globals()["ROOT"] = chosen.root
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or the commands might ignore it
    for case in CASES:
        if chosen.words and not any(word in case.name for word in chosen.words):
            continue
        print(case.name, flush=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="kills-", ignore_cleanup_errors=True) as place:
            row = run(case, Path(place), random.Random(case.name), chosen.kills or case.kills)
        print(" ", row, f"{time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
