"""Turn bad input away at the door, with a message that says what is valid."""

from collections.abc import Iterable
from typing import Any

import numpy as np


def one_of(name: str, value: Any, valid: Iterable[str]) -> str:
    """Return ``value`` if it is one of the names in ``valid``; else raise ``ValueError``."""
    names = list(valid)
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{name} must be one of {', '.join(sorted(names))}; got {value!r}")
    return value


def positive_int(name: str, value: Any) -> int:
    """Return ``value`` as an ``int`` if it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number; got {value!r} ({type(value).__name__})")
    if value < 1:
        raise ValueError(f"{name} must be at least 1; got {value}")
    return int(value)


def number(name: str, value: Any, *, low: float = -np.inf, above: float = -np.inf) -> float:
    """Return ``value`` as a finite ``float``, at least ``low`` and greater than ``above``."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be a number; got {value!r} ({type(value).__name__})")
    if not np.isfinite(value):
        raise ValueError(f"{name} must be finite; got {value!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}; got {value!r}")
    if value <= above:
        raise ValueError(f"{name} must be greater than {above}; got {value!r}")
    return float(value)


def generator(rng: Any) -> np.random.Generator:
    """Return ``rng`` if it is a NumPy ``Generator``; a seed or ``RandomState`` is refused."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            "rng must be a numpy Generator, for example np.random.default_rng(0); "
            f"got {rng!r} ({type(rng).__name__})"
        )
    return rng


def float_dtype(dtype: Any) -> np.dtype:
    """Return ``dtype`` as a NumPy dtype if it is float32 or float64."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f"dtype must be float32 or float64; got {dtype!r}")
    return found


def finite(name: str, array: np.ndarray) -> np.ndarray:
    """Return ``array`` if it holds neither NaN nor infinity."""
    # One pass that allocates nothing: a sum is finite only if every term is (or it overflowed).
    if not np.isfinite(np.sum(array)) and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))[0]
        where = ", ".join(str(i) for i in bad)
        raise ValueError(f"{name} must be finite; {name}[{where}] is {array[tuple(bad)]}")
    return array
