"""What holds for every network, whatever its shape, its parts and its start.

`make test-networks` tries a hundred times as many networks as `make test`, others in every run.
"""

import itertools
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest
import references
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nnlab import diagnostics, initializers, normalisers, theory
from nnlab.activations import ACTIVATIONS
from nnlab.losses import LOSSES
from nnlab.network import MLP
from nnlab.optimizers import SGD, Adam

KINKED = ("relu", "leaky_relu", "selu")
HOMOGENEOUS = ("identity", "relu", "leaky_relu")  # φ(az) = aφ(z) for a > 0
NORM_AXIS = {None: None, "batch_norm": 0, "layer_norm": 1}  # as references.py calls them
seeds = st.integers(0, 2**32 - 1)

#: For each test, what every example came to as a share of what it may; networks.py tells of them.
TRIED: dict[str, list[float]] = defaultdict(list)


def examples(count):
    """So many a test, and in proportion more under a profile that asks for more than 100."""
    return settings(max_examples=max(1, count * settings.default.max_examples // 100))


def assert_within(error, bound):
    """Assert that an error, a number or an array, is nowhere above its bound."""
    error, bound = np.broadcast_arrays(error, bound)
    share = np.divide(error, bound, out=np.where(error > 0, np.inf, 0.0), where=bound > 0)
    test = re.search(r"::(\w+)", os.environ["PYTEST_CURRENT_TEST"])[1]
    TRIED[test].append(float(share.max()))  # max keeps NaN
    assert TRIED[test][-1] <= 1


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

    def trained(self, net, rule):
        """Where four steps lead."""
        net = net.copy()
        rule = rule.start(net.theta)
        for _ in range(4):
            rule(self.gradient(net)[1].dtheta)
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
    st.builds(Adam, st.floats(1e-4, 0.1)),
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
    rates = [np.maximum(rate.max(), 1) for rate in signals._rate]
    tipped = problem.net.gamma and problem.net.activation.name[:4] in ("relu", "leak", "selu")
    return np.prod(rates) < 1e4 and not (tipped and min(np.abs(H).min() for H in signals.H) < 1e-9)


def lengths(problem, dtheta):
    """Of each member's gradient, as a column."""
    return np.linalg.norm(dtheta, axis=-1, keepdims=True)


# ------------------------------------------------------------------------------------ gradients


@pytest.mark.parametrize("activation", ACTIVATIONS)
@examples(3)
@given(st.data())
def test_gradients_are_those_of_jax(activation, data):
    """The gradient is JAX's, to 1e-9 of its length"""
    problem = data.draw(problems([activation]))
    assume(well_posed(problem))
    net, X, y = problem.net, problem.X, problem.y
    value, signals, _ = problem.gradient()
    kind = (net.normaliser and net.normaliser.name, net.shortcut)
    reference = references.value_and_grad.__wrapped__(
        net.sizes, activation, problem.loss, NORM_AXIS[kind[0]], kind[1]
    )
    for k in list(np.ndindex(net.ensemble))[-2:]:
        own = X.ndim > 2
        theirs = reference(net.theta[k], X[k] if own else X, y[k] if own else y)
        error = np.linalg.norm(signals.dtheta[k] - theirs[1])
        assert_within(error, 1e-9 * np.linalg.norm(theirs[1]) + 1e-15)
        assert_within(abs(value[k] - theirs[0]), 1e-10 * abs(theirs[0]) + 1e-15)


# ----------------------------------------------------------------------------------- invariances


@examples(60)
@given(
    problems(HOMOGENEOUS, normalisers=[None], shortcuts=[None], hidden=1),
    st.data(),
)
def test_a_positive_factor_moves_from_a_unit_to_its_outgoing_weights(problem, data):
    """ReLU: factors move from units to outgoing weights; function and gradients say so exactly"""
    net, other, rng = problem.net, problem.net.copy(), np.random.default_rng(problem.seed)
    l = data.draw(st.integers(0, net.depth - 2))
    factor = 2.0 ** rng.integers(-20, 20, net.sizes[l + 1])  # in powers of two, to the last bit
    other.W[l] = net.W[l] * factor
    other.b[l] = net.b[l] * factor
    other.W[l + 1] = net.W[l + 1] / factor[:, None]
    value, signals, slopes = problem.gradient()
    after, moved, other_slopes = problem.gradient(other)
    slopes.W[l] = slopes.W[l] / factor
    slopes.b[l] = slopes.b[l] / factor
    slopes.W[l + 1] = slopes.W[l + 1] * factor[:, None]
    pairs = (value, after), (signals.logits, moved.logits), (slopes.theta, other_slopes.theta)
    assert_within(max(np.abs(one - two).max() for one, two in pairs), 0)


@examples(60)
@given(
    problems(normalisers=list(NORM_AXIS)[1:], shortcuts=[None], hidden=1),
    st.data(),
)
def test_a_normaliser_takes_the_scale_of_the_weights_away(problem, data):
    """Normaliser: the scale a of the weights below changes nothing, and divides their gradient"""
    net, other, rng = problem.net, problem.net.copy(), np.random.default_rng(problem.seed)
    l = data.draw(st.integers(0, net.depth - 2))
    per_unit = net.sizes[l + 1] if net.normaliser == normalisers.batch_norm else 1
    factor = 2.0 ** rng.integers(-20, 20, per_unit)
    other.W[l] = net.W[l] * factor
    with mock.patch.object(normalisers, "EPSILON", 1e-300):  # so small that it has no part in it
        value, signals, slopes = problem.gradient()
        after, moved, other_slopes = problem.gradient(other)
    assume(max(rate.max() for rate in signals._rate) < 1e40)  # a variance of 0 has no scale
    slopes.W[l] = slopes.W[l] / factor
    pairs = (value, after), (signals.logits, moved.logits), (slopes.theta, other_slopes.theta)
    assert_within(max(np.abs(one - two).max() for one, two in pairs), 0)


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
    """Permuting hidden units: same function, permuted gradients, and four steps commute with it"""
    assume(well_posed(problem))
    net = problem.net
    order = orders(net, np.random.default_rng(problem.seed).permutation)
    other = permuted(net, order)
    value, signals, slopes = problem.gradient()
    after, moved, other_slopes = problem.gradient(other)
    expected = permuted(slopes, order).theta
    length = lengths(problem, expected)
    error = np.abs(other_slopes.theta - expected) / (1e-9 * length + 1e-15)
    assert_within(
        max(
            *(np.abs(after - value) / (1e-10 * np.abs(value) + 1e-15)).ravel(),
            np.abs(moved.logits - signals.logits).max() / (1e-9 * np.abs(signals.logits).max()),
            error.max(),
        ),
        1,
    )
    with np.errstate(all="ignore"):
        end, other_end = problem.trained(net, rule), problem.trained(other, rule)
    if np.abs(end.theta).max() < 100 and well_posed(problem):
        assert_within(np.abs(permuted(end, order).theta - other_end.theta).max(), 1e-6)


@examples(60)
@given(problems(hidden=1, width=2), rules)
def test_twins_stay_twins(problem, rule):
    """Units with equal weights in and out stay equal through four steps of SGD or Adam"""
    net = problem.net

    def swap(width):
        return np.array([1, 0, *range(2, width)])

    order = orders(net, swap)
    net.theta = (net.theta + permuted(net, order).theta) / 2
    assume(well_posed(problem))
    with np.errstate(all="ignore"):
        end = problem.trained(net, rule)
    assume(np.abs(end.theta).max() < 100)
    assert_within(np.abs(permuted(end, order).theta - end.theta).max(), 1e-6)


@examples(60)
@given(problems(ensembles=((1,), (3,), (2, 3), (120,), (2, 60))))
def test_a_member_is_the_single_network_with_its_parameters(problem):
    """A member of an ensemble is the single network: every signal, the loss, the gradient"""
    assume(well_posed(problem))
    net, own = problem.net, problem.X.ndim > 2
    value, signals, _ = problem.gradient()
    for k in list(np.ndindex(net.ensemble))[-2:]:
        X, y = (problem.X[k], problem.y[k]) if own else (problem.X, problem.y)
        alone_value, alone = net.with_theta(net.theta[k]).gradient(X, y, problem.loss)
        pairs = [(value[k], alone_value), (signals.dtheta[k], alone.dtheta)]
        for name in ("Z", "A", "H", "dZ"):
            mine, theirs = getattr(signals, name), getattr(alone, name)
            pairs += [(one[k], two) for one, two in zip(mine, theirs, strict=True)]
        sizes = [np.abs(two).max() for _, two in pairs]
        bounds = 1e-9 * np.array(sizes) + 1e-15
        assert_within([np.abs(one - two).max() for one, two in pairs], bounds)


@examples(60)
@given(problems(normalisers=[None, "layer_norm"]))
def test_examples_of_a_batch_know_nothing_of_each_other(problem):
    """Without batch_norm each example is as if alone, and the gradient is their mean"""
    assume(well_posed(problem))
    n, (_, signals, _) = problem.X.shape[-2], problem.gradient()
    alone = [problem.gradient(rows=slice(i, i + 1))[1] for i in range(n)]
    pairs = [(signals.dtheta, np.mean([each.dtheta for each in alone], axis=0))]
    for l in range(problem.net.depth):
        pairs.append((signals.Z[l], np.concatenate([each.Z[l] for each in alone], axis=-2)))
        pairs.append((signals.dZ[l], np.concatenate([each.dZ[l] for each in alone], axis=-2) / n))
    errors = [np.abs(one - two).max() for one, two in pairs]
    assert_within(errors, [1e-9 * np.abs(two).max() + 1e-15 for _, two in pairs])


# ------------------------------------------------------------------------------------- variances


@examples(40)
@given(inits, st.integers(1, 30), st.integers(1, 30), seeds)
def test_the_variance_of_an_initialiser_is_that_of_its_weights(init, fan_in, fan_out, seed):
    """init.variance is the mean square of the weights, within 5 standard errors"""
    members = 1 + 100_000 // (fan_in * fan_out)
    W = init(np.random.default_rng(seed), (members, fan_in, fan_out))
    squares = np.square(W).mean((-2, -1)) if isinstance(init, initializers.Orthogonal) else W**2
    error = squares.std() / np.sqrt(squares.size) + 1e-14 * squares.mean()
    assert_within(abs(squares.mean() - init.variance(fan_in, fan_out)), 5 * error)


@st.composite
def starts(draw):
    """Sizes, activation and initialisers for which the mean-field maps are exact at any width.

    Weights of either sign alike: then half of what comes to a ReLU is positive, whatever the width.
    For the others, z must be normal, as it is in the first layer if the weights are.
    """
    homogeneous = draw(st.booleans())
    depth = draw(st.integers(1, 4)) if homogeneous else 2
    sizes = tuple(draw(st.lists(st.integers(3, 8), min_size=depth + 1, max_size=depth + 1)))
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
    errors, bounds = [], []
    for kind, predicted in (
        ("Z", found.var_z),
        ("A", found.mean_square_a),
        ("dZ", found.backward),
    ):
        squares = diagnostics.layer_stats(getattr(signals, kind)).rms ** 2  # (layers, members)
        errors.append(np.abs(squares.mean(1) - predicted))
        bounds.append(5 * squares.std(1) / np.sqrt(4000) + 1e-12 * predicted)
    assert_within(errors, bounds)
