"""The built site, for the tests that look at it."""

import os
import shutil
import subprocess
import sysconfig
import time
from functools import cache
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parent.parent
SITE = ROOT / "_build" / "html"
MARK = ROOT / "_build" / "without_warnings"  # as old as the start of the last build without any


def sources() -> list[Path]:
    """The files that the site is made from."""
    files = [*ROOT.glob("book/**/*"), *ROOT.glob("src/nnlab/*.py")]
    files = [path for path in files if path.is_file() and path.suffix != ".pyc"]
    return [ROOT / "_config.yml", ROOT / "_toc.yml", *files]


def built() -> Path:
    """The folder of the site; built first, with warnings as errors, unless it is up to date."""
    if complaint := _build():
        raise AssertionError(complaint)
    return SITE


@cache  # a build that fails, too: every test that needs the site would repeat it
def _build() -> str:
    """Build the site if it is old; return what went wrong, or nothing."""
    MARK.parent.mkdir(exist_ok=True)
    with FileLock(MARK.with_suffix(".lock")):  # tests run side by side
        newest = max(path.stat().st_mtime for path in sources())
        if SITE.exists() and MARK.exists() and MARK.stat().st_mtime >= newest:
            return ""
        start = time.time()
        shutil.rmtree(SITE, ignore_errors=True)  # or pages that are gone would be tested, too
        command = shutil.which("jupyter-book", path=sysconfig.get_path("scripts"))
        if command is None:
            return "jupyter-book is not installed in this environment"
        build = subprocess.run(
            [command, "build", ".", "--all", "-W", "-n", "--keep-going"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        if build.returncode:
            return build.stdout[-5000:]
        MARK.touch()
        os.utime(MARK, (start, start))
        return ""
