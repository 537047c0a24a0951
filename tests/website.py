"""The built site: `make book`, and for the tests that look at it.

Everything is built aside and moved when it is whole, so that nothing takes a build that was stopped
for a site. `notebooks` or `epub` on the command line builds those.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from nnlab.files import whole

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "_build"
SITE = BUILD / "html"
ASIDE = BUILD / "aside"
STRICT = ("-W", "-n", "--keep-going")  # warnings are errors, and all of them are shown
MARK = BUILD / "without_warnings"  # as old as the start of the build that made the site


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
    from filelock import FileLock  # only tests run side by side

    BUILD.mkdir(exist_ok=True)
    with FileLock(MARK.with_suffix(".lock")):
        newest = max(path.stat().st_mtime for path in sources())
        if MARK.exists() and MARK.stat().st_mtime >= newest and MARK.read_text() == marks():
            return ""
        done = build("html", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout[-5000:] if done.returncode else ""


def marks() -> str:
    """What the site's files look like, whoever has changed them, and the addresses in them."""
    looks = [
        (path.as_posix(), stat.st_size, stat.st_mtime_ns)
        for path in sorted(SITE.rglob("*"))
        if (stat := path.stat())
    ]
    addresses = [os.environ.get(name, "") for name in ("SITE_URL", "REPOSITORY_URL")]
    return hashlib.sha256(json.dumps([looks, addresses]).encode()).hexdigest()


def build(kind: str, **how) -> subprocess.CompletedProcess:
    """Build the html, the notebooks or the epub into _build; a warning is an error."""
    command = shutil.which("jupyter-book", path=sysconfig.get_path("scripts"))
    if command is None:
        raise FileNotFoundError("jupyter-book is not installed in this environment")
    options = [*STRICT, "--path-output", str(ASIDE)]
    made, target = ASIDE / "_build" / kind, BUILD / kind
    if kind == "html":
        shutil.rmtree(ASIDE, ignore_errors=True)  # with what was read for a build that was stopped
        options.append("--all")
    else:
        shutil.rmtree(made, ignore_errors=True)  # or what is gone would stay
        options += ["--builder", "custom", "--custom-builder", kind]
    start = time.time()
    done = subprocess.run(
        [command, "build", ".", *options], cwd=ROOT, encoding="utf-8", errors="replace", **how
    )
    if done.returncode:
        return done
    if kind == "epub":
        made, target = made / "nnlab.epub", BUILD / "nnlab.epub"
    with whole(target) as part:
        made.replace(part)
    if kind == "html":
        with whole(MARK) as part:
            part.write_text(marks())
            os.utime(part, (start, start))
    return done


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


if __name__ == "__main__":
    if status := build(*sys.argv[1:] or ["html"]).returncode:
        sys.exit(status)
    print(f"It was moved to {BUILD}.")
