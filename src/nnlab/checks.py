"""Turn bad input away at the door, with a message that says what is valid."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

#: An array of float32 or float64.
Floats = NDArray[np.floating]


def one_of(name: str, value: Any, valid: Iterable[str]) -> str:
    """Return ``value`` if it is one of the names in ``valid``; else raise ``ValueError``.

    >>> one_of("mode", "fan_in", ("fan_in", "fan_out"))
    'fan_in'
    """
    names = list(valid)
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{name} must be one of {', '.join(sorted(names))}; got {value!r}")
    return value


def whole_number(name: str, value: Any, low: int = 0) -> int:
    """Return ``value`` as an ``int`` if it is a whole number of at least ``low``.

    >>> whole_number("step", 2.5)
    Traceback (most recent call last):
    TypeError: step must be a whole number; got 2.5 (float)
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be a whole number; got {value!r} ({type(value).__name__})")
    if value < low:
        raise ValueError(f"{name} must be at least {low}; got {value}")
    return int(value)


def positive_int(name: str, value: Any) -> int:
    """Return ``value`` as an ``int`` if it is a whole number of at least 1.

    >>> positive_int("epochs", 0)
    Traceback (most recent call last):
    ValueError: epochs must be at least 1; got 0
    """
    return whole_number(name, value, low=1)


def instance(name: str, value: Any, kind: type) -> Any:
    """Return ``value`` if it is a ``kind``; the class itself, without brackets, is none.

    >>> instance("activation", "relu", str)
    'relu'
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be an {kind.__name__}; got {value!r}")
    return value


def number(name: str, value: Any, *, low: float = -np.inf, above: float = -np.inf) -> float:
    """Return ``value`` as a finite ``float``, at least ``low`` and greater than ``above``.

    >>> number("gain", 2, above=0)
    2.0
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be a number; got {value!r} ({type(value).__name__})")
    try:
        found = float(value)
    except OverflowError:  # a whole number of more than 308 digits
        found = np.inf
    if not np.isfinite(found):
        raise ValueError(f"{name} must be finite; got {found!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}; got {value!r}")
    if value <= above:
        raise ValueError(f"{name} must be greater than {above}; got {value!r}")
    return found


def scalar(name: str, value: float, dtype: np.dtype[np.floating]) -> np.floating:
    """Return ``value`` in that dtype if it is finite there.

    >>> scalar("lr", 1e300, np.dtype("float32"))
    Traceback (most recent call last):
    ValueError: lr must be finite in float32; got 1e+300
    """
    with np.errstate(over="ignore"):
        found: np.floating = dtype.type(value)
    if not np.isfinite(found):
        raise ValueError(f"{name} must be finite in {dtype}; got {value!r}")
    return found


def sizes(value: Any) -> tuple[int, ...]:
    """Return the widths of a network, from its inputs to its outputs, as a tuple of ``int``.

    >>> sizes([784, 500, 10])
    (784, 500, 10)
    """
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str) or len(value) < 2:
        raise ValueError(
            "sizes must list the widths from the inputs to the outputs, "
            f"for example (784, 500, 10); got {value!r}"
        )
    return shape("sizes", value)


def shortcuts(value: Any, sizes: Sequence[int]) -> tuple[float | None, ...]:
    """Return each layer's shortcut: ``value`` between hidden layers of equal width, else None.

    >>> shortcuts(0.5, (784, 100, 100, 10)), shortcuts(None, (784, 100, 10))
    ((None, 0.5, None), (None, None))
    """
    depth = len(sizes) - 1
    if value is None:
        return (None,) * depth
    alpha = number("shortcut", value)
    fits = [0 < l < depth - 1 and sizes[l] == sizes[l + 1] for l in range(depth)]
    if not any(fits):
        raise ValueError(
            "shortcut needs two hidden layers of equal width, one after the other; "
            f"sizes {tuple(sizes)} have none"
        )
    return tuple(alpha if fit else None for fit in fits)


def shape(name: str, value: Any) -> tuple[int, ...]:
    """Return ``value``, a list of whole numbers of at least 1, as a tuple of ``int``.

    >>> shape("shape", [2, 3])
    (2, 3)
    """
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        raise ValueError(f"{name} must be a tuple of sizes; got {value!r}")
    return tuple(positive_int(f"every size in {name}", size) for size in value)


def generator(rng: Any) -> np.random.Generator:
    """Return ``rng`` if it is a NumPy ``Generator``; a seed or ``RandomState`` is refused.

    >>> rng = np.random.default_rng(0)
    >>> generator(rng) is rng
    True
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            "rng must be a numpy Generator, for example np.random.default_rng(0); "
            f"got {rng!r} ({type(rng).__name__})"
        )
    return rng


def float_dtype(dtype: Any) -> np.dtype[np.floating]:
    """Return ``dtype`` as a NumPy dtype if it is float32 or float64.

    >>> float_dtype(np.float32)
    dtype('float32')
    """
    try:
        found = np.dtype(dtype).name
    except (TypeError, ValueError, AttributeError):
        found = "unknown"
    if found not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64; got {dtype!r}")
    native: np.dtype[np.floating] = np.dtype(found)
    return native


def parameters(theta: Any) -> Floats:
    """Return ``theta`` if it is an array of floats that can be moved in place.

    >>> parameters(np.zeros(2))
    array([0., 0.])
    """
    if not isinstance(theta, np.ndarray) or theta.ndim == 0 or theta.dtype.kind != "f":
        raise TypeError(f"theta must be an array of floats; got {theta!r}")
    if not theta.flags.writeable:
        raise ValueError("theta must be writeable to be moved; this one is read-only")
    return theta


def array(name: str, value: Any, dtype: DTypeLike | None = None) -> np.ndarray:
    """Return ``value`` as an array of real numbers, of that dtype if one is given.

    >>> array("X", [[1, 2]], np.float64)
    array([[1., 2.]])
    """
    try:
        found = np.asarray(value)
    except ValueError:  # NumPy's message does not say which argument it is about.
        raise ValueError(f"{name} must be an array; its rows differ in length") from None
    if found.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers; got dtype {found.dtype}")
    with np.errstate(over="ignore"):  # Too large for float32 is infinity, which ``finite`` names.
        return found.astype(dtype or found.dtype, copy=False)


def finite(name: str, array: np.ndarray) -> np.ndarray:
    """Return ``array`` if it holds neither NaN nor infinity.

    >>> finite("X", np.array([1.0, np.nan]))
    Traceback (most recent call last):
    ValueError: X must be finite; X[1] is nan
    """
    # One pass that allocates nothing: a sum is finite only if every term is (or it overflowed).
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.sum(array)
    if not np.isfinite(total) and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))[0]
        where = ", ".join(str(i) for i in bad)
        raise ValueError(f"{name} must be finite; {name}[{where}] is {array[tuple(bad)]}")
    return array
