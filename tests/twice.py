"""Run a second time, at once, each cell that changes what other cells have made.

Loaded by a kernel; see test_rerun.py.
"""

import joblib
from cells import names


def _hashes(shell, wanted) -> dict[str, str]:
    """A hash of each of these objects in the kernel, by name."""
    found = {}
    for name in wanted:
        try:
            found[name] = joblib.hash(shell.user_ns[name])
        except Exception:  # modules, figures and the like cannot be pickled
            continue
    return found


class Twice:
    """Watches the cells of a kernel."""

    def __init__(self, shell) -> None:
        self.shell = shell
        self.found: dict[str, str] = {}
        self.error: BaseException | None = None
        self.again = False
        shell.events.register("pre_run_cell", self.before)
        shell.events.register("post_run_cell", self.after)

    def before(self, info) -> None:
        """Note what the cell reads that is there already."""
        if not self.again:
            read, _ = names(info.raw_cell)
            there = {name for name, value in self.shell.user_ns.items() if value is not self}
            self.found = _hashes(self.shell, read & there)

    def after(self, result) -> None:
        """Run the cell again if it has changed some of that."""
        if self.again or not result.success or _hashes(self.shell, self.found) == self.found:
            return
        source = result.info.raw_cell
        print("again:", source.splitlines()[0])
        self.again = True
        self.error = self.shell.run_cell(source).error_in_exec
        self.again = False

    def check(self) -> None:
        """Raise what a second run has raised."""
        if self.error:
            raise self.error
