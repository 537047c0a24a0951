r"""Measure a network: its signals layer by layer, its twins, its gradients.

Everything here looks at a network and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nnlab import activations, checks, losses, normalisers
from nnlab.activations import Activation
from nnlab.checks import Floats
from nnlab.losses import Loss
from nnlab.network import MLP


@dataclass(frozen=True, eq=False)
class LayerStats:
    """Statistics of one kind of signal, layer by layer; arrays of shape (layers, ...).

    Attributes
    ----------
    mean, std, rms : ndarray
        Over the batch and the units, in float64. rms is √E[·²].
    zero : ndarray
        The share of entries that are exactly 0.
    dead : ndarray
        The share of units that are exactly 0 for every example of the batch.
    saturated : ndarray
        The share of entries within 3 % of the distance between the activation's bounds from one
        of them (beyond ±0.94 for tanh); NaN where no activation was named or it has no such bounds.
    """

    mean: Floats
    std: Floats
    rms: Floats
    zero: Floats
    dead: Floats
    saturated: Floats


def layer_stats(
    layers: Sequence[ArrayLike], activation: str | Activation | None = None
) -> LayerStats:
    """Measure signals layer by layer.

    Parameters
    ----------
    layers : sequence of ndarray (..., batch, units)
        For example ``signals.Z``, ``signals.A[:-1]`` or ``signals.dZ``.
    activation : str or Activation, optional
        Name it for activations, to have their saturation measured.

    Returns
    -------
    LayerStats

    Raises
    ------
    TypeError, ValueError
        If there is no layer, one is not (..., batch, units), or the activation is unknown.

    Examples
    --------
    >>> layer_stats([np.array([[0.0, 3.0], [0.0, -3.0]])]).dead
    array([0.5])
    """
    if not isinstance(layers, Sequence | np.ndarray):
        raise TypeError(f"layers must be a list of signals; got {layers!r}")
    if len(layers) == 0:
        raise ValueError("layers must hold at least one signal; got none")
    signals = [checks.array("every signal in layers", signal) for signal in layers]
    for signal in signals:
        if signal.ndim < 2 or 0 in signal.shape:
            raise ValueError(
                f"every signal in layers must be (..., batch, units); got shape {signal.shape}"
            )
    if activation is not None:
        activation = activations.get(activation)
    axes = (-2, -1)
    with np.errstate(over="ignore", invalid="ignore"):  # What exploded measures inf or NaN.
        columns = [
            (
                signal.mean(axes, dtype=np.float64),
                signal.std(axes, dtype=np.float64),
                np.sqrt(np.square(signal, dtype=np.float64).mean(axes)),
                (signal == 0).mean(axes),
                (signal == 0).all(-2).mean(-1),
                _saturated(signal, activation),
            )
            for signal in signals
        ]
    return LayerStats(*(np.array(column) for column in zip(*columns, strict=True)))


def _saturated(signal: np.ndarray, activation: Activation | None) -> Floats:
    low, high = activation.bounds if activation is not None else (-np.inf, np.inf)
    if not np.isfinite(high - low):
        return np.full(signal.shape[:-2], np.nan)
    margin = 0.03 * (high - low)
    near: Floats = ((signal < low + margin) | (signal > high - margin)).mean((-2, -1))
    return near


def histogram(signal: ArrayLike, edges: ArrayLike) -> Floats:
    """Return the share of entries in each bin; what lies outside counts in the outermost bins.

    Parameters
    ----------
    signal : ndarray
        Of any shape.
    edges : ndarray (bins + 1,)
        Where the bins begin and end, in rising order.

    Returns
    -------
    ndarray (bins,)
        Shares; they sum to 1.

    Raises
    ------
    TypeError, ValueError
        If the signal is empty or holds NaN, or the edges do not rise.

    Examples
    --------
    >>> histogram(np.array([-5.0, 0.2, 0.3, 0.7]), np.array([0.0, 0.5, 1.0]))
    array([0.75, 0.25])
    """
    signal, edges = checks.array("signal", signal), checks.array("edges", edges)
    if np.size(signal) == 0 or np.isnan(signal).any():
        raise ValueError("signal must not be empty and must not hold NaN")
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges must be at least two numbers in rising order; got {edges}")
    counts, _ = np.histogram(np.clip(signal, edges[0], edges[-1]), edges)
    shares: Floats = counts / counts.sum()
    return shares


def update_ratio(before: ArrayLike, after: ArrayLike, net: MLP) -> Floats:
    """Return, for each layer, the length of the weights' update over the length of the weights.

    Parameters
    ----------
    before, after : ndarray (..., n_parameters)
        ``theta`` before and after a step.
    net : MLP
        Says where each layer lies in ``theta``.

    Returns
    -------
    ndarray (layers, ...)
        About 1e-3 is healthy; infinite where the weights were 0 and moved, 0 where they did not,
        NaN where they are not finite.

    Examples
    --------
    >>> net = MLP((2, 1), rng=np.random.default_rng(0))
    >>> update_ratio(net.theta, 1.5 * net.theta, net)
    array([0.5])
    """
    n_parameters, vectors = checks.instance("net", net, MLP).theta.shape[-1], []
    for name, theta in {"before": before, "after": after}.items():
        vectors.append(checks.array(name, theta, net.dtype))
        if vectors[-1].shape[-1:] != (n_parameters,):
            raise ValueError(f"{name} must be (..., {n_parameters}); got {vectors[-1].shape}")
    old, new = (net.with_theta(each).W for each in vectors)
    pairs = list(zip(old, new, strict=True))
    with np.errstate(over="ignore", invalid="ignore"):
        moved = np.array([np.linalg.norm(b - a, axis=(-2, -1)) for a, b in pairs])
        size = np.array([np.linalg.norm(a, axis=(-2, -1)) for a in old])
        ratio = np.where(moved > 0, np.inf, 0.0)
        np.divide(moved, size, out=ratio, where=size != 0)
    return ratio


def correlations(layers: Sequence[ArrayLike]) -> Floats:
    r"""Return how alike the layers make two inputs: the cosine of the angle between their signals.

    .. math:: c = \frac{z_1 \cdot z_2}{\lVert z_1 \rVert\,\lVert z_2 \rVert}

    Parameters
    ----------
    layers : sequence of ndarray (..., 2, units)
        Signals of a batch of two examples, for example ``signals.Z[:-1]``.

    Returns
    -------
    ndarray (layers, ...)
        From −1 to 1; NaN where a signal is 0 or not finite.

    Raises
    ------
    TypeError, ValueError
        If a layer does not hold the signals of two examples.

    Examples
    --------
    >>> correlations([np.array([[1.0, 0.0], [1.0, 1.0]])]).round(3)
    array([0.707])
    """
    found = []
    for l, layer in enumerate(layers):
        signal = checks.array(f"layer {l}", layer, np.float64)
        if signal.ndim < 2 or signal.shape[-2] != 2:
            raise ValueError(f"layer {l} must be (..., 2, units); got shape {signal.shape}")
        # By a power of two, which costs no digit, to where squares neither overflow nor vanish.
        _, exponent = np.frexp(np.abs(signal).max(-1, keepdims=True))
        with np.errstate(invalid="ignore"):
            signal = np.ldexp(signal, -exponent)
            unit = signal / np.linalg.norm(signal, axis=-1, keepdims=True)
        found.append((unit[..., 0, :] * unit[..., 1, :]).sum(-1))
    return np.array(found)


def singular_values(net: MLP, x: ArrayLike) -> Floats:
    r"""Return the singular values of the Jacobian of the outputs with respect to an input.

    .. math:: J = \frac{\partial z_D}{\partial x}

    They say by how much the network stretches small steps of the input, in the direction that it
    stretches most, and in each that is orthogonal to those before.

    Parameters
    ----------
    net : MLP
        One network, or an ensemble with axes ``...``.
    x : array_like (fan_in,)
        The input.

    Returns
    -------
    ndarray (..., min(fan_in, fan_out))
        From the largest to the smallest.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is no input of the network, the network looks at a whole batch, or a number on the
        way overflows.

    Examples
    --------
    >>> net = MLP((2, 2), init="orthogonal", rng=np.random.default_rng(0))
    >>> singular_values(net, [1.0, 2.0])
    array([1., 1.])

    References
    ----------
    Saxe et al. (2014); Pennington et al. (2017).
    """
    x = checks.array("x", x, checks.instance("net", net, MLP).dtype)
    if x.shape != (net.sizes[0],):
        raise ValueError(f"x must be ({net.sizes[0]},); got shape {x.shape}")
    if net.normaliser == normalisers.batch_norm:
        raise ValueError("singular_values needs outputs that depend on one input; got batch_norm")
    # One backward pass for all outputs: each has a copy of the input, and its row of J.
    n_out = net.sizes[-1]
    signals = net.forward(np.tile(x, (n_out, 1)))
    signals.dZ[-1] = np.eye(n_out, dtype=net.dtype)
    rows = net.backward_into(signals).dZ[0] @ net.W[0].swapaxes(-1, -2)
    checks.finite("the Jacobian", rows)
    values: Floats = np.linalg.svd(rows, compute_uv=False)
    return values


def twins(net: MLP, layer: int) -> list[list[int]]:
    """Return the groups of hidden units that are copies of each other, to the last bit.

    Two units are twins if their incoming weights, their biases and their outgoing weights are
    equal. Exact arithmetic cannot tell twins apart, so training keeps them twins. A wide layer may
    part them by rounding: a fast matrix product need not round two equal columns alike.

    Parameters
    ----------
    net : MLP
        A single network, not an ensemble.
    layer : int
        A hidden layer, from 0.

    Returns
    -------
    list of list of int
        Every unit is in one group; a unit without a twin is a group of its own.

    Raises
    ------
    TypeError, ValueError
        If the network is an ensemble, has a shortcut, which tells units apart by their places, or
        has no such hidden layer.

    Examples
    --------
    >>> from nnlab.initializers import constant
    >>> net = MLP((2, 3, 1), "tanh", constant(0.5), rng=np.random.default_rng(0))
    >>> net.W[1][2] = 0.7
    >>> twins(net, 0)
    [[0, 1], [2]]
    """
    if checks.instance("net", net, MLP).ensemble:
        raise ValueError(f"twins needs a single network; got an ensemble of {net.ensemble}")
    if net.shortcut is not None:
        raise ValueError(f"twins needs a network without a shortcut; got {net}")
    if not isinstance(layer, int | np.integer) or not 0 <= layer < net.depth - 1:
        raise ValueError(f"layer must be a hidden one, 0 to {net.depth - 2}; got {layer!r}")
    own = [each[layer][:, None] for each in (net.b, net.gamma) if each]
    units = np.concatenate([net.W[layer].T, *own, net.W[layer + 1]], axis=1)
    groups: dict[bytes, list[int]] = {}
    for unit, row in enumerate(units + 0.0):  # −0.0 and 0.0 are the same weight
        groups.setdefault(row.tobytes(), []).append(unit)
    return list(groups.values())


def gradient_check(
    net: MLP, X: ArrayLike, y: ArrayLike, loss: str | Loss, *, epsilon: float = 1e-6
) -> np.ma.MaskedArray:
    r"""Compare the gradient with central finite differences, parameter by parameter.

    .. math:: \frac{L(\theta_i + \epsilon) - L(\theta_i - \epsilon)}{2\epsilon}

    At a kink (a ReLU whose z is 0) the two need not agree, for there is no one slope. So loss and
    gradient are computed in those two places, and in two that are twice as far away. Where the
    loss is smooth both change evenly: the second differences of the gradient are of the order of
    :math:`\epsilon^2`, the third differences of the loss of the order of :math:`\epsilon^3`.
    Where they do not, a kink is near, and the entry is left out.

    Parameters
    ----------
    net : MLP
        In float64; an ensemble is checked all at once. Not changed.
    X : array_like (batch, fan_in) or (..., batch, fan_in)
        Examples.
    y : array_like
        As the loss wants it; see :mod:`nnlab.losses`.
    loss : str or Loss
        Its name, or the object.
    epsilon : float
        Half the distance of the two places.

    Returns
    -------
    MaskedArray (..., n_parameters)
        The absolute difference of the two, over the largest entry of the gradient (or over 1e-12
        if that is 0). ``max()`` is over the entries that were compared, and ``mask`` says which
        were left out. If all were, ``max()`` is ``masked``, which is smaller than no number.

    Raises
    ------
    TypeError, ValueError
        If the network is not in float64, or the examples or the targets do not fit.

    Examples
    --------
    >>> net = MLP((2, 2, 1), rng=np.random.default_rng(0))
    >>> bool(gradient_check(net, [[1.0, 2.0]], [1], "binary_cross_entropy").max() < 1e-8)
    True

    An input at the origin with zero biases puts every ReLU on its kink. Then the hidden biases,
    b[0], are left out:

    >>> net = MLP((2, 2, 1), "relu", rng=np.random.default_rng(0))
    >>> gradient_check(net, [[0.0, 0.0]], [1], "binary_cross_entropy").mask
    array([False, False, False, False,  True,  True, False, False, False])
    """
    if checks.instance("net", net, MLP).dtype != np.float64:
        raise ValueError(f"gradient_check needs a float64 network; this one is {net.dtype}")
    epsilon = checks.number("epsilon", epsilon, above=0)
    loss = losses.get(loss)
    value, signals = net.gradient(X, y, loss)
    exact, probe = signals.dtheta, net.copy()
    numeric, uneven = np.empty_like(exact), np.empty_like(exact)
    for i in range(net.theta.shape[-1]):
        values, slopes = {0: value}, {0: exact[..., i]}
        for k in (-2, -1, 1, 2):
            probe.theta[..., i] = net.theta[..., i] + k * epsilon
            values[k], signals = probe.gradient(X, y, loss)
            slopes[k] = signals.dtheta[..., i]
        probe.theta[..., i] = net.theta[..., i]
        numeric[..., i] = (values[1] - values[-1]) / (2 * epsilon)
        L, dL = (np.array([each[k] for k in sorted(each)]) for each in (values, slopes))
        jumps = np.abs(np.concatenate([np.diff(L, 3, axis=0) / epsilon, np.diff(dL, 2, axis=0)]))
        uneven[..., i] = jumps.max(0)
    scale = np.maximum(np.abs(exact).max(-1, keepdims=True), 1e-12)
    rounding = 1e-14 * (1 + np.abs(value)[..., None]) / epsilon
    return np.ma.array(np.abs(exact - numeric) / scale, mask=uneven > 1e-6 * scale + rounding)
