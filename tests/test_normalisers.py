"""Networks with a normaliser, with a shortcut, and with both: as exact as the plain ones."""

import copy
import math
import pickle

import numpy as np
import pytest
from references import assert_close, peak_memory

from nnlab import initializers, losses, normalisers, theory
from nnlab.diagnostics import gradient_check, twins
from nnlab.network import MLP, Signals
from nnlab.normalisers import NORMALISERS, layer_norm
from nnlab.optimizers import Adam
from nnlab.training import evaluate, fit

SIZES, BATCH, LOSS = (3, 4, 4, 5, 5, 2), 6, "softmax_cross_entropy"  # two shortcuts of two widths
KINDS = {
    "plain": {},
    "shortcut": {"shortcut": 0.7},
    "batch_norm": {"normaliser": "batch_norm"},
    "layer_norm": {"normaliser": "layer_norm"},
    "batch_norm, shortcut": {"normaliser": "batch_norm", "shortcut": -1.3},
    "layer_norm, shortcut": {"normaliser": "layer_norm", "shortcut": 0.2},
}
kinds = pytest.mark.parametrize("kind", KINDS)
MANY = (120,)  # members innermost in memory
ensembles = pytest.mark.parametrize(
    ("ensemble", "own_X"), [((), False), ((3,), True), (MANY, False), ((2, 60), True)], ids=str
)


def rng(seed=0):
    return np.random.default_rng(seed)


def problem(kind, activation="tanh", ensemble=(), *, own_X=False, **kwargs):
    """A network with any γ and β, inputs and labels."""
    net = MLP(
        SIZES,
        activation,
        initializers.normal(0.7),
        bias_init=initializers.normal(0.3),
        rng=rng(1),
        ensemble=ensemble,
        **KINDS[kind],
        **kwargs,
    )
    for gamma in net.gamma:
        gamma *= rng(gamma.shape[-1]).uniform(-1.5, 1.5, gamma.shape).astype(net.dtype)
    X = rng(2).standard_normal((*(ensemble if own_X else ()), BATCH, 3)).astype(net.dtype)
    return net, X, rng(3).integers(0, 2, X.shape[:-1])


def arrays(signals):
    """Every buffer of signals."""
    held = [value for value in vars(signals).values() if isinstance(value, tuple)]
    return [a for value in held for a in value if isinstance(a, np.ndarray)] + [signals.dtheta]


# ------------------------------------------------------------------------------------ gradients


@kinds
@ensembles
def test_gradient_by_finite_differences(kind, ensemble, own_X):
    net, X, y = problem(kind, "gelu", ensemble, own_X=own_X)
    # A unit that differs little over six examples is steep, and the more networks, the steeper.
    assert np.ma.median(gradient_check(net, X, y, LOSS).max(-1)) < 1e-8
    assert gradient_check(net, X, y, LOSS).max() < 1e-5


@kinds
def test_backward_signals_are_the_gradients_of_the_pre_activations(kind):
    """dZ[l] is what the loss gains from a nudge of Z[l], whatever runs past the layer."""
    net, X, y = problem(kind)
    signals, loss, nudge = net.gradient(X, y, LOSS)[1], losses.get(LOSS), 1e-6
    for l in range(net.depth):
        for place in ((0, 0), (3, 1)):

            def after(step, l=l, place=place):
                """The loss, if something were added to one z."""
                A, below = X, None
                for k, alpha in enumerate(net._alphas):
                    Z = A @ net.W[k]
                    if not net.gamma or k == net.depth - 1:
                        Z += net.b[k]
                    if alpha is not None:
                        Z = below + alpha * Z
                    if k == l:
                        Z[place] += step
                    below = H = Z
                    if net.gamma and k < net.depth - 1:
                        axis = net.normaliser.axis
                        centred = Z - Z.mean(axis, keepdims=True)
                        std = np.sqrt(np.square(centred).mean(axis, keepdims=True) + 1e-5)
                        H = net.gamma[k] * centred / std + net.b[k]
                    A = np.tanh(H)
                return loss(Z, y)

            numeric = (after(nudge) - after(-nudge)) / (2 * nudge)
            assert signals.dZ[l][place] == pytest.approx(numeric, rel=1e-6, abs=1e-8)


# ---------------------------------------------------------------------------------- definitions


@pytest.mark.parametrize("normaliser", NORMALISERS.values(), ids=NORMALISERS)
def test_what_is_normalised_has_mean_0_and_variance_1(normaliser):
    net = MLP((30, 40, 50, 3), "relu", "normal", rng=rng(), normaliser=normaliser)
    signals = net.forward(rng(1).standard_normal((25, 30)) + 3)
    for H in signals.H:
        assert np.abs(H.mean(normaliser.axis)).max() < 1e-13
        assert_close(H.var(normaliser.axis), np.ones(H.var(normaliser.axis).shape), 1e-4)


def test_with_branches_of_0_signals_pass_unchanged():
    inits = ["he_normal", "zeros", "zeros", "lecun_normal"]
    net = MLP((5, 6, 6, 6, 2), "relu", inits, rng=rng(), shortcut=1)
    X = rng(1).standard_normal((4, 5))
    signals = net.gradient(X, [0, 1, 1, 0], LOSS)[1]
    for l in (1, 2):
        np.testing.assert_array_equal(signals.Z[l], signals.Z[0])
        np.testing.assert_array_equal(signals.dZ[l], signals.dZ[0])
        assert signals.dW[l].any()


def test_where_the_shortcuts_are():
    net = MLP((4, 4, 4, 5, 5, 5), rng=rng(), shortcut=1)
    assert net._alphas == (None, 1, None, 1, None)
    assert [gamma.shape for gamma in MLP(SIZES, rng=rng(), normaliser="layer_norm").gamma] == [
        (4,),
        (4,),
        (5,),
        (5,),
    ]


def test_a_plain_network_has_no_more_arrays_than_it_needs():
    net, X, y = problem("plain")
    signals = net.gradient(X, y, LOSS)[1]
    assert net.gamma == signals.dgamma == signals._normal == signals._hat == signals._rate == ()
    assert all(H is Z for H, Z in zip(signals.H, signals.Z[:-1], strict=True))
    assert net.theta.size == sum(each.size for each in (*net.W, *net.b))


# ------------------------------------------------------------- ensembles, dtype, memory, copies


@kinds
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ensemble", [(), MANY], ids=str)
def test_every_signal_has_the_dtype_of_the_network(kind, dtype, ensemble):
    net, X, y = problem(kind, "relu", ensemble, dtype=dtype)
    value, signals = net.gradient(X, y, LOSS)
    assert {each.dtype for each in (value, *arrays(signals), *net.gamma)} == {np.dtype(dtype)}


@kinds
@pytest.mark.parametrize("ensemble", [(), MANY], ids=str)
def test_what_is_in_the_buffers_does_no_harm(kind, ensemble):
    net, X, y = problem(kind, ensemble=ensemble)
    loss, fresh, used = losses.get(LOSS), net.gradient(X, y, LOSS)[1], Signals(net, ensemble, BATCH)
    for buffer in arrays(used):
        buffer[...] = np.nan
    net.forward_into(used, X)
    net.backward(used, loss.value_and_gradient(used.logits, y)[1])
    for ours, theirs in zip(arrays(used), arrays(fresh), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@kinds
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pass_allocates_nothing_of_the_size_of_a_layer(kind, dtype):
    net = MLP((50, 200, 200, 10), "relu", rng=rng(), dtype=dtype, **KINDS[kind])
    X, dlogits = (rng().standard_normal((1000, n)).astype(dtype) for n in (50, 10))
    signals = net.forward(X)
    peak = peak_memory(lambda: net.backward(net.forward_into(signals, X), dlogits))
    assert peak < signals.A[0].nbytes / 2


@kinds
@pytest.mark.parametrize(
    "how",
    [MLP.copy, copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))],
    ids=["copy", "copy.copy", "deepcopy", "pickle"],
)
def test_copies_are_of_the_same_kind(kind, how):
    net, X, y = problem(kind, ensemble=(2,))
    other = how(net)
    assert repr(other) == repr(net)
    assert (other.normaliser, other.shortcut) == (net.normaliser, net.shortcut)
    gradient = net.gradient(X, y, LOSS)[1].dtheta
    np.testing.assert_array_equal(other.gradient(X, y, LOSS)[1].dtheta, gradient)
    for gamma in other.gamma:
        assert np.shares_memory(gamma, other.theta)
    signals = pickle.loads(pickle.dumps(net.gradient(X, y, LOSS)[1]))
    np.testing.assert_array_equal(signals.dtheta, gradient)
    assert all(np.shares_memory(dgamma, signals.dtheta) for dgamma in signals.dgamma)
    other.gamma = [np.zeros(gamma.shape) for gamma in other.gamma]
    assert not any(gamma.any() for gamma in other.gamma)


def test_repr():
    assert repr(problem("batch_norm, shortcut")[0]) == (
        "MLP(3-4-4-5-5-2, tanh, batch_norm, shortcut -1.3, 121 parameters, float64)"
    )


# ------------------------------------------------------------------------------------- training


@kinds
@pytest.mark.parametrize("workers", [1, 3])
def test_an_ensemble_trains_as_its_members_do(kind, workers):
    X, y = rng(5).standard_normal((200, 50)), rng(6).integers(0, 3, 200)
    net = MLP((50, 120, 120, 3), "relu", rng=rng(), ensemble=3, dtype="float32", **KINDS[kind])
    alone = [net.with_theta(net.theta[k].copy()) for k in range(3)]
    how = {"epochs": 2, "batch_size": 64, "test": (X, y)}
    together = fit(net, X, y, LOSS, Adam(0.01), rng=rng(7), workers=workers, **how)
    assert (together.loss[-1] < together.loss[0]).all()
    for k, each in enumerate(alone):
        history = fit(each, X, y, LOSS, Adam(0.01), rng=rng(7), **how)
        assert_close(net.theta[k], each.theta, 1e-3)
        assert_close(together.test_loss[:, k], history.test_loss, 1e-3)


@kinds
@pytest.mark.parametrize("chunk", [1, 7, 40, 1000])
def test_evaluation_does_not_depend_on_the_chunk(kind, chunk):
    net, _, _ = problem(kind, ensemble=(2,))
    X, y = rng(5).standard_normal((40, 3)) * np.arange(1, 41)[:, None], rng(6).integers(0, 2, 40)
    loss, accuracy = evaluate(net, X, y, LOSS, chunk=chunk)
    logits = net(X)
    assert_close(loss, losses.get(LOSS)(logits, y), 1e-13)
    assert_close(accuracy, (logits.argmax(-1) == y).mean(-1), 1e-13)


def test_under_batch_norm_examples_depend_on_each_other_and_under_layer_norm_they_do_not():
    for kind, depends in (("batch_norm", True), ("layer_norm", False)):
        net, X, _ = problem(kind)
        other = X.copy()
        other[0] += 1
        assert (np.abs(net(other)[1:] - net(X)[1:]).max() > 1e-6) == depends


# --------------------------------------------------------------------------------------- theory


def test_predictions_in_closed_form():
    sizes, depth = (100,) * 12, 11
    found = theory.predict(sizes, "relu", "he_normal", shortcut=0.5)
    # The first layer has E[z²] = 2, and each of the 9 branches multiplies it by 1 + α².
    assert_close(found.var_z[:-1], 2 * 1.25 ** np.arange(depth - 1), 1e-12)
    assert_close(found.factor, np.array([1.25] * 9 + [1.0, 1.0]), 1e-12)
    found = theory.predict(sizes, "relu", "he_normal", normaliser="batch_norm")
    assert_close(found.factor[1:-2], np.full(8, math.pi / (math.pi - 1)), 5e-5)
    assert_close(found.var_z[1:], np.ones(depth - 1), 5e-5)
    found = theory.predict(sizes, "relu", "he_normal", normaliser="layer_norm")
    assert_close(found.factor[1:-1], np.ones(depth - 2), 5e-5)
    # Each branch adds Var(relu) 2α² to what a batch differs by, and α² χ is what it adds backward.
    found = theory.predict(sizes, "relu", "he_normal", normaliser="batch_norm", shortcut=1)
    spread = 2 + (1 - 1 / math.pi) * np.arange(9)
    assert_close(found.factor[:-2], 1 + 1 / spread, 5e-5)
    assert theory.predict((3, 5, 5, 2), "tanh", "zeros", normaliser="batch_norm").factor[0] == 0


@kinds
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_networks_measure_what_is_predicted(kind, activation):
    sizes, seeds, batch = (200, 150, 150, 150, 150, 200), 30, 100
    net = MLP(sizes, activation, "he_normal", rng=rng(), ensemble=seeds, **KINDS[kind])
    X = rng(1).standard_normal((batch, sizes[0]))
    X /= np.sqrt(np.square(X).mean(1, keepdims=True))
    signals = net.forward(X)
    net.backward(signals, rng(2).standard_normal((seeds, batch, sizes[-1])))
    found = theory.predict(sizes, activation, "he_normal", **KINDS[kind])

    def check(layers, predicted):
        """Within 4 standard errors over the seeds, and 3 %: width and batch are finite."""
        measured = np.array([np.square(each).mean((-2, -1)) for each in layers])
        error = measured.std(1, ddof=1) / math.sqrt(seeds)
        assert (np.abs(measured.mean(1) - predicted) < 4 * error + 0.03 * predicted).all()
        assert (error < 0.06 * predicted).all()  # else this could not fail

    check(signals.Z, found.var_z)
    check(signals.A, found.mean_square_a)
    check([dZ / np.sqrt(np.square(signals.dZ[-1]).mean()) for dZ in signals.dZ], found.backward)


# ----------------------------------------------------------------------------------- by name


def test_twins_have_equal_gamma():
    init = initializers.constant(0.5)
    net = MLP((3, 2, 2), init=init, rng=rng(), normaliser="layer_norm")
    assert twins(net, 0) == [[0, 1]]
    net.gamma[0][1] = 2
    assert twins(net, 0) == [[0], [1]]


def test_get():
    assert normalisers.get(layer_norm) is layer_norm
    assert {name: each.name for name, each in NORMALISERS.items()} == {n: n for n in NORMALISERS}
