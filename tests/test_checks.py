"""Each check lets the good through unchanged, and names what is wrong with the bad."""

import re

import numpy as np
import pytest

from nnlab import checks

GOOD = {  # name: (call, what it returns)
    "one_of": (lambda: checks.one_of("mode", "b", ["a", "b"]), "b"),
    "one_of dict": (lambda: checks.one_of("mode", "b", {"a": 1, "b": 2}), "b"),
    "positive_int": (lambda: checks.positive_int("n", 1), 1),
    "positive_int numpy": (lambda: checks.positive_int("n", np.uint8(7)), 7),
    "number": (lambda: checks.number("lr", -2), -2.0),
    "number numpy": (lambda: checks.number("lr", np.float32(0.5)), 0.5),
    "number low": (lambda: checks.number("lr", 0, low=0), 0.0),
    "number above": (lambda: checks.number("lr", 1e-300, above=0), 1e-300),
    "sizes": (lambda: checks.sizes([2, np.int64(3)]), (2, 3)),
    "float_dtype": (lambda: checks.float_dtype("float32"), np.dtype("float32")),
    "float_dtype class": (lambda: checks.float_dtype(np.float64), np.dtype("float64")),
    "array": (lambda: checks.array("X", [[1, 2], [3, 4]]).tolist(), [[1, 2], [3, 4]]),
    "array dtype": (lambda: checks.array("X", [True], "float32").dtype, np.dtype("float32")),
    "array too large": (lambda: checks.array("X", [1e300], "float32").tolist(), [np.inf]),
}
BAD = {  # name: (call, error, message)
    "one_of": (
        lambda: checks.one_of("mode", "c", ["b", "a"]),
        ValueError,
        "mode must be one of a, b; got 'c'",
    ),
    "one_of unhashable": (
        lambda: checks.one_of("mode", [], {"a": 1}),
        ValueError,
        "mode must be one of a; got []",
    ),
    "positive_int 0": (lambda: checks.positive_int("n", 0), ValueError, "n must be at least 1"),
    "positive_int float": (
        lambda: checks.positive_int("n", 2.0),
        TypeError,
        "n must be a whole number; got 2.0 (float)",
    ),
    "positive_int bool": (lambda: checks.positive_int("n", True), TypeError, "got True (bool)"),
    "number text": (lambda: checks.number("lr", "1"), TypeError, "lr must be a number; got '1'"),
    "number bool": (lambda: checks.number("lr", True), TypeError, "got True (bool)"),
    "number nan": (lambda: checks.number("lr", np.nan), ValueError, "lr must be finite; got nan"),
    "number inf": (lambda: checks.number("lr", np.inf), ValueError, "lr must be finite; got inf"),
    "number low": (
        lambda: checks.number("lr", -1e-9, low=0),
        ValueError,
        "lr must be at least 0; got -1e-09",
    ),
    "number above": (
        lambda: checks.number("lr", 0, above=0),
        ValueError,
        "lr must be greater than 0; got 0",
    ),
    "sizes number": (lambda: checks.sizes(5), ValueError, "sizes must list the widths"),
    "sizes one": (lambda: checks.sizes((5,)), ValueError, "got (5,)"),
    "sizes zero": (lambda: checks.sizes((5, 0)), ValueError, "every size in sizes must be at"),
    "generator seed": (lambda: checks.generator(0), TypeError, "rng must be a numpy Generator"),
    "generator legacy": (
        lambda: checks.generator(np.random.RandomState(0)),
        TypeError,
        "(RandomState)",
    ),
    "float_dtype int": (
        lambda: checks.float_dtype(int),
        ValueError,
        "dtype must be float32 or float64; got <class 'int'>",
    ),
    "float_dtype half": (lambda: checks.float_dtype("float16"), ValueError, "got 'float16'"),
    "float_dtype unknown": (lambda: checks.float_dtype("flaot"), ValueError, "got 'flaot'"),
    "array text": (
        lambda: checks.array("X", ["a"]),
        TypeError,
        "X must hold real numbers; got dtype <U1",
    ),
    "array complex": (lambda: checks.array("X", [1j]), TypeError, "got dtype complex128"),
    "array ragged": (
        lambda: checks.array("X", [[1, 2], [3]]),
        ValueError,
        "X must be an array; its rows differ in length",
    ),
}


@pytest.mark.parametrize(("call", "expected"), GOOD.values(), ids=GOOD)
def test_the_good_goes_through(call, expected):
    found = call()
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_the_bad_is_named(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_generator_and_arrays_are_returned_themselves():
    rng, array = np.random.default_rng(0), np.ones((2, 3))
    assert checks.generator(rng) is rng
    assert checks.finite("X", array) is array
    assert checks.array("X", array, np.float64) is array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_takes_numbers_whose_sum_overflows(dtype):
    checks.finite("X", np.full(9, np.finfo(dtype).max))


@pytest.mark.parametrize("bad", [[np.nan], [np.inf], [-np.inf], [np.inf, -np.inf]])
def test_finite_says_where_and_what(bad):
    X = np.zeros((3, 4))
    X[1, 2 : 2 + len(bad)] = bad
    with pytest.raises(ValueError, match=re.escape(f"X must be finite; X[1, 2] is {bad[0]}")):
        checks.finite("X", X)
