"""What holds for every network, whatever its shape, its parts and its start.

`make test-networks` tries twenty times as many networks as `make test`, others in every run.
"""

import itertools
import os
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from unittest import mock

import numpy as np
import pytest
import references
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special

from nnlab import diagnostics, initializers, normalisers, theory
from nnlab.activations import ACTIVATIONS
from nnlab.losses import LOSSES
from nnlab.network import MLP
from nnlab.optimizers import SGD, Adam

HOMOGENEOUS = ("identity", "relu", "leaky_relu")  # φ(az) = aφ(z) for a > 0
NORM_AXIS = {None: None, "batch_norm": 0, "layer_norm": 1}  # as references.py calls them
seeds = st.integers(0, 2**32 - 1)

#: For each test, what every example came to as a share of what it may; networks.py tells of them.
TRIED: dict[str, list[float]] = defaultdict(list)


def examples(count, most=10**9):
    """So many a test, and in proportion more under a profile that asks for more than 100."""
    return settings(max_examples=min(count * settings.default.max_examples // 100, most))


def assert_within(*pairs):
    """Assert that of (error, bound), numbers or arrays, no error is above its bound."""
    shares = [0.0]
    for error, bound in pairs:
        error, bound = np.broadcast_arrays(error, bound)
        over = np.where(error > 0, np.inf, 0.0)
        shares.append(np.divide(error, bound, out=over, where=bound > 0).max())
    test = re.search(r"::(\w+)", os.environ["PYTEST_CURRENT_TEST"])[1]
    TRIED[test].append(float(np.max(shares)))  # which keeps NaN
    assert TRIED[test][-1] <= 1


def errors(pairs, rtol):
    """Of (ours, theirs), the error, and how large it may be beside the largest entry."""
    return [
        (np.abs(one - two).max(initial=0), rtol * np.abs(two).max(initial=0) + 1e-15)
        for one, two in pairs
    ]


# --------------------------------------------------------------------------------- any network


@dataclass(frozen=True)
class Problem:
    """A network or an ensemble, and what it is asked."""

    net: MLP
    X: np.ndarray
    y: np.ndarray
    loss: str
    seed: int

    def gradient(self, net=None, rows=slice(None)):
        """The loss, the signals, and the gradient as a network of that kind."""
        net = net or self.net
        y = self.y[..., rows, :] if self.loss == "mean_squared_error" else self.y[..., rows]
        value, signals = net.gradient(self.X[..., rows, :], y, self.loss)
        return value, signals, net.with_theta(signals.dtheta)

    def member(self, k):
        """The inputs and the targets of one member."""
        return (self.X[k], self.y[k]) if self.X.ndim > 2 else (self.X, self.y)

    def trained(self, net, rule):
        """Where four steps lead."""
        net = net.copy()
        rule = rule.start(net.theta)
        for _ in range(4):
            rule(self.gradient(net)[1].dtheta)
            assume(np.abs(net.theta).max() < 100)  # far off, any two paths part
            assume(well_posed(replace(self, net=net)))
        return net


scales = st.floats(0.1, 4)
inits = st.one_of(
    st.builds(
        initializers.variance_scaling,
        scales,
        st.sampled_from(initializers.MODES),
        st.sampled_from(initializers.DISTRIBUTIONS),
    ),
    st.builds(initializers.orthogonal, scales),
    st.builds(initializers.truncated_normal, scales),
    st.sampled_from(sorted(initializers.INITIALIZERS)).map(initializers.get),
)
rules = st.one_of(
    st.builds(SGD, st.floats(1e-3, 0.3), st.sampled_from([0.0, 0.9])),
    # Where a gradient is 0 but for rounding, a small ε would make steps of the rounding.
    st.builds(Adam, st.floats(1e-4, 0.03), epsilon=st.just(0.1)),
)


@st.composite
def problems(
    draw,
    activations=sorted(ACTIVATIONS),  # noqa: B008 (it is not changed)
    normalisers=(None, "batch_norm", "layer_norm"),
    shortcuts=(None, 1.0, 0.3, -1.2),
    ensembles=((), (1,), (3,), (2, 3), (120,), (2, 60)),
    dtype=np.float64,
    hidden=0,
    width=1,
):
    """A network with so many hidden layers, so wide, or more; any γ and β; a batch for it."""
    loss, lead = draw(st.sampled_from(sorted(LOSSES))), draw(st.sampled_from(ensembles))
    hidden = draw(st.lists(st.integers(width, 5), min_size=hidden, max_size=4))
    n_out = 1 if loss == "binary_cross_entropy" else draw(st.integers(2, 4))
    sizes = (draw(st.integers(1, 5)), *hidden, n_out)
    parts = {"normaliser": draw(st.sampled_from(normalisers)) if hidden else None}
    if any(one == two for one, two in itertools.pairwise(hidden)):
        parts["shortcut"] = draw(st.sampled_from(shortcuts))
    init = draw(st.one_of(inits, st.lists(inits, min_size=len(sizes) - 1, max_size=len(sizes) - 1)))
    bias = draw(st.sampled_from([initializers.zeros(), initializers.normal(0.3)]))
    seed = draw(seeds)
    rng = np.random.default_rng(seed)
    net = MLP(
        *(sizes, draw(st.sampled_from(activations)), init),
        **{"bias_init": bias, "rng": rng, "ensemble": lead, "dtype": dtype, **parts},
    )
    for gamma in net.gamma:
        gamma[...] = rng.uniform(-1.5, 1.5, gamma.shape)
    shape = (*(lead if draw(st.booleans()) else ()), draw(st.integers(2, 6)))
    X = rng.standard_normal((*shape, sizes[0])).astype(dtype)
    if loss == "mean_squared_error":
        return Problem(net, X, rng.standard_normal((*shape, n_out)), loss, seed)
    return Problem(net, X, rng.integers(0, max(2, n_out), shape), loss, seed)


def well_posed(problem):
    """Whether rounding stays rounding: no normaliser that magnifies it, and no kink that it tips.

    Where the variance is 0, a normaliser multiplies the last digit by 316, in every layer anew.
    """
    signals = problem.net.forward(problem.X)
    # Where all is learnt, the gradient is p − 1 or so, of which the rounding of p is a large part.
    learns = LOSSES[problem.loss](signals.logits, problem.y).min() > 1e-5
    rates = [np.maximum(rate.max(), 1) for rate in signals._rate]
    tipped = problem.net.gamma and problem.net.activation.name[:4] in ("relu", "leak", "selu")
    return (
        np.prod(rates) < 20
        and learns
        and not (tipped and min(np.abs(H).min() for H in signals.H) < 1e-9)
    )


# ------------------------------------------------------------------------------------ gradients


@pytest.mark.parametrize("activation", ACTIVATIONS)
@examples(3, most=20)  # each is compiled
@given(st.data())
def test_gradients_are_those_of_jax(activation, data):
    """The loss and the gradient are JAX's"""
    problem = data.draw(problems([activation]))
    assume(well_posed(problem))
    net, pairs = problem.net, []
    kind = net.normaliser and net.normaliser.name
    reference = references.value_and_grad(
        net.sizes, activation, problem.loss, NORM_AXIS[kind], net.shortcut
    )
    value, signals, _ = problem.gradient()
    for k in list(np.ndindex(net.ensemble))[-2:]:
        theirs = reference(net.theta[k], *problem.member(k))
        pairs += [(value[k], theirs[0]), (signals.dtheta[k], theirs[1])]
    assert_within(*errors(pairs, 1e-9))


class Rounded:
    """A number, and how far it may be off where each operation rounds to float32."""

    def __init__(self, value, error=0.0):
        self.value, self.error = value, np.broadcast_to(error, np.shape(value))

    @property
    def size(self):
        """The largest that it may be."""
        return np.abs(self.value) + self.error

    def spread(self, error, roundings=1):
        """The number with an error on top, after so many roundings."""
        return Rounded(self.value, error + roundings * HALF_ULP * (np.abs(self.value) + error))

    def __add__(self, other):
        return Rounded(self.value + other.value).spread(self.error + other.error)

    def __sub__(self, other):
        return Rounded(self.value - other.value).spread(self.error + other.error)

    def __mul__(self, other):
        exact = np.abs(self.value) * np.abs(other.value)
        return Rounded(self.value * other.value).spread(self.size * other.size - exact)

    def __matmul__(self, other):
        exact, most = np.abs(self.value) @ np.abs(other.value), self.size @ other.size
        error = most - exact + (self.value.shape[-1] + 1) * HALF_ULP * most
        return Rounded(self.value @ other.value, error)

    def __getitem__(self, index):
        return Rounded(self.value[index], self.error[index])

    def mean(self, axis):
        """The mean over an axis that stays."""
        n, (value, error, size) = (
            self.value.shape[axis],
            (each.mean(axis, keepdims=True) for each in (self.value, self.error, self.size)),
        )
        return Rounded(value, error + (n + 1) * HALF_ULP * size)

    def through(self, f, slope, roundings):
        """f of it, which is nowhere steeper than ``slope``, after so many roundings of 1 + f."""
        return Rounded(f(self.value)).spread(slope * self.error + roundings * HALF_ULP, roundings)

    @property
    def T(self):
        """The matrices transposed."""
        return Rounded(self.value.swapaxes(-1, -2), self.error.swapaxes(-1, -2))


HALF_ULP = 2.0**-24
# The steepest slope of φ and of φ′, rounded up.
STEEPEST = {
    **{"identity": (1, 0), "relu": (1, 0), "leaky_relu(0.01)": (1, 0), "tanh": (1, 0.77)},
    **{"sigmoid": (0.25, 0.1), "elu": (1, 1), "selu": (1.76, 1.76)},
    **{"gelu": (1.13, 0.8), "silu": (1.1, 0.5)},
}


def rounded_gradient(net, X, y, loss):
    """The gradient in float64, and how far float32 may be from it, as Rounded W, b and γ.

    A running error analysis (Wilkinson 1986; Higham 2002, sec. 3.3): bounds go along with the
    numbers through every operation.
    """
    W, b, gamma = ([Rounded(each) for each in part] for part in (net.W, net.b, net.gamma))
    steep, bend = STEEPEST[net.activation.name]
    axis, A, Z, kept, last = (
        net.normaliser and net.normaliser.axis,
        Rounded(X),
        None,
        [],
        net.depth - 1,
    )
    for l, alpha in enumerate(net._alphas):
        below, Z, hat, rate = Z, A @ W[l], None, None
        if not gamma or l == last:
            Z = Z + b[l][..., None, :]
        if alpha is not None:
            Z = Rounded(np.array(alpha)) * Z + below
        if l == last:
            break
        H = Z
        if gamma:
            centred = Z - Z.mean(axis)
            variance = (centred * centred).mean(axis)
            least = np.maximum(variance.value - variance.error, 0) + normalisers.EPSILON
            rate = variance.through(
                lambda v: 1 / np.sqrt(v + normalisers.EPSILON), 0.5 * least**-1.5, 3
            )
            hat = centred * rate
            H = hat * gamma[l][..., None, :] + b[l][..., None, :]
        kept.append((A, H, hat, rate))
        A = H.through(net.activation, steep, 8)
    kept.append((A, None, None, None))
    ones, found, dZ = Rounded(np.ones((1, X.shape[-2]))), {}, rounded_slopes(Z, y, loss)
    for l in reversed(range(net.depth)):
        A, alpha = kept[l][0], net._alphas[l]
        dY = dZ if alpha is None else Rounded(np.array(alpha)) * dZ
        found["W", l] = A.T @ dY
        if not gamma or l == last:
            found["b", l] = ones @ dY
        if l == 0:
            break
        _, H, hat, rate = kept[l - 1]
        dH = (dY @ W[l].T) * H.through(net.activation.derivative, bend, 8)
        if gamma:
            found["b", l - 1], found["gamma", l - 1] = ones @ dH, ones @ (dH * hat)
            dhat = dH * gamma[l - 1][..., None, :]
            dH = (dhat - dhat.mean(axis) - hat * (dhat * hat).mean(axis)) * rate
        dZ = dH if alpha is None else dH + dZ
    near = ((np.abs(H.value) <= H.error) & (H.error > 0) for _, H, *_ in kept[:-1])
    return found, any(each.any() for each in near)


def rounded_slopes(Z, y, loss):
    """The gradient of the loss with respect to the logits."""
    n, m = Z.value.shape[-2:]
    if loss == "mean_squared_error":
        return (Z - Rounded(y).spread(0)) * Rounded(np.array(2 / (n * m))).spread(0)
    if loss == "binary_cross_entropy":
        P, hit = Z.through(special.expit, 0.25, 8), y[..., None]
    else:
        P, hit = Rounded(special.softmax(Z.value, -1)), y[..., None] == np.arange(m)
        # e^z is as steep as it is high; z − max is rounded before.
        off = Z.error.max(-1, keepdims=True) + HALF_ULP * np.ptp(Z.value, -1)[..., None]
        P = P.spread(P.value * 2 * off, m + 8)
    return (P - Rounded(1.0 * hit)) * Rounded(np.array(1 / n)).spread(0)


@examples(60)
@given(problems(dtype=np.float32))
def test_float32_is_as_near_to_float64_as_its_roundings_allow(problem):
    """The gradient in float32 is float64's, but for its roundings, followed through every step"""
    assume(well_posed(problem))
    net = problem.net
    exact = net.with_theta(net.theta.astype(np.float64))
    found, tipped = rounded_gradient(exact, problem.X.astype(np.float64), problem.y, problem.loss)
    assume(not tipped)  # a kink between the two
    slopes, theirs, pairs = problem.gradient()[2], problem.gradient(exact)[2], []
    largest = np.abs(theirs.theta).max()
    for (name, l), each in found.items():
        ours, others = (getattr(one, name)[l] for one in (slopes, theirs))
        value, error = (np.squeeze(e, -2) if name != "W" else e for e in (each.value, each.error))
        pairs.append((np.abs(ours - others), error + 1e-37))
        pairs.append((np.abs(value - others), 1e-9 * largest + 1e-15))  # two ways in float64
    assert_within(*pairs)


# ----------------------------------------------------------------------------------- invariances


@examples(60)
@given(problems(HOMOGENEOUS, normalisers=[None], shortcuts=[None], hidden=1), st.data())
def test_a_positive_factor_moves_from_a_unit_to_its_outgoing_weights(problem, data):
    """A ReLU's factor may move to its outgoing weights: same function, gradients in proportion"""
    net, other, rng = problem.net, problem.net.copy(), np.random.default_rng(problem.seed)
    l = data.draw(st.integers(0, net.depth - 2))
    factor = 2.0 ** rng.integers(-20, 20, net.sizes[l + 1])  # powers of two round nothing
    other.W[l] = net.W[l] * factor
    other.b[l] = net.b[l] * factor
    other.W[l + 1] = net.W[l + 1] / factor[:, None]
    value, signals, slopes = problem.gradient()
    after, moved, other_slopes = problem.gradient(other)
    other_slopes.W[l] = other_slopes.W[l] * factor
    other_slopes.b[l] = other_slopes.b[l] * factor
    other_slopes.W[l + 1] = other_slopes.W[l + 1] / factor[:, None]
    pairs = (after, value), (moved.logits, signals.logits), (other_slopes.theta, slopes.theta)
    assert_within(*errors(pairs, 1e-12))


@examples(60)
@given(problems(normalisers=list(NORM_AXIS)[1:], shortcuts=[None], hidden=1), st.data())
def test_a_normaliser_takes_the_scale_of_the_weights_away(problem, data):
    """A factor in the weights below a normaliser changes nothing, and divides their gradient"""
    net, other, rng = problem.net, problem.net.copy(), np.random.default_rng(problem.seed)
    l = data.draw(st.integers(0, net.depth - 2))
    per_unit = net.sizes[l + 1] if net.normaliser == normalisers.batch_norm else 1
    factor = 2.0 ** rng.integers(-20, 20, per_unit)
    other.W[l] = net.W[l] * factor
    with mock.patch.object(normalisers, "EPSILON", 1e-100):  # too small to count
        value, signals, slopes = problem.gradient()
        after, moved, other_slopes = problem.gradient(other)
    assume(max(rate.max() for rate in signals._rate) < 1e20)  # a variance of 0 has no scale
    other_slopes.W[l] = other_slopes.W[l] * factor
    pairs = (after, value), (moved.logits, signals.logits), (other_slopes.theta, slopes.theta)
    assert_within(*errors(pairs, 1e-12))


def permuted(net, orders):
    """The network with the units of each layer, inputs and outputs too, in another order."""
    other = net.copy()
    for l, (rows, columns) in enumerate(itertools.pairwise(orders)):
        other.W[l] = net.W[l][..., rows[:, None], columns]
        other.b[l] = net.b[l][..., columns]
        if l < len(net.gamma):
            other.gamma[l] = net.gamma[l][..., columns]
    return other


def orders(net, order):
    """``order(width)`` for each hidden layer, the same one where a shortcut ties two layers."""
    found = [np.arange(net.sizes[0])]
    for l, width in enumerate(net.sizes[1:-1]):
        found.append(found[-1] if net._alphas[l] is not None else order(width))
    return [*found, np.arange(net.sizes[-1])]


@examples(60)
@given(problems(hidden=1, width=2), rules)
def test_hidden_units_have_no_order(problem, rule):
    """Permuted hidden units: the same function, permuted gradients and permuted steps"""
    assume(well_posed(problem))
    net = problem.net
    order = orders(net, np.random.default_rng(problem.seed).permutation)
    other = permuted(net, order)
    value, signals, slopes = problem.gradient()
    after, moved, other_slopes = problem.gradient(other)
    pairs = [(after, value), (moved.logits, signals.logits)]
    pairs.append((other_slopes.theta, permuted(slopes, order).theta))
    end, other_end = problem.trained(net, rule), problem.trained(other, rule)
    distance = np.abs(permuted(end, order).theta - other_end.theta)
    assert_within(*errors(pairs, 1e-9), (distance, 1e-6))


@examples(60)
@given(problems(hidden=1, width=2), rules)
def test_twins_stay_twins(problem, rule):
    """Units with equal weights stay equal through four steps of SGD or Adam"""
    net = problem.net
    order = orders(net, lambda width: np.array([1, 0, *range(2, width)]))
    net.theta = (net.theta + permuted(net, order).theta) / 2
    assume(well_posed(problem))
    end = problem.trained(net, rule)
    assert_within((np.abs(permuted(end, order).theta - end.theta), 1e-6))


@examples(60)
@given(problems(ensembles=((1,), (3,), (2, 3), (120,), (2, 60))))
def test_a_member_is_the_single_network_with_its_parameters(problem):
    """A member of an ensemble is the single network: loss, gradient and every signal"""
    assume(well_posed(problem))
    net, pairs = problem.net, []
    value, signals, _ = problem.gradient()
    for k in list(np.ndindex(net.ensemble))[-2:]:
        alone_value, alone = net.with_theta(net.theta[k]).gradient(*problem.member(k), problem.loss)
        pairs += [(value[k], alone_value), (signals.dtheta[k], alone.dtheta)]
        for name in ("Z", "A", "H", "dZ"):
            ours, theirs = getattr(signals, name), getattr(alone, name)
            pairs += [(one[k], two) for one, two in zip(ours, theirs, strict=True)]
    assert_within(*errors(pairs, 1e-9))


@examples(60)
@given(problems(normalisers=[None, "layer_norm"]))
def test_examples_of_a_batch_know_nothing_of_each_other(problem):
    """Without batch_norm an example is as if alone, and the gradient is the mean of theirs"""
    assume(well_posed(problem))
    n, (_, signals, _) = problem.X.shape[-2], problem.gradient()
    alone = [problem.gradient(rows=slice(i, i + 1))[1] for i in range(n)]
    pairs = [(signals.dtheta, np.mean([each.dtheta for each in alone], axis=0))]
    for l in range(problem.net.depth):
        pairs.append((signals.Z[l], np.concatenate([each.Z[l] for each in alone], axis=-2)))
        pairs.append((signals.dZ[l], np.concatenate([each.dZ[l] for each in alone], axis=-2) / n))
    assert_within(*errors(pairs, 1e-9))


# ------------------------------------------------------------------------------------- variances


@examples(40)
@given(inits, st.integers(1, 30), st.integers(1, 30), seeds)
def test_the_variance_of_an_initialiser_is_that_of_its_weights(init, fan_in, fan_out, seed):
    """init.variance is the mean square of the weights, within 5 standard errors"""
    members = 1 + 100_000 // (fan_in * fan_out)
    W = init(np.random.default_rng(seed), (members, fan_in, fan_out))
    squares = np.square(W).mean((-2, -1)) if isinstance(init, initializers.Orthogonal) else W**2
    error = squares.std() / np.sqrt(squares.size) + 1e-14 * squares.mean()
    assert_within((abs(squares.mean() - init.variance(fan_in, fan_out)), 5 * error))


@st.composite
def starts(draw):
    """Sizes, activation and initialisers for which the mean-field maps are exact at any width.

    Weights of either sign alike: then half of what comes to a ReLU is positive, whatever the width.
    For the others, z must be normal, as it is in the first layer if the weights are.
    """
    homogeneous = draw(st.booleans())
    depth = draw(st.integers(1, 4)) if homogeneous else 2
    sizes = tuple(draw(st.lists(st.integers(4, 8), min_size=depth + 1, max_size=depth + 1)))
    layers = draw(st.lists(inits.filter(lambda i: i.std(1, 1)), min_size=depth, max_size=depth))
    if homogeneous:
        return sizes, draw(st.sampled_from(HOMOGENEOUS)), layers
    layers[0] = initializers.variance_scaling(
        draw(scales), draw(st.sampled_from(initializers.MODES))
    )
    return sizes, draw(st.sampled_from(sorted(ACTIVATIONS))), layers


@examples(40)
@given(starts(), seeds)
def test_networks_have_the_variances_that_are_predicted(start, seed):
    """Measured mean squares of z, a, dz are the predicted ones, within 5 standard errors"""
    sizes, activation, layers = start
    rng = np.random.default_rng(seed)
    net = MLP(sizes, activation, layers, rng=rng, ensemble=4000)
    x = rng.standard_normal(sizes[0])
    signals = net.forward(x[None] / np.sqrt(np.square(x).mean()))
    net.backward(signals, rng.standard_normal(signals.logits.shape))
    found = theory.predict(sizes, activation, layers)
    pairs = []
    kinds = {"Z": found.var_z, "A": found.mean_square_a, "dZ": found.backward}
    if activation == "relu":  # Narrow layers are dead now and then, and nothing comes back.
        del kinds["dZ"]
    for kind, predicted in kinds.items():
        squares = diagnostics.layer_stats(getattr(signals, kind)).rms ** 2  # (layers, members)
        error = squares.std(1) / np.sqrt(4000) + 1e-13 * predicted
        pairs.append((np.abs(squares.mean(1) - predicted), 5 * error))
    assert_within(*pairs)
