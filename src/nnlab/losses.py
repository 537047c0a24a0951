r"""What is minimised: the mean loss over a batch, computed from logits, and its gradient.

A loss takes the network's outputs before any squashing (the logits), so it never takes the
logarithm of a number that has been rounded to 0. Call it for the value; ``value_and_gradient``
gives both. **All of them return the mean over the batch**, and the gradient is of that mean.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnlab import checks
from nnlab.checks import Floats

Shape = tuple[int, ...]
Step = Callable[[Floats, np.ndarray, Floats, Floats], None]


@dataclass(frozen=True)
class Loss:
    """A loss of logits Z (..., batch, outputs) against targets y.

    Leading axes of ``Z`` are an ensemble, and one value is returned for each member.
    ``y`` is (batch,), or (..., batch) with the ensemble's axes; for the mean squared error it has
    the outputs as its last axis too.

    Parameters
    ----------
    name : str
        What it is called.
    is_classifier : bool
        Whether the targets are classes, so that there is an accuracy.
    start_ : callable
        ``start_(Z)`` returns a function ``step(Z, y, value, dZ)`` for logits like Z, that writes
        the mean loss and its gradient, unchecked: for inner loops. It keeps whatever arrays the
        work needs, so a step allocates none.
    check_ : callable
        ``check_(shape, y)`` returns ``y`` if it fits logits of that shape.
    correct_ : callable, optional
        ``correct_(Z, y)`` says which examples are classified correctly.

    Examples
    --------
    >>> import numpy as np
    >>> float(binary_cross_entropy(np.zeros((4, 1)), np.array([0, 1, 1, 0])).round(4))
    0.6931
    """

    name: str
    is_classifier: bool
    start_: Callable[[Floats], Step] = field(repr=False)
    check_: Callable[[Shape, np.ndarray], np.ndarray] = field(repr=False)
    correct_: Callable[[Floats, np.ndarray], NDArray[np.bool]] | None = field(
        default=None, repr=False
    )

    def __call__(self, Z: ArrayLike, y: ArrayLike) -> Floats:
        """Return the mean loss over the batch: the first half of :meth:`value_and_gradient`.

        Parameters
        ----------
        Z : array_like (..., batch, outputs)
            Logits.
        y : array_like
            Labels or targets.

        Returns
        -------
        ndarray (...)
            One value an ensemble member.
        """
        return self.value_and_gradient(Z, y)[0]

    def value_and_gradient(self, Z: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Return the mean loss over the batch and ∂L/∂Z.

        Parameters
        ----------
        Z : array_like (..., batch, outputs)
            Logits.
        y : array_like
            Labels (..., batch) of 0 … classes − 1, or targets (..., batch, outputs).

        Returns
        -------
        value : ndarray (...)
            The mean loss; infinite, with NumPy's warning, where it or the sum is beyond the dtype.
        dZ : ndarray (..., batch, outputs)
            Its gradient, of the shape and dtype of ``Z``.

        Raises
        ------
        ValueError
            If the shapes do not fit, the batch is empty, or a label is outside the classes.

        Examples
        --------
        >>> import numpy as np
        >>> value, dZ = binary_cross_entropy.value_and_gradient(np.zeros((2, 1)), [0, 1])
        >>> dZ.tolist()
        [[0.25], [-0.25]]
        """
        Z = _as_logits(Z)
        y = self.check(Z.shape, y)
        value, dZ = np.empty(Z.shape[:-2], Z.dtype), np.empty_like(Z)
        self.start_(Z)(Z, y, value, dZ)
        return value[()], dZ

    def accuracy(self, Z: ArrayLike, y: ArrayLike) -> Floats:
        """Return the share of the batch that is classified correctly.

        Parameters
        ----------
        Z : array_like (..., batch, outputs)
            Logits.
        y : array_like
            Labels (..., batch).

        Returns
        -------
        ndarray (...)
            From 0 to 1; NaN where a logit is not finite, for a network that has diverged classifies
            nothing.

        Raises
        ------
        ValueError
            If the loss is not over classes, or as for :meth:`value_and_gradient`.

        Examples
        --------
        >>> float(binary_cross_entropy.accuracy([[-1.0], [2.0], [3.0], [4.0]], [0, 1, 1, 0]))
        0.75
        """
        if not self.is_classifier or self.correct_ is None:
            raise ValueError(f"accuracy needs a loss over classes; {self.name} has none")
        Z = _as_logits(Z)
        share = self.correct_(Z, self.check(Z.shape, y)).mean(-1)
        return np.where(np.isfinite(Z).all((-2, -1)), share, np.nan)

    def check(self, shape: Shape, y: ArrayLike) -> np.ndarray:
        """Return ``y`` as an array if it fits logits of that shape.

        Parameters
        ----------
        shape : tuple of int
            Of the logits, (..., batch, outputs).
        y : array_like
            Labels or targets.

        Returns
        -------
        ndarray
            Labels become int64.

        Raises
        ------
        ValueError
            If it does not fit.

        Examples
        --------
        >>> softmax_cross_entropy.check((2, 3), [0.0, 2.0])
        array([0, 2])
        """
        if len(shape) < 2 or shape[-2] < 1:
            raise ValueError(f"logits must be (..., batch ≥ 1, outputs); got shape {tuple(shape)}")
        return self.check_(shape, checks.array("y", y))


def _as_logits(Z: ArrayLike) -> Floats:
    Z = checks.array("logits", Z)
    return Z if Z.dtype.kind == "f" else Z.astype(np.float64)


def _check_labels(shape: Shape, y: np.ndarray, classes: int) -> np.ndarray:
    if y.shape != shape[-2:-1] and y.shape != shape[:-1]:
        raise ValueError(
            f"y must be labels of shape {shape[-2:-1]} (one an example); got shape {y.shape}"
        )
    wrong = (y < 0) | (y >= classes) | (y != np.trunc(y))
    if wrong.any():
        raise ValueError(
            f"y must hold whole-number labels from 0 to {classes - 1}; got {y[wrong][0]}"
        )
    return y.astype(np.int64, copy=False)


def _check_binary(shape: Shape, y: np.ndarray) -> np.ndarray:
    if shape[-1] != 1:
        raise ValueError(f"binary_cross_entropy needs 1 output, not {shape[-1]}")
    return _check_labels(shape, y, classes=2)


def _check_classes(shape: Shape, y: np.ndarray) -> np.ndarray:
    if shape[-1] < 2:
        raise ValueError(f"softmax_cross_entropy needs at least 2 outputs, not {shape[-1]}")
    return _check_labels(shape, y, classes=shape[-1])


def _check_targets(shape: Shape, y: np.ndarray) -> np.ndarray:
    if y.shape not in (shape[-2:], shape):
        raise ValueError(f"y must be targets of shape {shape[-2:]}; got shape {y.shape}")
    return checks.finite("y", y)


def _binary_cross_entropy(Z: Floats) -> Step:
    n = Z.shape[-2]
    sign, t, e = np.empty(Z.shape[:-1], Z.dtype), np.empty_like(Z[..., 0]), np.empty_like(Z[..., 0])

    def step(Z: Floats, y: np.ndarray, value: Floats, dZ: Floats) -> None:
        # With labels as ±1 both cases are one: the loss is log(1 + e^t), its slope ±σ(t).
        sign[...] = y
        np.subtract(1, np.multiply(sign, 2, out=sign), out=sign)
        np.multiply(sign, Z[..., 0], out=t)
        dz = np.negative(t, out=dZ[..., 0])
        with np.errstate(over="ignore"):  # Where e^−t is infinite, σ(t) is 0 to the last digit.
            np.exp(dz, out=dz)
        np.add(dz, 1, out=dz)
        np.divide(np.divide(sign, n, out=sign), dz, out=dz)
        # log(1 + e^t) = max(t, 0) + log(1 + e^−|t|), whose exponent is never positive.
        np.exp(np.negative(np.abs(t, out=e), out=e), out=e)
        np.add(np.maximum(t, 0, out=t), np.log1p(e, out=e), out=t)
        np.divide(np.add.reduce(t, -1, out=value), n, out=value)

    return step


def _softmax_cross_entropy(Z: Floats) -> Step:
    classes, is_hit, hit = np.arange(Z.shape[-1]), np.empty_like(Z, bool), np.empty_like(Z)
    column, each = np.empty_like(Z[..., :1]), np.empty_like(Z[..., 0])
    lowest = np.finfo(Z.dtype).min

    def step(Z: Floats, y: np.ndarray, value: Floats, dZ: Floats) -> None:
        hit[...] = np.equal(classes, y[..., None], out=is_hit)
        np.max(Z, -1, keepdims=True, out=column)
        with np.errstate(over="ignore"):  # Logits further apart than any float are as far as it.
            P = np.subtract(Z, column, out=dZ)
        np.maximum(P, lowest, out=P)
        np.einsum("...k,...k->...", P, hit, out=each)  # the logit of the label
        np.exp(P, out=P)
        np.sum(P, -1, keepdims=True, out=column)
        np.divide(P, column, out=P)
        np.subtract(P, hit, out=P)
        np.divide(P, Z.shape[-2], out=P)
        np.log(column, out=column)
        np.subtract(column[..., 0], each, out=each)
        np.divide(np.add.reduce(each, -1, out=value), Z.shape[-2], out=value)

    return step


def _mean_squared_error(Z: Floats) -> Step:
    square = np.empty_like(Z)

    def step(Z: Floats, y: np.ndarray, value: Floats, dZ: Floats) -> None:
        np.subtract(Z, y, out=dZ)
        np.square(dZ, out=square)
        np.mean(square, (-2, -1), out=value)
        np.multiply(dZ, 2 / (Z.shape[-2] * Z.shape[-1]), out=dZ)

    return step


def _binary_correct(Z: Floats, y: np.ndarray) -> NDArray[np.bool]:
    right: NDArray[np.bool] = (Z[..., 0] > 0) == y
    return right


def _classes_correct(Z: Floats, y: np.ndarray) -> NDArray[np.bool]:
    right: NDArray[np.bool] = Z.argmax(-1) == y
    return right


#: For one output z and labels 0 and 1, the mean over the batch of
#:
#: .. math::
#:    & -y \log \sigma(z) - (1 - y) \log(1 - \sigma(z)) \\
#:    & \quad = \log(1 + e^z) - yz
#:
#: with the gradient :math:`(\sigma(z) - y)/n` for a batch of n. An output above 0 means class 1.
binary_cross_entropy = Loss(
    "binary_cross_entropy",
    True,
    _binary_cross_entropy,
    _check_binary,
    _binary_correct,
)
#: For K outputs and labels k from 0 to K − 1, the mean over the batch of
#:
#: .. math:: -\log p_k, \qquad p_j = e^{z_j} \Big/ \sum_i e^{z_i}
#:
#: with the gradient :math:`(p_j - [j = k])/n` for a batch of n. The largest output is the answer.
softmax_cross_entropy = Loss(
    "softmax_cross_entropy",
    True,
    _softmax_cross_entropy,
    _check_classes,
    _classes_correct,
)
#: The mean of :math:`(z - y)^2` over the batch **and over the outputs**, with the gradient
#: :math:`2(z - y)/(nm)` for a batch of n and m outputs. There is no factor of 1/2.
mean_squared_error = Loss("mean_squared_error", False, _mean_squared_error, _check_targets)

#: Every loss by its name.
LOSSES = {
    each.name: each for each in (binary_cross_entropy, softmax_cross_entropy, mean_squared_error)
}


def get(loss: str | Loss) -> Loss:
    """Return the loss of that name; a :class:`Loss` is returned as it is.

    Parameters
    ----------
    loss : str or Loss
        A name of :data:`LOSSES`, or the object.

    Returns
    -------
    Loss

    Raises
    ------
    ValueError
        If there is no loss of that name. The message lists the names.

    Examples
    --------
    >>> get("mean_squared_error")
    Loss(name='mean_squared_error', is_classifier=False)
    """
    if isinstance(loss, Loss):
        return loss
    return LOSSES[checks.one_of("loss", loss, LOSSES)]
