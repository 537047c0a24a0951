r"""What the variances ought to be: predictions from widths, initialiser and activation alone.

The *mean-field* picture: in a wide layer every z is a sum of many independent terms, so over the
draw of the weights it is normal with mean 0 and a variance that depends only on the layer below.
Then a forward pass is a map of one number, E[a²] → Var(z) → E[a²], and so is a backward pass.
With ``activation="identity"`` the same functions give the linear theory.

Where all layers are alike, :class:`MeanField` asks where the map leads: what is left, deep down, of
the size of an input, and of the difference between two.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from nnlab import activations, checks, initializers, normalisers
from nnlab.activations import Activation
from nnlab.checks import Floats
from nnlab.initializers import Inits
from nnlab.normalisers import Normaliser

# 16-point Gauss–Legendre is exact for polynomials up to degree 31 on every panel.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def expectation(f: Callable[[Floats], np.ndarray], std: ArrayLike) -> Floats:
    r"""Return :math:`E[f(z)]` for :math:`z \sim N(0, \mathrm{std}^2)`, by quadrature.

    Each half of the axis is cut into panels that double in length away from 0, and every panel
    gets a Gauss rule. So a kink at 0 (ReLU) costs nothing, and neither does a function that is
    steep beside a wide normal (tanh under N(0, 1) weights): there, plain Gauss–Hermite is wrong
    from the second digit on.

    Parameters
    ----------
    f : callable
        Takes an array, and acts on each entry.
    std : float or array_like
        Standard deviation(s), at least 0.

    Returns
    -------
    ndarray
        Of the shape of ``std``; accurate to about 12 digits.

    Raises
    ------
    ValueError
        If a standard deviation is negative or not finite.

    Examples
    --------
    >>> float(expectation(np.square, 3.0).round(10))
    9.0
    """
    if not callable(f):
        raise TypeError(f"f must be a function; got {f!r}")
    std = checks.array("std", std, np.float64)
    if std.size == 0:
        raise ValueError("std must hold at least one number; got none")
    if not np.isfinite(std).all() or (std < 0).any():
        raise ValueError(f"std must be finite and at least 0; got {std}")
    # The normal is negligible (1e-32) beyond 12 std. Panels that double follow φ, which changes on
    # a scale of 1; equal ones follow the normal, where it is the narrower of the two.
    reach = 12 * std[..., None]
    doublings = 1 + math.ceil(math.log2(max(1.0, 2 * float(np.max(reach)))))
    doubling = np.minimum(0.5 * 2.0 ** np.arange(doublings), reach)
    equal = reach * np.linspace(0, 1, 9)
    edges = np.sort(np.concatenate([doubling, equal], axis=-1), axis=-1)
    middle, half = (edges[..., 1:] + edges[..., :-1]) / 2, np.diff(edges) / 2
    z = middle[..., None] + half[..., None] * _NODES
    scale = np.where(std > 0, std, 1)[..., None, None]
    density = np.exp(-0.5 * (z / scale) ** 2) / (scale * math.sqrt(2 * math.pi))
    weight = half[..., None] * _WEIGHTS * density
    both = f(z) + f(-z)
    total: Floats = (both * weight).sum((-2, -1))
    return np.where(std > 0, total, both[..., 0, 0] / 2)  # where std is 0, so is z


def gain(activation: str | Activation) -> float:
    r"""Return :math:`g = 1/\sqrt{E[\varphi(Z)^2]}` for a standard normal Z.

    With weights of variance g²/n_in, pre-activations of variance 1 give pre-activations of
    variance 1: E[a²] = 1/g² in between.

    Parameters
    ----------
    activation : str or Activation
        φ.

    Returns
    -------
    float
        g.

    Examples
    --------
    >>> round(gain("relu"), 6), round(gain("tanh"), 4)
    (1.414214, 1.5925)

    References
    ----------
    He et al. (2015) for ReLU; Klambauer et al. (2017), where SELU has the gain 1 by design.
    """
    phi = activations.get(activation)
    return 1 / math.sqrt(float(expectation(lambda z: phi(z) ** 2, 1.0)))


@dataclass(frozen=True, eq=False)
class Prediction:
    r"""What the mean-field theory says of each layer, in arrays of shape (depth,).

    Attributes
    ----------
    var_z : ndarray
        Var(z), of the pre-activations.
    mean_a, mean_square_a : ndarray
        E[a] and E[a²]. The last layer has no φ: there they are 0 and Var(z).
    mean_square_slope : ndarray
        E[φ′(z)²]; 1 for the last layer.
    factor : ndarray
        E[dz²] of the layer over E[dz²] of the layer above: χ = n_out Var(w) E[φ′(z)²], with the
        width and the weights of the layer above. 1 for the last layer. A normaliser divides χ by
        the variance that it divides by; a shortcut makes it 1 + α²χ.
    """

    var_z: Floats
    mean_a: Floats
    mean_square_a: Floats
    mean_square_slope: Floats
    factor: Floats

    @property
    def var_a(self) -> Floats:
        """Var(a) = E[a²] − E[a]², layer by layer."""
        return self.mean_square_a - self.mean_a**2

    @property
    def backward(self) -> Floats:
        """E[dz²] of each layer over that of the last: the product of the factors above it."""
        return np.cumprod(self.factor[::-1])[::-1]


def predict(
    sizes: Sequence[int],
    activation: str | Activation,
    init: Inits,
    mean_square_x: ArrayLike = 1.0,
    *,
    normaliser: str | Normaliser | None = None,
    shortcut: float | None = None,
) -> Prediction:
    r"""Predict the variances of an MLP at its start, layer by layer, for zero biases.

    .. math::
        \mathrm{Var}(z_l) &= n_{l-1}\,\mathrm{Var}(w_l)\,E[a_{l-1}^2] \\
        E[dz_l^2] &= n_{l+1}\,\mathrm{Var}(w_{l+1})\,E[\varphi'(z_l)^2]\,E[dz_{l+1}^2]

    Parameters
    ----------
    sizes : sequence of int
        Widths from the inputs to the outputs.
    activation : str or Activation
        ``"identity"`` gives the linear theory.
    init : str or Initializer, or a sequence of them
        One for all layers, or one a layer.
    mean_square_x : float or ndarray (batch,)
        E[x²] over the inputs of an example. An array predicts every example by itself and
        averages, which is exact where examples differ in length.
    normaliser : str or Normaliser, optional
        As the network's, at the start (γ = 1); φ then acts on normalised z. Under batch
        normalisation the batch is taken to be large, with inputs of mean 0 over it.
    shortcut : float, optional
        α, as the network's.

    Returns
    -------
    Prediction

    Raises
    ------
    TypeError, ValueError
        If a size, a name or a number is not valid.

    Examples
    --------
    >>> predict((100, 100, 100, 1), "relu", "he_normal").var_z.round(10)
    array([2., 2., 2.])

    References
    ----------
    Glorot and Bengio (2010) for the linear case; Poole et al. (2016) for the mean-field maps;
    Yang et al. (2019) for batch normalisation; Hanin and Rolnick (2018) for shortcuts.
    """
    sizes = checks.sizes(sizes)
    phi = activations.get(activation)
    inits = initializers.one_a_layer("init", init, len(sizes) - 1)
    q = np.atleast_1d(_mean_squares("mean_square_x", mean_square_x))
    alphas, normaliser = checks.shortcuts(shortcut, sizes), normalisers.get(normaliser)
    over_batch = normaliser == normalisers.batch_norm
    if over_batch:
        q = q.mean(keepdims=True)
    rows: list[tuple[Floats, ...]] = []
    # n_in Var(w) and n_out Var(w) of every layer: what forward and backward signals are scaled by.
    layers = list(zip(pairwise(sizes), inits, strict=True))
    forward = [fan_in * init.variance(fan_in, fan_out) for (fan_in, fan_out), init in layers]
    backward = [fan_out * init.variance(fan_in, fan_out) for (fan_in, fan_out), init in layers]
    # A normaliser divides by ``spread``: E[z²] over the units; over a batch, what differs there.
    var_z, spread, differs = 0 * q, 0 * q, q
    for scale, alpha in zip(forward, alphas, strict=True):
        past, strength = (0, 1) if alpha is None else (1, alpha**2)
        var_z = past * var_z + strength * scale * q
        spread = past * spread + strength * scale * differs
        if len(rows) == len(layers) - 1:  # The last layer has no φ and no normaliser.
            rows.append((var_z, 0 * q, var_z, 1 + 0 * q, 1 + 0 * q))
            break
        rate = 1 + 0 * q if normaliser is None else 1 / (spread + normalisers.EPSILON)
        std = np.sqrt(var_z if normaliser is None else spread * rate)
        mean_a, q = expectation(phi, std), expectation(lambda z: phi(z) ** 2, std)
        differs = q - mean_a**2 if over_batch else q
        slope = expectation(lambda z: phi.derivative(z) ** 2, std)
        rows.append((var_z, mean_a, q, slope, rate * slope))
    var_z, mean_a, mean_square_a, slope, back = (
        np.array([np.mean(each) for each in column]) for column in zip(*rows, strict=True)
    )
    # What the layer above multiplies by, and what its shortcut adds.
    times = [
        n * (1 if alpha is None else alpha**2) for n, alpha in zip(backward, alphas, strict=True)
    ]
    plus = [alpha is not None for alpha in alphas]
    factor = np.append(times[1:], 1.0) * back + np.append(plus[1:], False)
    return Prediction(var_z, mean_a, mean_square_a, slope, factor)


@dataclass(frozen=True)
class MeanField:
    r"""A deep, very wide network at its start, all of whose layers are alike.

    Parameters
    ----------
    activation : str or Activation
        φ.
    var_w : float
        :math:`\sigma_w^2 = n\,\mathrm{Var}(w)`, above 0.
    var_b : float
        :math:`\sigma_b^2 = \mathrm{Var}(b)`, at least 0.

    Raises
    ------
    TypeError, ValueError
        If a name is unknown or a number is not valid.

    Examples
    --------
    >>> ordered = MeanField("tanh", 1.2, 0.05)
    >>> round(ordered.chi, 3), round(ordered.depth_scale, 2)
    (0.845, 5.94)

    References
    ----------
    Poole et al. (2016); Schoenholz et al. (2017).
    """

    activation: str | Activation
    var_w: float
    var_b: float = 0.0

    def __post_init__(self) -> None:
        activations.get(self.activation)
        checks.number("var_w", self.var_w, above=0)
        checks.number("var_b", self.var_b, low=0)

    def variance(self, q: ArrayLike) -> Floats:
        r"""Return Var(z) of a layer from that of the layer below.

        .. math:: q \mapsto \sigma_w^2\,E[\varphi(\sqrt q\,z)^2] + \sigma_b^2

        Parameters
        ----------
        q : float or array_like
            Var(z), at least 0.

        Returns
        -------
        ndarray
            Of the shape of ``q``.
        """
        phi = activations.get(self.activation)
        std = np.sqrt(_mean_squares("q", q))
        return self.var_w * expectation(lambda z: phi(z) ** 2, std) + self.var_b

    def correlation(self, c: ArrayLike) -> Floats:
        r"""Return the correlation of two inputs in a layer from that in the layer below.

        Both have the size :attr:`q` at which the layers leave it. With :math:`z_1, z_2` of that
        variance and of correlation c,

        .. math:: c \mapsto (\sigma_w^2\,E[\varphi(z_1)\,\varphi(z_2)] + \sigma_b^2) / q

        Parameters
        ----------
        c : float or array_like
            From −1 to 1.

        Returns
        -------
        ndarray
            Of the shape of ``c``; accurate to about 10 digits, or 4 where φ has a kink.
        """
        phi = activations.get(self.activation)
        return (self.var_w * self._together(phi, c) + self.var_b) / self.q

    def slope(self, c: ArrayLike) -> Floats:
        r"""Return the slope of :meth:`correlation`, σ_w² E[φ′(z₁) φ′(z₂)].

        Parameters
        ----------
        c : float or array_like
            From −1 to 1.

        Returns
        -------
        ndarray
            Of the shape of ``c``.
        """
        phi = activations.get(self.activation)
        return self.var_w * self._together(phi.derivative, c)

    def _together(self, f: Callable[[Floats], Floats], c: ArrayLike) -> Floats:
        """E[f(z₁) f(z₂)]: z₂ is c z₁ and something of its own, over which f is averaged first."""
        c = np.asarray(checks.array("c", c, np.float64))
        if not (np.abs(c) <= 1).all():
            raise ValueError(f"c must be a correlation, from -1 to 1; got {c}")
        std = math.sqrt(self.q)

        def of_first(z: Floats) -> Floats:
            common = c[..., None, None]
            own = np.broadcast_to(std * np.sqrt(1 - common**2), z.shape)
            shared = (common * z)[..., None, None]
            return f(z) * expectation(lambda more: f(shared + more), own)

        return expectation(of_first, np.full(c.shape, std))

    @cached_property
    def q(self) -> float:
        """Var(z) where the layers leave it as it is; where they leave any, that is 1."""
        from scipy import optimize

        try:
            q = float(optimize.fixed_point(lambda q: self.variance(max(q, 0.0)), 1.0))
        except (RuntimeError, ValueError):
            q = math.inf
        # The layers lead from 1 one way only; what was found on the other side repels.
        if q == math.inf or (q - 1) * (self.variance(1.0) - 1) < -1e-6:
            raise ValueError(f"Var(z) has no fixed point under {self}: it grows for ever")
        return q

    @property
    def chi(self) -> float:
        """χ, the slope at correlation 1: above 1, two equal inputs move apart when one is moved."""
        return float(self.slope(1.0))

    @cached_property
    def c(self) -> float:
        """The correlation at which two different inputs end."""
        if self.chi <= 1:
            return 1.0

        def rise(c: float) -> float:
            return float(self.correlation(c)) - c

        from scipy import optimize

        return 0.0 if rise(0.0) <= 0 else float(optimize.brentq(rise, 0, 1 - 1e-9))

    @property
    def depth_scale(self) -> float:
        r"""ξ: in so many layers the way to :attr:`c` becomes shorter by a factor of e.

        .. math:: \xi = -1/\ln \text{slope}(c), \qquad \text{in order } -1/\ln\chi
        """
        slope = float(self.slope(self.c))
        return math.inf if slope >= 1 else -1 / math.log(slope)


def critical_line(activation: str | Activation, q: ArrayLike) -> tuple[Floats, Floats]:
    r"""Return the weights and biases that keep Var(z) = q and have χ = 1.

    .. math::
        \sigma_w^2 &= 1 / E[\varphi'(\sqrt q\,z)^2] \\
        \sigma_b^2 &= q - \sigma_w^2\,E[\varphi(\sqrt q\,z)^2]

    Parameters
    ----------
    activation : str or Activation
        φ.
    q : float or array_like
        Var(z), at least 0.

    Returns
    -------
    var_w, var_b : ndarray
        Of the shape of ``q``. Where ``var_b`` is negative there are no such weights.

    Examples
    --------
    >>> var_w, var_b = critical_line("tanh", [0.0, 0.5])
    >>> var_w.round(3), var_b.round(3)
    (array([1.   , 1.688]), array([0.   , 0.038]))

    References
    ----------
    Schoenholz et al. (2017), section 3.
    """
    phi = activations.get(activation)
    q = _mean_squares("q", q)
    var_w = 1 / expectation(lambda z: phi.derivative(z) ** 2, np.sqrt(q))
    return var_w, q - var_w * expectation(lambda z: phi(z) ** 2, np.sqrt(q))


def _mean_squares(name: str, value: ArrayLike) -> Floats:
    q: Floats = checks.array(name, value, np.float64)
    if q.size == 0:
        raise ValueError(f"{name} must hold at least one number; got none")
    if (checks.finite(name, q) < 0).any():
        raise ValueError(f"{name} must be at least 0; got {q.min()}")
    return q
