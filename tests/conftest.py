"""What every test run has in common: no downloads, and nothing left out without saying so."""

import os
import re

import kernels
import pytest
from hypothesis import settings
from nbval.plugin import IPyNbCell, IPyNbFile

kernels.settle()

IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
NOT_COMPARED = pytest.StashKey[list[str]]()

# The same examples in every run, and no failure for being slow.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Compare no figures: their letters and lines move with the versions of the libraries."""
    if isinstance(collector, IPyNbFile):
        collector.skip_compare += ("image/svg+xml",)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run chapters on the stand-in for MNIST where that is all there is; do not compare then."""
    cells = [
        item
        for item in items
        if isinstance(item, IPyNbCell)
        and item.parent.nb.metadata.get("nnlab", {}).get("needs") == "mnist"
    ]
    if not cells or IN_CI:
        return
    from nnlab.datasets import mnist_is_local

    if not mnist_is_local():
        for cell in cells:
            cell.options["check"] = False
        config.stash[NOT_COMPARED] = sorted({cell.path.name for cell in cells})


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which chapters were run but not compared."""
    if chapters := config.stash.get(NOT_COMPARED, None):
        terminalreporter.section("outputs not compared", yellow=True)
        terminalreporter.write_line(
            f"MNIST is not here, so {', '.join(chapters)} ran on scikit-learn's digits: every\n"
            "assert was checked, but the outputs were not compared with the saved ones.\n"
            "`make data` (or `python -m nnlab.datasets`) downloads MNIST once."
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
