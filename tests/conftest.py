"""What every test run has in common: no downloads, and nothing left out without saying so."""

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import isolation
import kernels
import npm
import pytest
from hypothesis import settings
from nbval.plugin import IPyNbCell

from nnlab.workers import usable_cores

kernels.settle()
_folder = TemporaryDirectory(ignore_cleanup_errors=True)
isolation.forbid(Path(_folder.name))

IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
NOT_COMPARED = "not compared"
NO_PYODIDE = "Pyodide's packages are not here"
# On another system than that of the saved outputs, last digits may differ: then asserts decide.
COMPARE = os.environ.get("COMPARE") or "strict"
if COMPARE not in ("strict", "asserts"):
    raise pytest.UsageError(f"COMPARE must be strict or asserts; got {COMPARE}")

# The files that take longest, which start first: the other workers share the rest meanwhile.
LONGEST = (
    *("test_live", "05_mnist", "08_", "07_", "06_", "09_", "test_browser"),
    *("test_assignments", "test_ledger", "claims", "04_xavier_he"),
)

# The same examples in every run, and no failure for being slow.
settings.register_profile("steady", derandomize=True, deadline=None)
# Others in every run, and many more: for test_properties.py, which multiplies by a hundredth of it.
settings.register_profile("thorough", deadline=None, max_examples=2000, database=None)
settings.load_profile("steady")


def pytest_xdist_auto_num_workers() -> int:
    """Half as many workers again as cores: they wait a third of the time, for browser or kernel."""
    return -(-3 * usable_cores() // 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start what takes longest first; compare no figures, and MNIST only where it is."""

    def rank(item):
        return next((i for i, name in enumerate(LONGEST) if name in item.path.name), len(LONGEST))

    items.sort(key=rank)
    cells = [item for item in items if isinstance(item, IPyNbCell)]
    for notebook in {cell.parent for cell in cells}:
        # No figures: their letters and lines move with the versions of the libraries.
        notebook.skip_compare += ("image/svg+xml",)
    if COMPARE == "asserts":
        for cell in cells:
            cell.options["check"] = False
    cells = [
        cell for cell in cells if cell.parent.nb.metadata.get("nnlab", {}).get("needs") == "mnist"
    ]
    if not cells or IN_CI:
        return
    from nnlab.datasets import mnist_is_local

    if not mnist_is_local():
        for cell in cells:
            cell.options["check"] = False
            cell.user_properties.append((NOT_COMPARED, cell.path.name))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail if anything has asked for the network, even where the error was caught."""
    if isolation.attempts() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what asked for the network, and what was not compared or not run."""
    if attempts := isolation.attempts():
        terminalreporter.section("asked for the network", red=True)
        terminalreporter.write_line("\n".join(attempts))
    reports = [report for found in terminalreporter.stats.values() for report in found]
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    if chapters := sorted({name for key, name in properties if key == NOT_COMPARED}):
        terminalreporter.section("outputs not compared", yellow=True)
        terminalreporter.write_line(
            f"MNIST is not here, so {', '.join(chapters)} ran on scikit-learn's digits: every\n"
            "assert was checked, but the outputs were not compared with the saved ones.\n"
            "`make data` (or `python -m nnlab.datasets`) downloads MNIST once."
        )
    if any(NO_PYODIDE in str(report.longrepr) for report in reports if hasattr(report, "longrepr")):
        terminalreporter.section("live pages not run", yellow=True)
        terminalreporter.write_line(
            "Pyodide's packages are not here, so no live page was run. `make offline LIVE=1`\n"
            "fetches them once; or name their folder in NNLAB_PYODIDE_DIR."
        )


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """In CI everything runs; only the other frameworks may be missing."""
    absent = re.search(r"could not import '(torch|keras|flax)'", str(report.longrepr))
    excused = hasattr(report, "wasxfail") or absent
    if IN_CI and report.skipped and not excused:
        report.outcome = "failed"
        report.longrepr = f"Nothing may be skipped in CI, but this was: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.fixture(scope="module")
def browser():
    """A Chromium without pages."""
    import pdf
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = pdf.launch(playwright)
        if browser is None:
            pytest.skip("there is no Chromium: install it, or say in CHROMIUM where it is")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> Path:
    """The script that looks for what keeps people out."""
    try:
        npm.unpack(npm.AXE, folder := tmp_path_factory.mktemp("axe"), download=False)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    (script,) = folder.rglob("axe.min.js")
    return script
