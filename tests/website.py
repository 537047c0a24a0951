"""The built site, for the tests that look at it."""

import os
import re
import shutil
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
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


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder as PUBLISHING.md proposes; give its address, and the paths asked for."""
    advice = (ROOT / ".github" / "PUBLISHING.md").read_text(encoding="utf-8")
    page, live = re.findall(r'Content-Security-Policy "(.+?)" always', advice)
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def end_headers(self):  # what it forbids is an error of the page, in its console
            asked.append(self.path)
            policy = live if "/_live/" in self.path else page
            self.send_header("Content-Security-Policy", policy)
            super().end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()
