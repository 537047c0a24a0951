"""BENCHMARKS.md was measured with the engine as it is."""

import re

import bench
import pytest
from test_layers import FILES, imports

SOURCE = '''"""A module."""

X = {"a": 1}  # a comment


def f(x):
    """What it returns.

    >>> f(1)
    2
    """
    return x + 1
'''


def test_benchmarks_are_no_older_than_the_engine():
    found = re.search(r"Engine: `(\w+)`", bench.FILE.read_text(encoding="utf-8"))
    assert found, "BENCHMARKS.md does not say which engine it is about"
    message = "The engine has changed since BENCHMARKS.md was written: run `make bench`"
    assert found[1] == bench.fingerprint(), message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A module", "The module"),
        ("  # a comment", ""),
        ("# a comment", "# two comments"),
        ("    >>> f(1)\n    2\n", ""),
        ("\n\n\ndef", "\n\n\n# f:\ndef"),
        ("\n\n\ndef", "\n\ndef"),
        ("def f(x)", 'def f(x: "int | float") -> dict[str, int]'),
        ("def f(x)", "def f(\n    x: int,\n) -> tuple[\n    int, str\n]"),
        ("X = {", "X: dict[str, int] = {"),
        ("X = {", "Ω: int\nX = {"),
    ],
)
def test_words_do_not_count(old, new):
    assert old in SOURCE
    assert bench.code_of(SOURCE.replace(old, new)) == bench.code_of(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("x + 1", "x + 2"), ('"a"', '"b"'), ("f(x)", "f(y)"), ("f(x)", "f(x: int = 1)")],
)
def test_code_counts(old, new):
    assert bench.code_of(SOURCE.replace(old, new)) != bench.code_of(SOURCE)


def test_all_that_a_step_runs_through_is_in_the_fingerprint():
    """Every module that training imports, and these in turn, but for data."""
    inside = {path.stem: path for path in FILES}
    seen, new = set(), {"training"}
    while new:
        seen |= new
        new = (
            {
                name.split(".")[1]
                for module in new
                for name in imports(inside[module])
                if name.startswith("nnlab.")
            }
            - seen
            - {"datasets"}
        )
    assert seen == set(bench.ENGINE)
