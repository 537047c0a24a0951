"""What is measured is there: checked on arrays small enough to be worked out by hand."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from references import logits
from scipy import stats

from nnlab import initializers
from nnlab.activations import ACTIVATIONS, Activation, tanh
from nnlab.datasets import xor
from nnlab.diagnostics import (
    correlations,
    gradient_check,
    histogram,
    layer_stats,
    singular_values,
    twins,
    update_ratio,
)
from nnlab.network import MLP
from nnlab.optimizers import SGD, Adam
from nnlab.training import fit


def rng(seed=0):
    return np.random.default_rng(seed)


# ----------------------------------------------------------------------------------------- signals

# Two examples (rows) of four units; the second unit is dead, the last dead for one example.
SIGNAL = np.array([[3.0, 0.0, -1.0, 2.0], [1.0, 0.0, -1.0, 0.0]])
MEASURED = {
    "mean": 0.5,
    "std": np.sqrt(2 - 0.25),
    "rms": np.sqrt(2),
    "zero": 3 / 8,
    "dead": 1 / 4,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
@pytest.mark.parametrize("lead", [(), (3,), (2, 3)], ids=str)
def test_layer_stats_of_a_small_array(lead, dtype):
    signal = np.broadcast_to(SIGNAL.astype(dtype), (*lead, 2, 4))
    wide = np.concatenate([signal, 2 * signal], axis=-1)  # layers may differ in width
    found = layer_stats([signal, 4 * signal, wide])
    factors = [1, 4, 1.5, np.sqrt(2.5)]
    for name, value in MEASURED.items():
        measured = getattr(found, name)
        assert measured.shape == (3, *lead)
        assert measured.dtype == np.float64
        scaled = name in ("mean", "rms", "std")
        np.testing.assert_allclose(measured[0], value, rtol=1e-15)
        np.testing.assert_allclose(measured[1], value * (factors[1] if scaled else 1), rtol=1e-15)
        if name != "std":
            factor = {"mean": factors[2], "rms": factors[3]}.get(name, 1)
            np.testing.assert_allclose(measured[2], value * factor, rtol=1e-15)
    np.testing.assert_allclose(found.std, np.sqrt(found.rms**2 - found.mean**2), rtol=1e-14)
    assert np.isnan(found.saturated).all()


def test_members_are_measured_one_by_one():
    signal = rng().standard_normal((5, 20, 7)) * np.arange(5)[:, None, None]
    found = layer_stats([signal], tanh)
    for k in range(5):
        alone = layer_stats([signal[k]], tanh)
        for name in (*MEASURED, "saturated"):
            np.testing.assert_allclose(
                getattr(found, name)[0, k], getattr(alone, name)[0], rtol=1e-14
            )
    assert found.dead[0].tolist() == found.zero[0].tolist() == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "values", "saturated"),
    [
        ("tanh", [-1, -0.95, -0.93, 0, 0.93, 0.95, 1], 4 / 7),
        ("sigmoid", [0, 0.02, 0.04, 0.5, 0.96, 0.98, 1], 4 / 7),
        ("relu", [0, 1e9], np.nan),
        ("gelu", [0, 1e9], np.nan),
        ("identity", [0, 1e9], np.nan),
    ],
)
def test_saturated(name, values, saturated):
    found = layer_stats([np.array([values], float)], ACTIVATIONS[name]).saturated
    np.testing.assert_allclose(found, [saturated])


def test_saturation_of_tanh_on_a_normal():
    Z = 2 * rng().standard_normal((1000, 100))
    expected = 2 * stats.norm.sf(np.arctanh(0.94) / 2)
    found = layer_stats([np.tanh(Z)], tanh).saturated[0]
    assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / Z.size)


def test_float32_is_measured_in_float64():
    signal = np.full((1000, 1000), 0.1, np.float32)
    found = layer_stats([signal])
    np.testing.assert_allclose(found.mean, float(np.float32(0.1)), rtol=1e-12)
    assert found.std < 1e-12
    assert np.isfinite(layer_stats([np.full((2, 2), 1e30, np.float32)]).rms).all()


def test_an_explosion_is_measured_without_a_warning():
    found = layer_stats([np.array([[np.inf, 1.0]]), np.array([[np.nan, 0.0]]), SIGNAL * 1e200])
    assert not np.isfinite(found.rms).any()
    np.testing.assert_allclose(found.zero, [0, 0.5, 3 / 8])


# -------------------------------------------------------------------------------------- histograms


def test_histogram_of_a_small_array():
    signal = np.array([[-9.0, -1.0, -0.5], [0.0, 0.5, 9.0]])
    # Bins are closed below; the last one is closed above too.
    assert (histogram(signal, np.array([-1, 0, 1])) * 6).round(12).tolist() == [3, 3]
    uneven = histogram(signal, np.array([-1, -0.5, 0.5, 2]))
    assert (uneven * 6).round(12).tolist() == [2, 2, 2]


@settings(max_examples=50)
@given(
    arrays(np.float64, array_shapes(max_dims=3), elements=st.floats(-5, 5) | st.just(np.inf)),
    st.integers(1, 20),
)
def test_a_histogram_sums_to_1(signal, bins):
    shares = histogram(signal, np.linspace(-2, 2, bins + 1))
    assert shares.shape == (bins,)
    assert (shares >= 0).all()
    assert shares.sum() == pytest.approx(1, rel=1e-14)


@pytest.mark.parametrize("signal", [np.zeros((0, 3)), np.array([0.0, np.nan])], ids=str)
def test_a_histogram_of_nothing_is_refused(signal):
    with pytest.raises(ValueError, match="signal must not be empty and must not hold NaN"):
        histogram(signal, np.linspace(-1, 1, 5))


# ----------------------------------------------------------------------------------------- updates


def test_update_ratio():
    net = MLP((2, 2, 1), init=initializers.constant(3), rng=rng(), ensemble=2)
    after = net.copy()
    after.W[0][0, 0, 1] += 0.6  # of a length of √(4·9) = 6
    after.W[1][1] *= 1.5
    after.b[0][...] = 100  # biases do not count
    found = update_ratio(net.theta, after.theta, net)
    np.testing.assert_allclose(found, [[0.1, 0], [0, 0.5]], rtol=1e-14)
    np.testing.assert_allclose(update_ratio(net.theta[1], after.theta[1], net), [0, 0.5])


@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [
        (0, 0, 0),
        (0, 1, np.inf),
        (2, 2, 0),
        (2, -1, 1.5),
        (np.nan, np.nan, np.nan),
        (1e200, 0, np.inf),
    ],
)
def test_update_ratio_at_the_edges(before, after, ratio):
    net = MLP((1, 1), rng=rng())
    found = update_ratio(np.array([before, 0.0]), np.array([after, 0.0]), net)
    if before == 1e200:
        ratio = np.nan  # too large to be squared: not known, and no warning
    np.testing.assert_array_equal(found, [ratio])


# ------------------------------------------------------------------------------------------- twins


def twin_net():
    """2-4-3-1: in the first hidden layer, units 0 and 2 are twins and so are 1 and 3."""
    net = MLP((2, 4, 3, 1), init=initializers.normal(), bias_init=initializers.normal(), rng=rng())
    for one, two in ((0, 2), (1, 3)):
        net.W[0][:, two] = net.W[0][:, one]
        net.b[0][two] = net.b[0][one]
        net.W[1][two] = net.W[1][one]
    return net


def test_twins_share_all_that_comes_in_and_all_that_goes_out():
    net = twin_net()
    assert twins(net, 0) == [[0, 2], [1, 3]]
    assert twins(net, 1) == [[0], [1], [2]]
    places = [net.W[0][1, 2:3], net.b[0][2:3], net.W[1][2, 1:2]]
    for place in places:
        saved = place.copy()
        place[...] = np.nextafter(saved, np.inf)  # one bit is enough
        assert twins(net, 0) == [[0], [1, 3], [2]]
        place[...] = saved
    assert twins(net, 0) == [[0, 2], [1, 3]]
    net.W[1][...] = 1  # equal going out, not coming in
    net.W[0][:, 1] += 1
    assert twins(net, 0) == [[0, 2], [1], [3]]


def test_minus_zero_is_zero():
    net = MLP((2, 3, 1), init="zeros", rng=rng())
    net.W[0][0, 1] = net.b[0][2] = net.W[1][0, 0] = -0.0
    before = net.theta.tobytes()
    assert twins(net, 0) == [[0, 1, 2]]
    assert net.theta.tobytes() == before


@pytest.mark.parametrize("rule", [SGD(0.5), SGD(0.1, momentum=0.9), Adam(0.01)], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_keeps_twins(rule, dtype):
    X = rng().standard_normal((10, 2))

    def trained(init, *hidden):
        net = MLP((2, *hidden, 1), "tanh", init, rng=rng(), dtype=dtype)
        fit(net, X, X[:, 0] > 0.3, "binary_cross_entropy", rule, epochs=100)
        return net

    assert twins(trained("zeros", 37, 50), 0) == [[*range(37)]]  # to the last bit
    for hidden in ((5, 4), (37, 50)):
        net = trained(initializers.constant(0.3), *hidden)
        # A matrix product may round the columns at its edge differently.
        rounded = net.with_theta(net.theta.round(4 if dtype == np.float32 else 10))
        for layer, width in enumerate(hidden):
            assert twins(rounded, layer) == [[*range(width)]]
        assert abs(net.W[0] - 0.3).max() > 1e-3  # it did train
        net = trained(initializers.normal(0.05), *hidden)
        for layer, width in enumerate(hidden):
            assert len(twins(net, layer)) == width


def test_different_outgoing_weights_break_the_symmetry():
    """A constant first layer is not enough to keep units twins."""
    X, y = xor(centred=True)
    net = MLP((2, 3, 1), "tanh", [initializers.constant(0.5), "xavier_normal"], rng=rng())
    assert twins(net, 0) == [[0], [1], [2]]
    fit(net, X + 0.3, y, "binary_cross_entropy", SGD(0.5), epochs=1)
    assert len(np.unique(net.W[0], axis=1).T) == 3


def test_twins_says_what_it_cannot_do():
    net = MLP((2, 3, 1), rng=rng(), ensemble=2)
    with pytest.raises(ValueError, match="twins needs a single network; got an ensemble"):
        twins(net, 0)
    for layer in (-1, 1, 7):
        with pytest.raises(ValueError, match=f"layer must be a hidden one, 0 to 0; got {layer}"):
            twins(net.with_theta(net.theta[0]), layer)


# ---------------------------------------------------------------------------------- gradient check

WRONG = {  # the classic mistakes; what is wrong with each
    "output for input": lambda Z, A, out: np.copyto(out, A >= 0, casting="unsafe"),
    "factor": lambda Z, A, out: np.multiply(1.001, Z > 0, out=out),
    "everywhere": lambda Z, A, out: out.fill(1),
    "nowhere": lambda Z, A, out: out.fill(0),
}


@pytest.mark.parametrize("ensemble", [(), (3,)], ids=str)
def test_gradient_check_catches_a_wrong_derivative(ensemble):
    relu = ACTIVATIONS["relu"]
    X, y = rng(1).standard_normal((6, 3)), rng(2).integers(0, 2, 6)
    arguments = X, y, "softmax_cross_entropy"

    def errors(phi):
        net = MLP(
            (3, 5, 4, 2), phi, bias_init=initializers.normal(0.1), rng=rng(), ensemble=ensemble
        )
        before = net.theta.copy()
        found = gradient_check(net, *arguments)
        np.testing.assert_array_equal(net.theta, before)
        assert found.shape == net.theta.shape
        return found

    assert errors(relu).max() < 1e-7
    last = 4 * 2 + 2  # the last layer has no φ′ below it
    for slope in WRONG.values():
        found = errors(Activation("wrong", relu.function, slope, relu.bounds))
        assert (found.max(-1) > 1e-4).all()
        assert found[..., -last:].max() < 1e-7


def test_gradient_check_says_how_wrong():
    """A slope a quarter too large: the error is the difference of two gradients, over the scale."""
    tanh, arguments = ACTIVATIONS["tanh"], ([[1.0, 2.0]], [1], "binary_cross_entropy")
    steep = Activation(
        "steep", tanh.function, lambda Z, A, out: np.multiply(1.25, 1 - A**2, out=out), tanh.bounds
    )
    right, wrong = (MLP((2, 2, 1), phi, rng=rng()) for phi in (tanh, steep))
    expected, found = (net.gradient(*arguments)[1].dtheta for net in (right, wrong))
    error = np.abs(found - expected) / np.abs(found).max()
    assert 0.03 < error.max() < 0.3
    np.testing.assert_allclose(gradient_check(wrong, *arguments), error, atol=1e-8)


@pytest.mark.parametrize("ensemble", [(), (4,)], ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_check_leaves_out_kinks_and_nothing_else(activation, ensemble):
    """An input at the origin and zero biases put every unit on the kink of φ."""
    net = MLP((3, 5, 4, 2), activation, rng=rng(), ensemble=ensemble)
    X, y = rng(1).standard_normal((6, 3)), rng(2).integers(0, 2, 6)
    assert not gradient_check(net, X, y, "softmax_cross_entropy").mask.any()
    X[0] = 0
    found = gradient_check(net, X, y, "softmax_cross_entropy")
    # In ELU only the bend jumps, and only so far that the difference is a little less precise.
    assert found.max() < (1e-6 if activation == "elu" else 1e-7)
    if activation in ("relu", "leaky_relu", "selu"):
        hidden = np.zeros(net.theta.shape[-1], bool)
        hidden[15:20] = hidden[40:44] = True  # b[0] and b[1]: all that moves these units' z
        on_kink = np.broadcast_to(hidden, net.theta.shape)
        assert found.mask[..., 40:44].any(-1).all()
        assert found.mask[..., 15:20].any(-1).all()
        assert not found.mask[~on_kink].any()
        assert (found.data[found.mask] > 1e-3).any()
    elif activation != "elu":
        assert not found.mask.any()


@pytest.mark.parametrize("offset", [0.3, 0.9, -0.5, -1.2])
def test_gradient_check_sees_a_kink_that_is_near(offset):
    """Within ε of it the finite difference is wrong; beyond 2ε the entry is compared."""
    epsilon = 1e-6
    net = MLP((1, 1, 1), "relu", "zeros", rng=rng())
    net.W[0], net.W[1], net.b[0] = 1.0, 1.0, offset * epsilon - 2.0
    arguments = [[2.0]], [[-1.0]], "mean_squared_error"
    found = gradient_check(net, *arguments, epsilon=epsilon)
    assert found.mask.tolist() == [True, True, False, False]
    net.b[0] += 6 * epsilon
    found = gradient_check(net, *arguments, epsilon=epsilon)
    assert not found.mask.any()
    assert found.max() < 1e-7


def test_gradient_check_where_there_is_no_gradient():
    """In a minimum both sides are equal, and so the error is 0, not 0/0."""
    biases = [initializers.constant(-1), "zeros"]
    net = MLP((2, 3, 1), "relu", "zeros", bias_init=biases, rng=rng())
    found = gradient_check(net, xor()[0], np.zeros((4, 1)), "mean_squared_error")
    np.testing.assert_array_equal(found, np.zeros(13))


def test_gradient_check_wants_float64():
    net = MLP((2, 3, 1), rng=rng(), dtype="float32")
    with pytest.raises(ValueError, match="needs a float64 network; this one is float32"):
        gradient_check(net, *xor(), "binary_cross_entropy")


# ------------------------------------------------------------------------- two inputs, the Jacobian


def test_correlations_are_those_of_numpy_for_centred_signals():
    layers = [rng(1).standard_normal((3, 2, 50)), rng(2).standard_normal((3, 2, 8))]
    centred = [each - each.mean(-1, keepdims=True) for each in layers]
    found = correlations(centred)
    assert found.shape == (2, 3)
    for layer, row in zip(centred, found, strict=True):
        assert np.allclose(row, [np.corrcoef(two)[0, 1] for two in layer], atol=1e-14)


def test_correlation_with_nothing_is_nothing():
    assert np.isnan(correlations([[[0.0, 0.0], [1.0, 2.0]]])).all()


@pytest.mark.parametrize("layer", [np.ones((3, 4)), np.ones(4), np.ones((2, 1, 4))])
def test_correlations_need_two_examples(layer):
    with pytest.raises(ValueError, match=r"layer 0 must be \(\.\.\., 2, units\)"):
        correlations([layer])


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("sizes", [(5, 7, 3), (3, 6, 6, 4)], ids=str)
def test_singular_values_are_those_of_jax(activation, sizes):
    x = rng(3).standard_normal(sizes[0])
    net = MLP(sizes, activation, "he_normal", bias_init="normal", rng=rng(4), ensemble=2)
    found = singular_values(net, x)
    for values, theta in zip(found, net.theta, strict=True):
        jacobian = jax.jacobian(lambda x: logits(theta, sizes, activation, x[None])[0])(x)  # noqa: B023
        assert np.allclose(values, np.linalg.svd(jacobian, compute_uv=False), rtol=1e-9, atol=1e-12)


def test_singular_values_leave_the_network_alone():
    net = MLP((4, 4, 4), "identity", "orthogonal", rng=rng())
    before = net.theta.copy()
    assert np.allclose(singular_values(net, np.zeros(4)), 1)
    assert (net.theta == before).all()


@pytest.mark.parametrize("x", [np.ones(3), np.ones((2, 4)), 1.0])
def test_singular_values_need_one_input(x):
    with pytest.raises(ValueError, match=r"x must be \(4,\)"):
        singular_values(MLP((4, 2), rng=rng()), x)


def test_singular_values_know_shortcuts_and_layer_norm():
    x, how = rng(5).standard_normal(4), {"normaliser": "layer_norm", "shortcut": 0.5}
    net = MLP((4, 6, 6, 3), "tanh", bias_init="normal", rng=rng(6), **how)
    step = 1e-6 * np.eye(4)
    jacobian = (net(x + step) - net(x - step)) / 2e-6
    assert np.allclose(singular_values(net, x), np.linalg.svd(jacobian)[1], rtol=1e-6)


def test_singular_values_refuse_what_looks_at_a_whole_batch():
    net = MLP((4, 6, 3), "tanh", rng=rng(), normaliser="batch_norm")
    with pytest.raises(ValueError, match="depend on one input; got batch_norm"):
        singular_values(net, np.ones(4))
