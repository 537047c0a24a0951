r"""The functions φ that turn a pre-activation z into an activation a, each with its derivative.

Every activation is an :class:`Activation`: call it for φ(z), call its ``derivative`` for φ′(z).
All of them accept any finite float without overflow and keep the dtype they are given.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnlab import checks
from nnlab.checks import Floats


@dataclass(frozen=True)
class Activation:
    r"""An activation function and its derivative, both elementwise.

    Parameters
    ----------
    name : str
        What it is called.
    function : callable
        ``function(Z, out, *arguments)`` writes φ(Z) into ``out``.
    slope : callable
        ``slope(Z, A, out, *arguments)`` writes φ′(Z) into ``out``; A = φ(Z) is there for those
        that are cheaper from A.
    bounds : tuple of (float, float)
        The infimum and the supremum of φ. An activation near a finite bound is *saturated*.
    arguments : tuple of float
        What else the two functions take: the slope of the leaky ReLU, for example. Functions of a
        module with arguments can be pickled, a lambda cannot.

    Examples
    --------
    >>> import numpy as np
    >>> tanh(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.7616])
    >>> tanh.derivative(np.array([0.0, 1.0])).round(4)
    array([1.  , 0.42])
    """

    name: str
    function: Callable[..., object] = field(repr=False)
    slope: Callable[..., object] = field(repr=False)
    bounds: tuple[float, float] = (-np.inf, np.inf)
    arguments: tuple[float, ...] = field(default=(), repr=False)

    def __call__(self, Z: ArrayLike, out: Floats | None = None) -> Floats:
        """Return φ(Z), elementwise.

        Parameters
        ----------
        Z : array_like
            Pre-activations, of any shape.
        out : ndarray, optional
            Where to write the result; must not be ``Z`` itself.

        Returns
        -------
        ndarray
            φ(Z), of the shape and dtype of ``Z``; integers become float64.

        Raises
        ------
        TypeError, ValueError
            If ``Z`` does not hold real numbers, or ``out`` has another shape.
        """
        Z = _as_float("Z", Z)
        out = _buffer(Z, out)
        self.function(Z, out, *self.arguments)
        return out

    def derivative(
        self, Z: ArrayLike, A: ArrayLike | None = None, out: Floats | None = None
    ) -> Floats:
        """Return φ′(Z), elementwise.

        Parameters
        ----------
        Z : array_like
            Pre-activations, of any shape.
        A : ndarray, optional
            φ(Z), if it is known already; saves computing it again.
        out : ndarray, optional
            Where to write the result; must be neither ``Z`` nor ``A``.

        Returns
        -------
        ndarray
            φ′(Z), of the shape and dtype of ``Z``. At a kink (ReLU's 0) it is the left slope.

        Raises
        ------
        TypeError, ValueError
            If ``Z`` or ``A`` does not hold real numbers, or a shape differs.
        """
        Z = _as_float("Z", Z)
        A = self(Z) if A is None else _as_float("A", A)
        if A.shape != Z.shape:
            raise ValueError(f"A must have the shape {Z.shape} of Z; got {A.shape}")
        out = _buffer(Z, out)
        self.slope(Z, A, out, *self.arguments)
        return out


def _as_float(name: str, Z: ArrayLike) -> Floats:
    Z = checks.array(name, Z)
    return Z if Z.dtype.kind == "f" else Z.astype(np.float64)


def _buffer(Z: Floats, out: Floats | None) -> Floats:
    if out is None:
        return np.empty_like(Z)
    if not isinstance(out, np.ndarray) or out.shape != Z.shape or out.dtype.kind != "f":
        raise ValueError(f"out must be an array of floats of the shape {Z.shape}; got {out!r}")
    return out


def _identity(Z: Floats, out: Floats) -> None:
    out[...] = Z


def _identity_slope(Z: Floats, A: Floats, out: Floats) -> None:
    out[...] = 1


def _sigmoid(Z: Floats, out: Floats) -> None:
    np.negative(Z, out=out)
    with np.errstate(over="ignore"):  # Where e^−z is infinite, σ(z) is 0 to the last digit.
        np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.divide(1, out, out=out)


def _sigmoid_slope(Z: Floats, A: Floats, out: Floats) -> None:
    np.subtract(1, A, out=out)
    out *= A


def _tanh(Z: Floats, out: Floats) -> None:
    np.tanh(Z, out=out)


def _tanh_slope(Z: Floats, A: Floats, out: Floats) -> None:
    np.multiply(A, A, out=out)
    np.subtract(1, out, out=out)


def _relu(Z: Floats, out: Floats) -> None:
    np.maximum(Z, 0, out=out)


def _relu_slope(Z: Floats, A: Floats, out: Floats) -> None:
    np.sign(A, out=out)


def _leaky(Z: Floats, out: Floats, alpha: float) -> None:
    np.minimum(Z, 0, out=out)
    out *= alpha
    np.copyto(out, Z, where=Z > 0)


def _leaky_slope(Z: Floats, A: Floats, out: Floats, alpha: float) -> None:
    out[...] = alpha
    np.copyto(out, 1, where=Z > 0)


def _elu(Z: Floats, out: Floats, scale: float = 1.0, alpha: float = 1.0) -> None:
    np.minimum(Z, 0, out=out)
    np.expm1(out, out=out)
    out *= alpha
    np.copyto(out, Z, where=Z > 0)
    out *= scale


def _elu_slope(Z: Floats, A: Floats, out: Floats, scale: float = 1.0, alpha: float = 1.0) -> None:
    np.add(A, scale * alpha, out=out)
    np.copyto(out, scale, where=Z > 0)


@cache
def _ndtr() -> Any:
    """Return Φ, once: SciPy is imported for the first GELU, and not for the other activations."""
    from scipy.special import ndtr

    return ndtr


def _gelu(Z: Floats, out: Floats) -> None:
    np.multiply(Z, _ndtr()(Z), out=out)


def _gelu_slope(Z: Floats, A: Floats, out: Floats) -> None:
    # Beyond 40 the density is 0 in any float; without the bound z² would overflow.
    np.clip(Z, -40, 40, out=out)
    density = np.exp(-0.5 * out * out) / np.sqrt(2 * np.pi).astype(Z.dtype)
    out *= density
    out += _ndtr()(Z)


def _silu(Z: Floats, out: Floats) -> None:
    _sigmoid(Z, out)
    out *= Z


def _silu_slope(Z: Floats, A: Floats, out: Floats) -> None:
    # φ′ = σ + zσ(1−σ) = σ + a(1−σ)
    _sigmoid(Z, out)
    out += A * (1 - out)


#: λ of :data:`selu`. With α it makes mean 0 and variance 1 a fixed point of a layer:
#: Klambauer et al. (2017), sec. 2.
SELU_SCALE = 1.0507009873554805
#: α of :data:`selu`.
SELU_ALPHA = 1.6732632423543772

#: The identity :math:`\varphi(z) = z`, with the slope 1. It makes a network linear.
identity = Activation("identity", _identity, _identity_slope)

#: The logistic function :math:`\sigma(z) = 1/(1 + e^{-z})`.
#: Its slope :math:`\sigma(z)(1 - \sigma(z))` is at most 1/4.
sigmoid = Activation("sigmoid", _sigmoid, _sigmoid_slope, (0.0, 1.0))

#: The hyperbolic tangent :math:`\tanh z = (e^z - e^{-z})/(e^z + e^{-z})`.
#: Its slope :math:`1 - \tanh^2 z` is at most 1.
tanh = Activation("tanh", _tanh, _tanh_slope, (-1.0, 1.0))

#: The rectified linear unit :math:`\varphi(z) = \max(z, 0)`.
#: Its slope is 1 for z > 0 and 0 otherwise: Nair and Hinton (2010).
relu = Activation("relu", _relu, _relu_slope, (0.0, np.inf))

#: The exponential linear unit: z for z > 0, and :math:`e^z - 1` otherwise.
#: Its slope is 1, and :math:`e^z`: Clevert, Unterthiner and Hochreiter (2016).
elu = Activation("elu", _elu, _elu_slope, (-1.0, np.inf))

#: The scaled ELU: :math:`\lambda z` for z > 0, and :math:`\lambda\alpha(e^z - 1)` otherwise.
#: Its slope is :math:`\lambda`, and :math:`\lambda\alpha e^z`, with λ = :data:`SELU_SCALE` and
#: α = :data:`SELU_ALPHA`: Klambauer et al. (2017).
selu = Activation(
    *("selu", _elu, _elu_slope),
    bounds=(-SELU_SCALE * SELU_ALPHA, np.inf),
    arguments=(SELU_SCALE, SELU_ALPHA),
)

#: The Gaussian error linear unit :math:`\varphi(z) = z\,\Phi(z)`, with the normal distribution
#: function Φ, exact. Its slope is :math:`\Phi(z) + z\,\Phi'(z)`: Hendrycks and Gimpel (2016).
gelu = Activation("gelu", _gelu, _gelu_slope, (-0.16997120747990363, np.inf))

#: The sigmoid linear unit, or swish, :math:`\varphi(z) = z\,\sigma(z)`.
#: Its slope is :math:`\sigma(z) + \varphi(z)(1 - \sigma(z))`: Elfwing, Uchibe and Doya (2018).
silu = Activation("silu", _silu, _silu_slope, (-0.2784645427610738, np.inf))


def leaky_relu(negative_slope: float = 0.01) -> Activation:
    r"""Return the leaky ReLU.

    .. math:: \varphi(z) = \begin{cases} z & z > 0 \\ \alpha z & \text{otherwise} \end{cases}

    Parameters
    ----------
    negative_slope : float
        α, the slope left of zero.

    Returns
    -------
    Activation

    Raises
    ------
    TypeError, ValueError
        If the slope is not a finite number.

    Examples
    --------
    >>> leaky_relu(0.5)([-2.0, 2.0])
    array([-1.,  2.])

    References
    ----------
    Maas, Hannun and Ng (2013), "Rectifier nonlinearities improve neural network acoustic models".
    """
    alpha = checks.number("negative_slope", negative_slope)
    return Activation(f"leaky_relu({alpha:g})", _leaky, _leaky_slope, arguments=(alpha,))


#: Every activation by its name; ``"leaky_relu"`` has the slope 0.01.
ACTIVATIONS = {
    **{each.name: each for each in (identity, sigmoid, tanh, relu, elu, selu, gelu, silu)},
    "leaky_relu": leaky_relu(),
}


def get(activation: str | Activation) -> Activation:
    """Return the activation of that name; an :class:`Activation` is returned as it is.

    Parameters
    ----------
    activation : str or Activation
        A name of :data:`ACTIVATIONS`, or the object.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If there is no activation of that name. The message lists the names.

    Examples
    --------
    >>> get("relu")
    Activation(name='relu', bounds=(0.0, inf))
    """
    if isinstance(activation, Activation):
        return activation
    return ACTIVATIONS[checks.one_of("activation", activation, ACTIVATIONS)]
