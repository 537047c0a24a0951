r"""How the weights are drawn before the first step.

An initialiser is a small frozen object. Call it as ``init(rng, shape, dtype)`` for an array whose
last two axes are (fan_in, fan_out), and ask it for the variance of one weight with
``init.variance(fan_in, fan_out)``. Every scaled scheme is one :class:`VarianceScaling`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from nnlab import checks
from nnlab.checks import Floats

Shape = tuple[int, ...]
DType = np.dtype[np.floating]

#: What the ``mode`` of :class:`VarianceScaling` may be: the fan that divides its scale.
MODES = ("fan_in", "fan_out", "fan_avg")
#: The shapes that weights may be drawn from.
DISTRIBUTIONS = ("normal", "truncated_normal", "uniform")


def truncated_std(cut: float = 2.0) -> float:
    r"""Return the standard deviation of a standard normal that is cut off at ±``cut``.

    .. math:: \sqrt{1 - \frac{2c\,\Phi'(c)}{2\Phi(c) - 1}}

    Parameters
    ----------
    cut : float
        c, greater than 0. Φ is the normal distribution function, and Φ′ its density.

    Returns
    -------
    float

    Examples
    --------
    >>> round(truncated_std(2.0), 8)
    0.87962566
    """
    checks.number("cut", cut, above=0)
    density = math.exp(-0.5 * cut * cut) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * cut * density / math.erf(cut / math.sqrt(2)))


def _draw(rng: np.random.Generator, shape: Shape, dtype: DType, distribution: str) -> Floats:
    """Draw an array of mean 0; its variance is 1, 1/3 or ``truncated_std()²``."""
    if distribution == "uniform":
        return 2 * rng.random(shape, dtype) - 1
    Z = rng.standard_normal(shape, dtype)
    if distribution == "truncated_normal":
        while (outside := np.abs(Z) > 2).any():
            Z[outside] = rng.standard_normal(np.count_nonzero(outside), dtype)
    return Z


# The standard deviation of what _draw returns.
_DRAWN_STD = {"normal": 1.0, "truncated_normal": truncated_std(), "uniform": 1 / math.sqrt(3)}


def _square(value: float) -> float:
    """Return the square, which is infinite where Python would raise an error that says no more."""
    try:
        return value**2
    except OverflowError:
        return math.inf


def _scale(gain: float) -> float:
    scale = _square(checks.number("gain", gain, above=0))
    if not 0 < scale < math.inf:
        raise ValueError(f"gain must have a finite square above 0; got {gain!r}")
    return scale


def _fans(fan_in: int, fan_out: int) -> tuple[int, int]:
    return checks.positive_int("fan_in", fan_in), checks.positive_int("fan_out", fan_out)


@dataclass(frozen=True)
class Initializer(ABC):
    """What all initialisers share: checks at the door, a dtype, a standard deviation.

    Examples
    --------
    >>> init = he_normal()
    >>> init(np.random.default_rng(0), (1000, 100)).shape
    (1000, 100)
    >>> init.variance(fan_in=1000, fan_out=100)
    0.002
    """

    #: Whether the variance depends on the fans, so that a bias, which has none, cannot use it.
    needs_fans: ClassVar[bool] = False

    def __call__(
        self, rng: np.random.Generator, shape: Shape, dtype: DTypeLike = np.float64
    ) -> Floats:
        """Draw an array.

        Parameters
        ----------
        rng : numpy.random.Generator
            Where the randomness comes from.
        shape : tuple of int
            (..., fan_in, fan_out). Leading axes are an ensemble, drawn independently.
        dtype : numpy.dtype
            float64 or float32.

        Returns
        -------
        ndarray
            Of that shape and dtype.

        Raises
        ------
        TypeError
            If ``rng`` is not a Generator.
        ValueError
            If a size is not positive, or the scheme needs two axes and ``shape`` has fewer.
        """
        rng, dtype = checks.generator(rng), checks.float_dtype(dtype)
        shape = checks.shape("shape", shape)
        if self.needs_fans and len(shape) < 2:
            raise ValueError(f"shape must be (..., fan_in, fan_out) for {self}; got {shape}")
        return self._sample(rng, shape, dtype).astype(dtype, copy=False)

    @abstractmethod
    def _sample(self, rng: np.random.Generator, shape: Shape, dtype: DType) -> Floats:
        """Draw an array, from arguments that are checked."""

    @abstractmethod
    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return the variance of one weight of a layer with so many inputs and outputs."""

    def std(self, fan_in: int, fan_out: int) -> float:
        """Return the standard deviation of one weight, the square root of its variance.

        Parameters
        ----------
        fan_in, fan_out : int
            Inputs and outputs of the layer.

        Returns
        -------
        float

        Examples
        --------
        >>> xavier_uniform().std(300, 100)
        0.07071067811865475
        """
        return math.sqrt(self.variance(fan_in, fan_out))


@dataclass(frozen=True)
class Constant(Initializer):
    """Every weight is one value; the variance is 0.

    Parameters
    ----------
    value : float
        The weight.
    """

    value: float

    def __post_init__(self) -> None:
        checks.number("value", self.value)

    def _sample(self, rng: np.random.Generator, shape: Shape, dtype: DType) -> Floats:
        return np.full(shape, checks.scalar("value", self.value, dtype), dtype)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return 0: a constant does not vary."""
        return 0.0


@dataclass(frozen=True)
class Fixed(Initializer):
    """Independent weights of mean 0 whose spread does not depend on the layer.

    Parameters
    ----------
    distribution : str
        One of :data:`DISTRIBUTIONS`.
    spread : float
        σ for the two normals (before the cut), and the limit for the uniform; at least 0.
    """

    distribution: str
    spread: float

    def __post_init__(self) -> None:
        checks.one_of("distribution", self.distribution, DISTRIBUTIONS)
        checks.number("spread", self.spread, low=0)

    def _sample(self, rng: np.random.Generator, shape: Shape, dtype: DType) -> Floats:
        spread = checks.scalar("spread", self.spread, dtype)
        return _draw(rng, shape, dtype, self.distribution) * spread

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return the variance of one weight: that of the distribution, whatever the fans."""
        return _square(self.spread * _DRAWN_STD[self.distribution])


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    r"""Independent weights of mean 0 and variance scale/n, where n is the chosen fan.

    Parameters
    ----------
    scale : float
        The variance factor g², greater than 0.
    mode : str
        One of :data:`MODES`.
    distribution : str
        One of :data:`DISTRIBUTIONS`. All have the same variance.
    """

    needs_fans: ClassVar[bool] = True

    scale: float
    mode: str
    distribution: str

    def __post_init__(self) -> None:
        checks.number("scale", self.scale, above=0)
        checks.one_of("mode", self.mode, MODES)
        checks.one_of("distribution", self.distribution, DISTRIBUTIONS)

    def _sample(self, rng: np.random.Generator, shape: Shape, dtype: DType) -> Floats:
        std = self.std(*shape[-2:]) / _DRAWN_STD[self.distribution]
        return _draw(rng, shape, dtype, self.distribution) * checks.scalar("std", std, dtype)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return ``scale`` divided by the fan that ``mode`` names."""
        fan_in, fan_out = _fans(fan_in, fan_out)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        return self.scale / fans[self.mode]


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A random matrix whose rows or columns (the fewer) are orthogonal, of one length.

    Parameters
    ----------
    gain : float
        The length g, greater than 0.
    """

    needs_fans: ClassVar[bool] = True

    gain: float = 1.0

    def __post_init__(self) -> None:
        checks.number("gain", self.gain, above=0)

    def _sample(self, rng: np.random.Generator, shape: Shape, dtype: DType) -> Floats:
        *ensemble, fan_in, fan_out = shape
        tall = (*ensemble, max(fan_in, fan_out), min(fan_in, fan_out))
        Q, R = np.linalg.qr(rng.standard_normal(tall, dtype))
        # QR leaves the signs to chance of the algorithm; this makes Q uniform (Haar).
        Q *= np.sign(np.diagonal(R, axis1=-2, axis2=-1))[..., None, :]
        W: Floats = Q if fan_in >= fan_out else Q.swapaxes(-1, -2)
        return W * checks.scalar("gain", self.gain, dtype)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return gain² / max(fan_in, fan_out): a unit vector of n entries has variance 1/n."""
        return _square(self.gain) / max(_fans(fan_in, fan_out))


def zeros() -> Constant:
    """Return the initialiser of all zeros: W = 0.

    Returns
    -------
    Constant

    Examples
    --------
    >>> zeros()(np.random.default_rng(0), (2, 2)).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    return Constant(0.0)


def constant(value: float) -> Constant:
    """Return the initialiser that gives every weight the same value.

    Parameters
    ----------
    value : float
        The weight.

    Returns
    -------
    Constant

    Examples
    --------
    >>> constant(0.5)(np.random.default_rng(0), (2, 1)).tolist()
    [[0.5], [0.5]]
    """
    return Constant(value)


def normal(std: float = 1.0) -> Fixed:
    """Return N(0, std²), whatever the layer. Normal means normal: nothing is cut off.

    Parameters
    ----------
    std : float
        Standard deviation, at least 0.

    Returns
    -------
    Fixed

    Examples
    --------
    >>> normal(0.5).variance(fan_in=100, fan_out=10)
    0.25
    """
    return Fixed("normal", std)


def uniform(limit: float = 1.0) -> Fixed:
    """Return U[−limit, limit], whatever the layer; its variance is limit²/3.

    Parameters
    ----------
    limit : float
        The largest weight, at least 0.

    Returns
    -------
    Fixed

    Examples
    --------
    >>> round(uniform(3.0).variance(fan_in=100, fan_out=10), 12)
    3.0
    """
    return Fixed("uniform", limit)


def truncated_normal(std: float = 1.0) -> Fixed:
    """Return N(0, std²) with whatever lies beyond ±2 std drawn again.

    What is left has the standard deviation 0.8796 std: see :func:`truncated_std`. The scaled
    schemes correct for it, this one does what its name says.

    Parameters
    ----------
    std : float
        Standard deviation before the cut, at least 0.

    Returns
    -------
    Fixed

    Examples
    --------
    >>> round(truncated_normal(1.0).std(fan_in=100, fan_out=10), 4)
    0.8796
    """
    return Fixed("truncated_normal", std)


def variance_scaling(
    scale: float = 1.0, mode: str = "fan_in", distribution: str = "normal"
) -> VarianceScaling:
    r"""Return the scheme :math:`\mathrm{Var}(w) = \mathrm{scale} / n`.

    Parameters
    ----------
    scale : float
        The variance factor g², greater than 0.
    mode : {"fan_in", "fan_out", "fan_avg"}
        What n is: the inputs of the layer, its outputs, or their mean.
    distribution : {"normal", "truncated_normal", "uniform"}
        The shape. All three get the same variance.

    Returns
    -------
    VarianceScaling

    Raises
    ------
    TypeError, ValueError
        If the scale is not a number greater than 0, or a name is unknown.

    Examples
    --------
    >>> init = variance_scaling(2.0, "fan_in", "normal")
    >>> init
    VarianceScaling(scale=2.0, mode='fan_in', distribution='normal')
    >>> init.variance(fan_in=50, fan_out=10)
    0.04
    """
    return VarianceScaling(scale, mode, distribution)


def fan_in_uniform() -> VarianceScaling:
    r"""Return :math:`U[-1/\sqrt{n_{in}}, 1/\sqrt{n_{in}}]`, of variance :math:`1/(3 n_{in})`.

    Returns
    -------
    VarianceScaling

    Examples
    --------
    >>> round(1 / fan_in_uniform().variance(fan_in=100, fan_out=10))
    300

    References
    ----------
    Glorot and Bengio (2010), eq. 1, who call it the commonly used heuristic. PyTorch's
    ``nn.Linear`` draws its weights so.
    """
    return VarianceScaling(1 / 3, "fan_in", "uniform")


def lecun_normal() -> VarianceScaling:
    r"""Return the normal of variance :math:`1/n_{in}`.

    Returns
    -------
    VarianceScaling

    Examples
    --------
    >>> lecun_normal().variance(fan_in=100, fan_out=10)
    0.01

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), "Efficient BackProp", sec. 4.6.
    """
    return VarianceScaling(1.0, "fan_in", "normal")


def lecun_uniform() -> VarianceScaling:
    r"""Return the uniform of variance :math:`1/n_{in}`, so of limit :math:`\sqrt{3/n_{in}}`.

    Returns
    -------
    VarianceScaling

    Examples
    --------
    >>> lecun_uniform().variance(fan_in=100, fan_out=10)
    0.01

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), "Efficient BackProp", sec. 4.6.
    """
    return VarianceScaling(1.0, "fan_in", "uniform")


def xavier_normal(gain: float = 1.0) -> VarianceScaling:
    r"""Return the normal of variance :math:`2 g^2/(n_{in} + n_{out})`.

    Parameters
    ----------
    gain : float
        g, greater than 0.

    Returns
    -------
    VarianceScaling

    Examples
    --------
    >>> xavier_normal().variance(fan_in=300, fan_out=100)
    0.005

    References
    ----------
    Glorot and Bengio (2010), eq. 12.
    """
    return VarianceScaling(_scale(gain), "fan_avg", "normal")


def xavier_uniform(gain: float = 1.0) -> VarianceScaling:
    r"""Return the uniform of limit :math:`g\sqrt{6/(n_{in} + n_{out})}`.

    Parameters
    ----------
    gain : float
        g, greater than 0. The variance is that of :func:`xavier_normal`.

    Returns
    -------
    VarianceScaling

    Examples
    --------
    >>> xavier_uniform(gain=2.0).variance(fan_in=300, fan_out=100)
    0.02

    References
    ----------
    Glorot and Bengio (2010), eq. 16, the "normalized initialization".
    """
    return VarianceScaling(_scale(gain), "fan_avg", "uniform")


def _he_scale(negative_slope: float) -> float:
    scale = 2.0 / (1.0 + _square(checks.number("negative_slope", negative_slope)))
    if scale == 0:
        raise ValueError(f"negative_slope must have a finite square; got {negative_slope!r}")
    return scale


def he_normal(negative_slope: float = 0.0) -> VarianceScaling:
    r"""Return the normal of variance :math:`2/((1 + \alpha^2)\,n_{in})`.

    Parameters
    ----------
    negative_slope : float
        α of a leaky ReLU; 0 for ReLU itself.

    Returns
    -------
    VarianceScaling

    Examples
    --------
    >>> he_normal().variance(fan_in=100, fan_out=10)
    0.02

    References
    ----------
    He, Zhang, Ren and Sun (2015), eq. 10 and 15.
    """
    return VarianceScaling(_he_scale(negative_slope), "fan_in", "normal")


def he_uniform(negative_slope: float = 0.0) -> VarianceScaling:
    r"""Return the uniform of variance :math:`2/((1 + \alpha^2)\,n_{in})`.

    Parameters
    ----------
    negative_slope : float
        α of a leaky ReLU; 0 for ReLU itself.

    Returns
    -------
    VarianceScaling

    Examples
    --------
    >>> he_uniform(negative_slope=1.0).variance(fan_in=100, fan_out=10)
    0.01

    References
    ----------
    He, Zhang, Ren and Sun (2015), eq. 10 and 15, with a uniform of the same variance.
    """
    return VarianceScaling(_he_scale(negative_slope), "fan_in", "uniform")


def orthogonal(gain: float = 1.0) -> Orthogonal:
    """Return random matrices with orthogonal rows or columns, whichever are fewer.

    Parameters
    ----------
    gain : float
        The length of each, greater than 0.

    Returns
    -------
    Orthogonal

    Examples
    --------
    >>> W = orthogonal()(np.random.default_rng(0), (5, 3))
    >>> bool(np.allclose(W.T @ W, np.eye(3)))
    True

    References
    ----------
    Saxe, McClelland and Ganguli (2014), sec. 3.
    """
    return Orthogonal(gain)


#: Every initialiser that needs no argument, by its name and its other name (glorot, kaiming).
INITIALIZERS: Mapping[str, Callable[..., Initializer]] = {
    each.__name__: each
    for each in (
        zeros,
        normal,
        uniform,
        truncated_normal,
        variance_scaling,
        fan_in_uniform,
        lecun_normal,
        lecun_uniform,
        xavier_normal,
        xavier_uniform,
        he_normal,
        he_uniform,
        orthogonal,
    )
} | {
    "glorot_normal": xavier_normal,
    "glorot_uniform": xavier_uniform,
    "kaiming_normal": he_normal,
    "kaiming_uniform": he_uniform,
}


def get(init: str | Initializer) -> Initializer:
    """Return the initialiser of that name, with its defaults; an object is returned as it is.

    Parameters
    ----------
    init : str or Initializer
        A name of :data:`INITIALIZERS`, or the object.

    Returns
    -------
    Initializer

    Raises
    ------
    ValueError
        If there is no initialiser of that name. The message lists the names.

    Examples
    --------
    >>> get("glorot_uniform")
    VarianceScaling(scale=1.0, mode='fan_avg', distribution='uniform')
    """
    return _get("init", init)


#: One initialiser for all layers, or one a layer: each a name or an object.
Inits = str | Initializer | Sequence[str | Initializer]


def _get(name: str, init: str | Initializer) -> Initializer:
    if isinstance(init, Initializer):
        return init
    return INITIALIZERS[checks.one_of(name, init, INITIALIZERS)]()


def one_a_layer(name: str, init: Inits, depth: int) -> list[Initializer]:
    """Return a list of ``depth`` initialisers, from one for all layers or from one a layer.

    Parameters
    ----------
    name : str
        What the argument is called, for the message.
    init : str or Initializer, or a sequence of them
        What :func:`get` takes.
    depth : int
        The number of layers.

    Returns
    -------
    list of Initializer

    Raises
    ------
    ValueError
        If a name is unknown, or there are neither one nor ``depth`` of them; the message calls
        the argument ``name``.

    Examples
    --------
    >>> one_a_layer("init", "zeros", 2)
    [Constant(value=0.0), Constant(value=0.0)]
    """
    depth = checks.positive_int("depth", depth)
    if isinstance(init, str) or not isinstance(init, Sequence):
        init = [init] * depth
    if len(init) != depth:
        raise ValueError(f"{name} must be one, or one a layer ({depth}); got {len(init)}")
    return [_get(name, each) for each in init]
