r"""How the weights are drawn before the first step.

An initialiser is a small frozen object. Call it as ``init(rng, shape, dtype)`` for an array whose
last two axes are (fan_in, fan_out), and ask it for the variance of one weight with
``init.variance(fan_in, fan_out)``. Every scaled scheme is one :class:`VarianceScaling`.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nnlab import checks

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("normal", "truncated_normal", "uniform")


def truncated_std(cut: float = 2.0) -> float:
    r"""Return the standard deviation of a standard normal that is cut off at ±``cut``.

    .. math:: \sqrt{1 - \frac{2c\,\varphi(c)}{2\Phi(c) - 1}}

    Examples
    --------
    >>> round(truncated_std(2.0), 8)
    0.87962566
    """
    checks.number("cut", cut, above=0)
    density = math.exp(-0.5 * cut * cut) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * cut * density / math.erf(cut / math.sqrt(2)))


def _draw(rng, shape, dtype, distribution):
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


@dataclass(frozen=True)
class Initializer:
    """What all initialisers share: checks at the door, a dtype, a standard deviation."""

    needs_fans: ClassVar[bool] = False

    def __call__(self, rng, shape, dtype=np.float64):
        """Draw an array.

        Parameters
        ----------
        rng : numpy.random.Generator
            Where the randomness comes from.
        shape : tuple of int
            (..., fan_in, fan_out). Leading axes are an ensemble, drawn independently.
        dtype : float64 or float32

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
        if np.ndim(shape) != 1:
            raise ValueError(f"shape must be a tuple of sizes; got {shape!r}")
        shape = tuple(checks.positive_int("every size in shape", size) for size in shape)
        if self.needs_fans and len(shape) < 2:
            raise ValueError(f"shape must be (..., fan_in, fan_out) for {self}; got {shape}")
        return self._sample(rng, shape, dtype).astype(dtype, copy=False)

    def std(self, fan_in: int, fan_out: int) -> float:
        """Return the standard deviation of one weight, the square root of ``variance``."""
        return math.sqrt(self.variance(fan_in, fan_out))


@dataclass(frozen=True)
class Constant(Initializer):
    """Every weight is ``value``; the variance is 0."""

    value: float

    def __post_init__(self):
        checks.number("value", self.value)

    def _sample(self, rng, shape, dtype):
        return np.full(shape, self.value, dtype)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return 0: a constant does not vary."""
        return 0.0


@dataclass(frozen=True)
class Fixed(Initializer):
    """Independent weights of mean 0 whose spread does not depend on the layer.

    ``spread`` is σ for the two normals (before the cut), and the limit for the uniform.
    """

    distribution: str
    spread: float

    def __post_init__(self):
        checks.one_of("distribution", self.distribution, DISTRIBUTIONS)
        checks.number("spread", self.spread, low=0)

    def _sample(self, rng, shape, dtype):
        return _draw(rng, shape, dtype, self.distribution) * dtype.type(self.spread)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return the variance of one weight."""
        return (self.spread * _DRAWN_STD[self.distribution]) ** 2


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    r"""Independent weights of mean 0 and variance ``scale`` / n, where n is the chosen fan."""

    needs_fans: ClassVar[bool] = True

    scale: float
    mode: str
    distribution: str

    def __post_init__(self):
        checks.number("scale", self.scale, above=0)
        checks.one_of("mode", self.mode, MODES)
        checks.one_of("distribution", self.distribution, DISTRIBUTIONS)

    def _sample(self, rng, shape, dtype):
        std = self.std(*shape[-2:]) / _DRAWN_STD[self.distribution]
        return _draw(rng, shape, dtype, self.distribution) * dtype.type(std)

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return ``scale`` divided by the fan that ``mode`` names."""
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        return self.scale / fans[self.mode]


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A random matrix whose rows or columns (the fewer) are orthogonal, of length ``gain``."""

    needs_fans: ClassVar[bool] = True

    gain: float = 1.0

    def __post_init__(self):
        checks.number("gain", self.gain, above=0)

    def _sample(self, rng, shape, dtype):
        *ensemble, fan_in, fan_out = shape
        tall = (*ensemble, max(fan_in, fan_out), min(fan_in, fan_out))
        Q, R = np.linalg.qr(rng.standard_normal(tall, dtype))
        # QR leaves the signs to chance of the algorithm; this makes Q uniform (Haar).
        Q *= np.sign(np.diagonal(R, axis1=-2, axis2=-1))[..., None, :]
        return dtype.type(self.gain) * (Q if fan_in >= fan_out else Q.swapaxes(-1, -2))

    def variance(self, fan_in: int, fan_out: int) -> float:
        """Return gain² / max(fan_in, fan_out): a unit vector of n entries has variance 1/n."""
        return self.gain**2 / max(fan_in, fan_out)


def zeros() -> Constant:
    """Return the initialiser of all zeros: W = 0."""
    return Constant(0.0)


def constant(value: float) -> Constant:
    """Return the initialiser that gives every weight the same ``value``."""
    return Constant(value)


def normal(std: float = 1.0) -> Fixed:
    """Return N(0, std²), whatever the layer. Normal means normal: nothing is cut off."""
    return Fixed("normal", std)


def uniform(limit: float = 1.0) -> Fixed:
    """Return U[−limit, limit], whatever the layer; its variance is limit²/3."""
    return Fixed("uniform", limit)


def truncated_normal(std: float = 1.0) -> Fixed:
    """Return N(0, std²) with whatever lies beyond ±2 std drawn again.

    What is left has the standard deviation 0.8796 std: see :func:`truncated_std`. The scaled
    schemes correct for it, this one does what its name says.
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

    References
    ----------
    Glorot and Bengio (2010), eq. 1, who call it the commonly used heuristic. PyTorch's
    ``nn.Linear`` draws its weights so.
    """
    return VarianceScaling(1 / 3, "fan_in", "uniform")


def lecun_normal() -> VarianceScaling:
    r"""Return the normal of variance :math:`1/n_{in}`.

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), "Efficient BackProp", sec. 4.6.
    """
    return VarianceScaling(1.0, "fan_in", "normal")


def lecun_uniform() -> VarianceScaling:
    r"""Return the uniform of variance :math:`1/n_{in}`, so of limit :math:`\sqrt{3/n_{in}}`.

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998), "Efficient BackProp", sec. 4.6.
    """
    return VarianceScaling(1.0, "fan_in", "uniform")


def xavier_normal(gain: float = 1.0) -> VarianceScaling:
    r"""Return the normal of variance :math:`2 g^2/(n_{in} + n_{out})`.

    References
    ----------
    Glorot and Bengio (2010), eq. 12.
    """
    return VarianceScaling(checks.number("gain", gain, above=0) ** 2, "fan_avg", "normal")


def xavier_uniform(gain: float = 1.0) -> VarianceScaling:
    r"""Return the uniform of limit :math:`g\sqrt{6/(n_{in} + n_{out})}`.

    References
    ----------
    Glorot and Bengio (2010), eq. 16, the "normalized initialization".
    """
    return VarianceScaling(checks.number("gain", gain, above=0) ** 2, "fan_avg", "uniform")


def _he_scale(negative_slope):
    return 2.0 / (1.0 + checks.number("negative_slope", negative_slope) ** 2)


def he_normal(negative_slope: float = 0.0) -> VarianceScaling:
    r"""Return the normal of variance :math:`2/((1 + \alpha^2)\,n_{in})`.

    Parameters
    ----------
    negative_slope : float
        α of a leaky ReLU; 0 for ReLU itself.

    References
    ----------
    He, Zhang, Ren and Sun (2015), eq. 10 and 15.
    """
    return VarianceScaling(_he_scale(negative_slope), "fan_in", "normal")


def he_uniform(negative_slope: float = 0.0) -> VarianceScaling:
    r"""Return the uniform of variance :math:`2/((1 + \alpha^2)\,n_{in})`.

    References
    ----------
    He, Zhang, Ren and Sun (2015), eq. 10 and 15, with a uniform of the same variance.
    """
    return VarianceScaling(_he_scale(negative_slope), "fan_in", "uniform")


def orthogonal(gain: float = 1.0) -> Orthogonal:
    """Return random matrices with orthogonal rows or columns of length ``gain``.

    References
    ----------
    Saxe, McClelland and Ganguli (2014), sec. 3.
    """
    return Orthogonal(gain)


INITIALIZERS = {
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

    Raises
    ------
    ValueError
        If there is no initialiser of that name. The message lists the names.

    Examples
    --------
    >>> get("glorot_uniform")
    VarianceScaling(scale=1.0, mode='fan_avg', distribution='uniform')
    """
    if isinstance(init, Initializer):
        return init
    return INITIALIZERS[checks.one_of("init", init, INITIALIZERS)]()


def one_a_layer(name: str, init, depth: int) -> list[Initializer]:
    """Return a list of ``depth`` initialisers, from one for all layers or from one a layer.

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
    given = list(init) if isinstance(init, list | tuple) else [init] * depth
    if len(given) != depth:
        raise ValueError(f"{name} must be one, or one a layer ({depth}); got {len(given)}")
    return [get(each) for each in given]
