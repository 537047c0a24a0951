"""Try many random networks, others in every run, and write what came of it: make test-networks.

python tests/robustness/networks.py
"""

import sys
from collections import Counter
from pathlib import Path

import pytest
import tables

FILE = Path(__file__).parent.parent / "test_properties.py"
OPTIONS = ["-q", "--numprocesses=0", "--hypothesis-profile=thorough", "-p", "no:cacheprovider"]


class Failures:
    """What failed, by the name of the test."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count it."""
        self.count[report.nodeid.split("::")[-1].split("[")[0]] += report.failed


def main() -> None:
    failures = Failures()
    code = pytest.main([*OPTIONS, str(FILE)], plugins=[failures])
    module = sys.modules[FILE.stem]
    rows = [
        f"| {getattr(module, test).__doc__} | {len(shares):,} | {max(shares):.2g} "
        f"| {failures.count[test]} |"
        for test, shares in module.TRIED.items()
    ]
    tables.write(
        "networks",
        "Random shapes, ensembles, activations, losses, initialisers, normalisers and shortcuts. "
        "The error is the\nlargest, as a share of what the test allows "
        "([test_properties.py](../test_properties.py)): above 1, it fails.\n\n"
        "| Property | Networks | Error | Failures |\n|---|--:|--:|--:|\n" + "\n".join(rows),
    )
    raise SystemExit(code)


if __name__ == "__main__":
    main()
