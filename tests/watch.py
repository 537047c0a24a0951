"""Sees to it that a cell of a chapter leaves alone what other cells have made.

Then a reader may run any cell twice, and a chapter without its check cells prints what the whole
one prints. An IPython extension, which :mod:`kernels` loads into every kernel.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import joblib
from cells import names

BOOK = Path(__file__).parent.parent / "book"


class Watch:
    """Watches the cells of a kernel."""

    def __init__(self, shell) -> None:
        self.shell = shell
        self.found: dict[str, str] = {}
        shell.events.register("pre_run_cell", self.before)
        shell.events.register("post_run_cell", self.after)

    def before(self, info) -> None:
        """Note what the cell reads that is there already."""
        read, _ = names(info.raw_cell)
        self.found = self.hashes(read & self.shell.user_ns.keys())

    def after(self, result) -> None:
        """Let the cell fail if it has changed some of that."""
        there = self.hashes(self.found)
        changed = sorted(name for name in self.found if there.get(name) != self.found[name])
        if result.success and changed:
            result.error_in_exec = AssertionError(
                f"this cell changes what other cells have made: {', '.join(changed)}. Run a second "
                "time, it would begin from something else. Let it make what it changes."
            )
            self.shell.showtraceback((AssertionError, result.error_in_exec, None))

    def hashes(self, wanted: Iterable[str]) -> dict[str, str]:
        """A hash of each of these objects in the kernel, by name."""
        found = {}
        for name in wanted:
            try:
                found[name] = joblib.hash(self.shell.user_ns[name])
            except Exception:  # modules, figures and the like cannot be pickled
                continue
        return found


def load_ipython_extension(shell) -> None:
    """Begin to watch; and let a chapter run where no file is beside it."""
    Watch(shell)
    if Path.cwd() == BOOK:
        os.chdir(empty := tempfile.mkdtemp())
        atexit.register(shutil.rmtree, empty, ignore_errors=True)
