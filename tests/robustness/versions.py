"""Test with other versions, on other processors; write which outputs stayed the same.

    python tests/robustness/versions.py oldest newest    make test-oldest, make test-newest
    python tests/robustness/versions.py machines         make test-machines

Each run has an environment of its own below _build. A processor is imitated: OpenBLAS and NumPy
leave out what it does not have. There every chapter is compared with its saved outputs; with
other versions its asserts decide.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import tables

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "_build"
LOCK = ["--require-hashes", "-r", "tests/requirements.txt"]
RANGES = ["-r", "pyproject.toml", "--extra", "book", "--extra", "test", "--extra", "instructors"]
SITE = ("browser", "site", "pages", "run_copies", "slides", "epub")  # needs the built pages
WITHOUT_SITE = [part for name in SITE for part in ("--ignore-glob", f"*/test_{name}.py")]
CHAPTERS = ["tests/conftest.py", "book"]  # the first says how chapters are compared
HEADER = """\
| run | Python | NumPy, SciPy, Matplotlib | OpenBLAS | threads | passed | failed |
|---|---|---|---|---|---|---|
"""
PROBE = """
import json, platform, matplotlib, numpy, scipy.linalg, threadpoolctl
blas = [each for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"]
print(json.dumps([
    platform.python_version(),
    ", ".join([numpy.__version__, scipy.__version__, matplotlib.__version__]),
    ", ".join(sorted({each["architecture"] for each in blas})),
    str(max(each["num_threads"] for each in blas)),
]))
"""
# What NumPy does without on processors that came before AVX-512, and before AVX2.
LATER = ("AVX512", "X86_V4"), ("AVX512", "X86_V4", "X86_V3", "AVX2", "FMA3")


@dataclass(frozen=True)
class Run:
    """One environment, on one processor."""

    install: list[str]
    tests: list[str]
    python: str = "3.11"
    threads: int = 1
    processor: str = ""
    without: tuple[str, ...] = ()
    compare: str = "strict"


ASSERTS = "asserts"
OLDEST = ["-W", "ignore::DeprecationWarning"]  # what was new then may be deprecated now
RUNS = {
    "oldest": Run(
        [*RANGES, "--resolution", "lowest-direct"], [*WITHOUT_SITE, *OLDEST], compare="asserts"
    ),
    "newest": Run([*RANGES, "--upgrade"], [], python="3.13", compare=ASSERTS),
    # Processor, Python and threads change together: three runs see three of each.
    "nehalem": Run(LOCK, CHAPTERS, "3.11", 1, "Nehalem", LATER[1]),
    "sandybridge": Run(LOCK, CHAPTERS, "3.12", 2, "Sandybridge", LATER[1]),
    "haswell": Run(LOCK, CHAPTERS, "3.13", 4, "Haswell", LATER[0]),
}
GROUPS = {"machines": ["nehalem", "sandybridge", "haswell"]}


def environment(name: str, run: Run) -> Path | None:
    """Make the environment of a run; return its Python, or None if there is none to be had."""
    folder = BUILD / f"env-{name}"
    uv = ["uv", "--quiet"]
    if subprocess.run(
        [*uv, "venv", "--clear", "--python", run.python, folder], cwd=ROOT
    ).returncode:
        return None
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [*uv, "pip", "install", "--python", python]
    subprocess.run([*install, *run.install], cwd=ROOT, check=True)
    subprocess.run([*install, "--no-deps", "-e", "."], cwd=ROOT, check=True)
    return python


def measure(name: str, run: Run) -> list[str]:
    """Run the tests; return a row of the table."""
    python = environment(name, run)
    if python is None:
        return [name, f"{run.python} is not here", *[""] * 5]
    env = os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    env["COMPARE"] = run.compare
    env["BLAS_THREADS"] = env["OPENBLAS_NUM_THREADS"] = str(run.threads)
    if run.processor:
        env["OPENBLAS_CORETYPE"] = run.processor
        code = "from numpy._core._multiarray_umath import __cpu_dispatch__ as d; print(*d)"
        extras = subprocess.check_output([python, "-c", code], text=True).split()
        left_out = [each for each in extras if each.startswith(run.without)]
        env["NPY_DISABLE_CPU_FEATURES"] = " ".join(left_out)
    probed = subprocess.check_output([python, "-W", "ignore", "-c", PROBE], env=env, text=True)
    report = BUILD / f"env-{name}.xml"
    report.unlink(missing_ok=True)
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", *run.tests]
    subprocess.run(command, cwd=ROOT, env=env)
    if not report.exists():
        return [name, *json.loads(probed), "0", "no test ran"]
    counts = ElementTree.parse(report).getroot().find("testsuite").attrib
    failed = int(counts["failures"]) + int(counts["errors"])
    passed = int(counts["tests"]) - failed - int(counts["skipped"])
    return [name, *json.loads(probed), str(passed), str(failed)]


def main(wanted: list[str]) -> None:
    names = [name for each in wanted for name in GROUPS.get(each, [each])]
    lines = tables.PAGE.read_text(encoding="utf-8").splitlines()
    written = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = {row[0]: row for row in written if row[0] in RUNS}
    for name in names:
        rows[name] = measure(name, RUNS[name])
        lines = [f"| {' | '.join(rows[each])} |" for each in RUNS if each in rows]
        tables.write("versions", HEADER + "\n".join(lines))
    sys.exit(any(rows[name][-1] not in ("0", "") for name in names))


if __name__ == "__main__":
    main(sys.argv[1:])
