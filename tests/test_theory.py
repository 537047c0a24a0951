"""The predictions agree with closed forms, with other quadratures and with networks."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import assert_close
from scipy import integrate, special, stats

from nnlab import initializers, theory
from nnlab.activations import ACTIVATIONS, Activation, leaky_relu
from nnlab.network import MLP

STDS = [1e-8, 1e-3, 0.3, 1.0, 3.0, 17.0, 250.0]
every_std = pytest.mark.parametrize("std", STDS)


# ----------------------------------------------------------------------------------- expectation

CLOSED = {  # f, E[f(z)] for z ~ N(0, s²)
    "1": (lambda z: 1 + 0 * z, lambda s: 1),
    "z": (lambda z: z, lambda s: 0),
    "z⁴": (lambda z: z**4, lambda s: 3 * s**4),
    "z¹⁰": (lambda z: z**10, lambda s: 945 * s**10),
    "|z|": (np.abs, lambda s: s * math.sqrt(2 / math.pi)),
    "z > 0": (lambda z: (z > 0).astype(float), lambda s: 1 / 2),
    "relu": (ACTIVATIONS["relu"], lambda s: s / math.sqrt(2 * math.pi)),
    "relu²": (lambda z: ACTIVATIONS["relu"](z) ** 2, lambda s: s**2 / 2),
    "sigmoid": (ACTIVATIONS["sigmoid"], lambda s: 1 / 2),
    "gelu": (ACTIVATIONS["gelu"], lambda s: s**2 / math.sqrt(2 * math.pi * (1 + s**2))),
    # The arcsine law, Williams 1997.
    "erf²": (
        lambda z: special.erf(z) ** 2,
        lambda s: 2 / math.pi * math.asin(2 * s**2 / (1 + 2 * s**2)),
    ),
    "(1 − α)σ/√2π": (
        leaky_relu(0.3),
        lambda s: 0.7 * s / math.sqrt(2 * math.pi),
    ),
}
# Without a closed form, and steep where the normal is wide.
INTEGRANDS = {
    "tanh²": lambda z: np.tanh(z) ** 2,
    "tanh′²": lambda z: ACTIVATIONS["tanh"].derivative(z) ** 2,
    "sigmoid²": lambda z: special.expit(z) ** 2,
    "selu²": lambda z: ACTIVATIONS["selu"](z) ** 2,
    "gelu²": lambda z: ACTIVATIONS["gelu"](z) ** 2,
    "silu′²": lambda z: ACTIVATIONS["silu"].derivative(z) ** 2,
}


@every_std
@pytest.mark.parametrize(("f", "closed"), CLOSED.values(), ids=CLOSED)
def test_expectation_in_closed_form(f, closed, std):
    size = theory.expectation(lambda z: np.abs(f(z)), std)  # the halves may cancel
    assert theory.expectation(f, std) == pytest.approx(closed(std), abs=1e-12 * size)


@every_std
@pytest.mark.parametrize("f", INTEGRANDS.values(), ids=INTEGRANDS)
def test_expectation_agrees_with_adaptive_quadrature(f, std):
    edges = np.unique([0, *np.minimum(40 * std, [std, 5 * std, 1, 4, 20, 40 * std])])
    expected = sum(
        integrate.quad(
            lambda z: (f(z) + f(-z)) * stats.norm.pdf(z, scale=std),
            *edge,
            epsabs=1e-16,
            epsrel=1e-13,
            limit=200,
        )[0]
        for edge in pairwise(edges)
        if edge[0] < 12 * std
    )
    assert theory.expectation(f, std) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("std", [0.01, 0.2, 0.5])
@pytest.mark.parametrize("f", INTEGRANDS.values(), ids=INTEGRANDS)
def test_expectation_agrees_with_gauss_hermite_where_that_is_exact(f, std):
    if f is INTEGRANDS["selu²"]:
        f = np.cos  # SELU has a kink, which Gauss–Hermite does not forgive
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    assert_close(theory.expectation(f, std), f(std * nodes) @ weights / weights.sum(), 1e-12)


def test_expectation_takes_any_shape_of_std():
    stds = np.array([[0.0, 1e-6, 0.1], [1.0, 40.0, 1e4]])
    found = theory.expectation(np.tanh, stds), theory.expectation(lambda z: np.tanh(z) ** 2, stds)
    assert_close(found[0] + 1, np.ones((2, 3)), 1e-14)
    for place, std in np.ndenumerate(stds):
        alone = theory.expectation(lambda z: np.tanh(z) ** 2, std)
        assert alone.shape == ()
        assert_close(found[1][place], alone, 1e-12)
    assert theory.expectation(np.cos, 0.0) == 1


@settings(max_examples=30)
@given(st.floats(1e-100, 1e100))
def test_expectation_of_a_square_at_any_scale(std):
    assert theory.expectation(np.square, std) == pytest.approx(std**2, rel=1e-12)


# ----------------------------------------------------------------------------------------- gains


@pytest.mark.parametrize(
    ("activation", "expected", "tolerance"),
    [
        ("identity", 1, 1e-13),
        ("relu", math.sqrt(2), 1e-13),
        ("leaky_relu", math.sqrt(2 / (1 + 0.01**2)), 1e-13),
        (leaky_relu(0.3), math.sqrt(2 / (1 + 0.3**2)), 1e-13),
        ("selu", 1, 1e-13),
        ("tanh", 1.5925, 4e-5),
        ("gelu", 1.5335, 4e-5),
        ("silu", 1.6765, 4e-5),
    ],
)
def test_gain(activation, expected, tolerance):
    assert theory.gain(activation) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_under_its_gain_pre_activations_keep_a_variance_of_1(activation):
    gain = theory.gain(activation)
    init = initializers.variance_scaling(gain**2, "fan_in")
    found = theory.predict((30, 70, 50, 10), activation, init, mean_square_x=1 / gain**2)
    assert_close(found.var_z, np.ones(3), 1e-13)
    assert_close(found.mean_square_a[:-1], np.full(2, 1 / gain**2), 1e-13)


# ----------------------------------------------------------------------------------- predictions

SIZES = (40, 60, 30, 50, 20)


@pytest.mark.parametrize("init", ["xavier_normal", "fan_in_uniform", "he_normal", "orthogonal"])
@pytest.mark.parametrize("mean_square_x", [1.0, 2.5])
def test_a_linear_network_multiplies_n_var_w(init, mean_square_x):
    init = initializers.get(init)
    fans = list(pairwise(SIZES))
    up = [fan_in * init.variance(fan_in, fan_out) for fan_in, fan_out in fans]
    down = [fan_out * init.variance(fan_in, fan_out) for fan_in, fan_out in fans]
    found = theory.predict(SIZES, "identity", init, mean_square_x)
    assert_close(found.var_z, mean_square_x * np.cumprod(up), 1e-12)
    assert_close(found.mean_square_a, found.var_z, 1e-12)
    assert_close(found.var_a, found.var_z, 1e-12)
    assert_close(found.factor, np.array([*down[1:], 1]), 1e-12)
    assert_close(found.backward, np.array([math.prod(down[l + 1 :]) for l in range(4)]), 1e-12)


def test_relu_under_he_keeps_the_mean_square_but_not_the_variance():
    found = theory.predict((100,) * 30, "relu", "he_normal")
    assert_close(found.var_z, np.full(29, 2.0), 1e-11)
    assert_close(found.mean_square_a[:-1], np.ones(28), 1e-11)
    assert_close(found.var_a[:-1], np.full(28, 1 - 1 / math.pi), 1e-11)
    assert_close(found.backward, np.ones(29), 1e-11)


def test_30_relu_layers_under_xavier_lose_2_to_the_15():
    found = theory.predict((64,) * 31 + (10,), "relu", "xavier_normal")
    assert_close(np.sqrt(found.mean_square_a[29]), 2.0**-15, 1e-11)
    # A factor of ½ for each ReLU below the last layer's weights, which are 64 × 10.
    assert_close(found.backward[0], 2.0**-30 * 10 * 2 / 74, 1e-11)


def test_tanh_under_xavier_decays_as_1_over_twice_the_depth():
    found = theory.predict((100,) * 1001, "tanh", "xavier_normal")
    assert found.var_a[998] * 2 * 999 == pytest.approx(1, rel=0.02)
    assert (np.diff(found.var_a[:-1]) < 0).all()


def test_tanh_under_wide_weights_keeps_its_slopes_at_the_boundary():
    """E[φ′(z)²] → (4/3)/(s√2π) for a wide z, so χ grows as √n: nothing vanishes under N(0, 1)."""
    n = 1000
    found = theory.predict((n,) * 6, "tanh", "normal")
    s = np.sqrt(found.var_z[:-1])
    assert_close(found.mean_square_slope[:-1], 4 / 3 / (s * math.sqrt(2 * math.pi)), 2e-3)
    assert_close(found.factor[:-1], n * found.mean_square_slope[:-1], 1e-12)


def test_prediction_of_inputs_of_different_length_is_their_mean():
    squares = np.array([0.0, 0.1, 1.0, 30.0])
    together = theory.predict(SIZES, "tanh", "normal", squares)
    alone = [theory.predict(SIZES, "tanh", "normal", each) for each in squares]
    for name in ("var_z", "mean_a", "mean_square_a", "mean_square_slope"):
        mean = np.mean([getattr(each, name) for each in alone], axis=0)
        assert_close(getattr(together, name) + 1, mean + 1, 1e-12)


MEASURED = [
    ("tanh", "normal"),
    ("tanh", "fan_in_uniform"),
    ("tanh", "xavier_uniform"),
    ("sigmoid", "xavier_normal"),
    ("relu", "he_normal"),
    ("relu", "xavier_normal"),
    ("leaky_relu", "lecun_uniform"),
    ("elu", "he_uniform"),
    ("selu", "lecun_normal"),
    ("gelu", "he_normal"),
    ("silu", "kaiming_uniform"),
]


@pytest.mark.parametrize(("activation", "init"), MEASURED)
def test_networks_measure_what_is_predicted(activation, init):
    sizes, seeds, batch = (300, 200, 250, 300, 150), 40, 8
    rng = np.random.default_rng(0)
    net = MLP(sizes, activation, init, rng=rng, ensemble=seeds)
    X = rng.standard_normal((batch, sizes[0]))
    X /= np.sqrt(np.square(X).mean(1, keepdims=True))  # every example has mean square 1
    signals = net.forward(X)
    net.backward(signals, rng.standard_normal((seeds, batch, sizes[-1])))
    found = theory.predict(sizes, activation, init)

    def check(measured, predicted):
        """Within 4 standard errors over the seeds and the theory's own error, of order 1/width."""
        measured = np.array([each.mean((-2, -1)) for each in measured])  # (layers, seeds)
        error = measured.std(1, ddof=1) / math.sqrt(seeds)
        difference = np.abs(measured.mean(1) - predicted)
        assert (difference < 4 * error + np.abs(predicted) / 100 + 1e-12).all()
        # Else this could not fail.
        assert (error <= 0.12 * np.abs(measured).mean(1) + 1e-12).all()

    check([np.square(Z) for Z in signals.Z], found.var_z)
    check([np.square(A) for A in signals.A], found.mean_square_a)
    top = np.square(signals.dZ[-1]).mean()
    check([np.square(dZ) / top for dZ in signals.dZ], found.backward)
    means = np.array([A.mean() for A in signals.A])
    spread = np.sqrt(found.var_z / batch / seeds)  # generous: units of a layer differ too
    assert (np.abs(means - found.mean_a) < spread).all()


def test_every_layer_may_have_an_initialiser_of_its_own():
    sizes, inits = (4, 8, 2), ["he_normal", "lecun_normal"]
    prediction = theory.predict(sizes, "relu", inits)
    first, last = theory.predict(sizes, "relu", inits[0]), theory.predict(sizes, "relu", inits[1])
    assert prediction.var_z[0] == first.var_z[0]
    assert prediction.var_z[1] == pytest.approx(first.var_z[1] / 2)
    assert prediction.factor[0] == pytest.approx(last.factor[0])
    with pytest.raises(ValueError, match=r"init must be one, or one a layer \(2\); got 3"):
        theory.predict(sizes, "relu", ["he_normal"] * 3)


# ------------------------------------------------------------------------ where the maps lead


def relu_correlation(c):
    """Cho and Saul 2009, the arc-cosine kernel of degree 1."""
    return (np.sqrt(1 - c**2) + c * (np.pi - np.arccos(c))) / np.pi


def test_correlation_map_of_relu_is_the_closed_form():
    field, c = theory.MeanField("relu", 2.0), np.linspace(-1, 1, 21)
    assert np.allclose(field.correlation(c), relu_correlation(c), atol=1e-5)
    assert np.allclose(field.slope(c), 1 - np.arccos(c) / np.pi, atol=2e-3)  # of a step


def test_correlation_map_of_erf_is_the_closed_form():
    """Williams 1997: E[erf(u) erf(v)] = 2/π asin(2 q c / (1 + 2 q))."""

    def slope(Z, A, out):
        out[...] = 2 / math.sqrt(math.pi) * np.exp(-(Z**2))

    erf = Activation("erf", special.erf, slope)
    field, c = theory.MeanField(erf, 2.0, 0.3), np.linspace(-1, 1, 11)
    q = field.q
    assert math.isclose(field.variance(q), q, rel_tol=1e-9)
    kernel = 2 / math.pi * np.arcsin(2 * q * c / (1 + 2 * q))
    assert np.allclose(field.correlation(c), (2 * kernel + 0.3) / q, atol=1e-9)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "silu", "sigmoid"])
@pytest.mark.parametrize("weights", [(1.2, 0.05), (1.9, 0.2)], ids=str)
def test_maps_fit_together(activation, weights):
    field = theory.MeanField(activation, *weights)
    assert math.isclose(field.variance(field.q), field.q, rel_tol=1e-6)
    assert math.isclose(field.correlation(1.0), 1, rel_tol=1e-6)
    phi, std = ACTIVATIONS[activation], math.sqrt(field.q)
    chi = weights[0] * theory.expectation(lambda z: phi.derivative(z) ** 2, std)
    assert math.isclose(field.chi, chi, rel_tol=1e-9)
    c = np.array([-0.6, 0.0, 0.4, 0.9])
    rise = (field.correlation(c + 1e-5) - field.correlation(c - 1e-5)) / 2e-5
    assert np.allclose(field.slope(c), rise, rtol=1e-5)
    assert math.isclose(field.correlation(field.c), field.c, abs_tol=1e-9)
    assert (field.c == 1) == (field.chi <= 1)


def test_a_network_follows_the_maps():
    """Fifty networks of 300 units, whose averages are the theory's within their errors."""
    field, rng = theory.MeanField("tanh", 3.0, 0.05), np.random.default_rng(0)
    X = (
        np.array([[1.0, 0.0], [0.3, math.sqrt(1 - 0.09)]])
        @ np.linalg.qr(rng.normal(size=(300, 2)))[0].T
    )
    bias = initializers.normal(math.sqrt(0.05))
    net = MLP(
        [300] * 4, "tanh", initializers.variance_scaling(3.0), bias_init=bias, rng=rng, ensemble=50
    )
    X *= math.sqrt(300 * (field.q - 0.05) / 3)
    c = 0.3 * (1 - 0.05 / field.q) + 0.05 / field.q
    for layer in net.forward(X).Z:
        products = (layer[:, 0] * layer[:, 1]).mean(-1)
        error = 4 * products.std(ddof=1) / math.sqrt(50)
        assert abs(products.mean() - field.q * c) < error
        assert error < 0.1 * field.q * abs(1 - c)
        c = field.correlation(c)


def test_the_critical_line():
    var_w, var_b = theory.critical_line("tanh", np.array([0.01, 0.57, 3.0]))
    for pair in zip(var_w, var_b, strict=True):
        assert math.isclose(theory.MeanField("tanh", *pair).chi, 1, rel_tol=1e-6)
    var_w, var_b = theory.critical_line("relu", 1.7)
    assert math.isclose(var_w, 2) and abs(var_b) < 1e-12


@pytest.mark.parametrize("weights", [(2.0, 0.0), (1.0, 0.5)], ids=str)
def test_relu_has_the_fixed_points_that_algebra_finds(weights):
    var_w, var_b = weights
    expected = 1 if var_w == 2 else var_b / (1 - var_w / 2)
    assert math.isclose(theory.MeanField("relu", *weights).q, expected, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tahn", 1.0), "activation must be one of"),
        (("tanh", 0.0), "var_w must be"),
        (("tanh", 1.0, -0.1), "var_b must be"),
        (("tanh", math.nan), "var_w must be"),
    ],
)
def test_a_mean_field_needs_what_there_is(arguments, message):
    with pytest.raises(ValueError, match=message):
        theory.MeanField(*arguments)


@pytest.mark.parametrize("var_b", [0.0, 0.1])
def test_a_variance_that_grows_for_ever_is_said(var_b):
    with pytest.raises(ValueError, match=r"no fixed point .* grows for ever"):
        theory.MeanField("relu", 3.0, var_b).q  # noqa: B018


@pytest.mark.parametrize("c", [1.5, -2.0, math.nan])
def test_what_is_no_correlation_is_refused(c):
    with pytest.raises(ValueError, match="c must be a correlation"):
        theory.MeanField("tanh", 1.2, 0.05).correlation(c)


@pytest.mark.parametrize("q", [-0.1, math.inf])
def test_what_is_no_variance_is_refused(q):
    with pytest.raises(ValueError, match="q must"):
        theory.critical_line("tanh", q)
