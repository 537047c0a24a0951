"""Every labelled equation of chapter 4, checked by SymPy or by simulation with its error."""

import math
from itertools import pairwise

import numpy as np
import pytest
import sympy as sp

from nnlab import activations, initializers, theory
from nnlab.network import MLP

n_in, n_out, n, v, q = sp.symbols("n_in n_out n v q", positive=True)
x = sp.Symbol("x", real=True)
DENSITY = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)


def normal_mean(f, low=-sp.oo):
    """E[f(x)] of a standard normal x, of what lies above ``low``."""
    return sp.integrate(f * DENSITY, (x, low, sp.oo))


def assert_mean(values, expected, *, wrong, slack=0.0):
    """The mean of ``values`` is the expected one, within 4 standard errors and a relative slack.

    It has to be far from ``wrong``, or the test could not fail.
    """
    error = 4 * values.std(ddof=1) / math.sqrt(len(values))
    assert abs(values.mean() - expected) < error + slack * abs(expected)
    assert abs(values.mean() - wrong) > 3 * error


def pass_both_ways(sizes, activation, init, *, seeds=200, batch=4):
    """E[z²] and E[dz²] of every layer: two arrays (layers, seeds)."""
    rng = np.random.default_rng(0)
    net = MLP(sizes, activation, init, rng=rng, ensemble=seeds)
    X = rng.standard_normal((batch, sizes[0]))
    X /= np.sqrt(np.mean(X**2, axis=1, keepdims=True))
    signals = net.forward(X)
    net.backward(signals, rng.standard_normal(signals.logits.shape))
    return tuple(
        np.array([np.mean(each**2, axis=(-2, -1)) for each in kind])
        for kind in (signals.Z, signals.dZ)
    )


def test_eq_04_product():
    mean_x, mean_y, var_x, var_y = sp.symbols("mean_x mean_y var_x var_y", positive=True)
    # By independence the means of XY and of X²Y² are products.
    variance = (var_x + mean_x**2) * (var_y + mean_y**2) - (mean_x * mean_y) ** 2
    stated = mean_x**2 * var_y + var_x * mean_y**2 + var_x * var_y
    assert sp.expand(variance - stated) == 0


@pytest.mark.parametrize("inputs", ["with a mean", "equal", "independent"])
def test_eq_04_sum(inputs):
    rng, fan_in = np.random.default_rng(0), 50
    X = {
        "with a mean": lambda: 2 + rng.standard_normal((3, fan_in)),
        "equal": lambda: np.repeat(rng.standard_normal((3, 1)), fan_in, axis=1),
        "independent": lambda: rng.standard_normal((3, fan_in)),
    }[inputs]()
    W = rng.uniform(-1, 1, (fan_in, 40_000))  # variance 1/3
    per_unit = np.mean((X @ W) ** 2, axis=0)
    assert_mean(per_unit, fan_in / 3 * np.mean(X**2), wrong=fan_in * np.mean(X**2))
    Z = (X @ W)[0]
    assert abs(np.mean(Z[::2] * Z[1::2])) < 4 * np.var(Z) / math.sqrt(len(Z) / 2)


SIZES = (60, 30, 80, 20, 50)


def test_eq_04_forward():
    init = initializers.xavier_uniform()
    measured = pass_both_ways(SIZES, "identity", init)[0][-1]
    factors = [a * init.variance(a, b) for a, b in pairwise(SIZES)]
    assert_mean(measured, math.prod(factors), wrong=1.0)


def test_the_forward_condition_keeps_the_forward_signal():
    assert sp.solve(sp.Eq(n_in * v, 1), v) == [1 / n_in]
    held = theory.predict(SIZES, "identity", initializers.variance_scaling(1, "fan_in")).var_z
    assert held == pytest.approx(np.ones(4), rel=1e-12)
    lost = theory.predict(SIZES, "identity", initializers.variance_scaling(1, "fan_out")).var_z
    assert abs(lost - 1).min() > 0.1


def test_eq_04_heuristic():
    r = 1 / sp.sqrt(n)
    assert sp.simplify(sp.integrate(x**2 / (2 * r), (x, -r, r)) - 1 / (3 * n)) == 0
    W = initializers.fan_in_uniform()(np.random.default_rng(0), (100, 5000))
    assert 100 * W.var() == pytest.approx(1 / 3, rel=0.01)
    assert np.abs(W).max() <= 0.1 < 1.001 * np.abs(W).max()


def test_eq_04_backward():
    init = initializers.normal(0.1)
    sizes = (200, 120, 200, 80)
    measured = pass_both_ways(sizes, "tanh", init)[1]
    slopes = theory.predict(sizes, "tanh", init).mean_square_slope
    for l in (0, 1):
        expected = sizes[l + 2] * 0.1**2 * slopes[l]
        ratio = measured[l] / measured[l + 1].mean()
        # The other fan would be n_in; the slack is for the finite width.
        assert_mean(ratio, expected, wrong=expected * sizes[l + 1] / sizes[l + 2], slack=0.02)


def test_the_backward_condition_keeps_the_backward_signal():
    assert sp.solve(sp.Eq(n_out * v, 1), v) == [1 / n_out]
    held = theory.predict(SIZES, "identity", initializers.variance_scaling(1, "fan_out"))
    assert held.backward == pytest.approx(np.ones(4), rel=1e-12)
    lost = theory.predict(SIZES, "identity", initializers.variance_scaling(1, "fan_in"))
    assert abs(lost.backward[:-1] - 1).min() > 0.1


def test_eq_04_compromise():
    (solution,) = sp.solve(sp.Eq((n_in * v + n_out * v) / 2, 1), v)
    assert sp.simplify(solution - 2 / (n_in + n_out)) == 0
    harmonic_mean = 2 / (1 / (1 / n_in) + 1 / (1 / n_out))
    assert sp.simplify(solution - harmonic_mean) == 0
    assert initializers.xavier_normal().variance(30, 50) == pytest.approx(2 / 80)


def test_eq_04_limit():
    r = sp.Symbol("r", positive=True)
    variance = sp.integrate(x**2 / (2 * r), (x, -r, r))
    (limit,) = sp.solve(sp.Eq(variance, 2 / (n_in + n_out)), r)
    assert sp.simplify(limit - sp.sqrt(6) / sp.sqrt(n_in + n_out)) == 0
    W = initializers.xavier_uniform()(np.random.default_rng(0), (300, 500))
    assert 0.999 < np.abs(W).max() / math.sqrt(6 / 800) <= 1


def test_eq_04_truncated():
    c = sp.Symbol("c", positive=True)
    kept = sp.erf(c / sp.sqrt(2))  # 2Φ(c) − 1
    variance = sp.integrate(x**2 * DENSITY, (x, -c, c)) / kept
    stated = 1 - 2 * c * DENSITY.subs(x, c) / kept
    assert sp.simplify(variance - stated) == 0
    assert float(sp.sqrt(stated.subs(c, 2))) == pytest.approx(0.8796, abs=5e-5)
    assert initializers.truncated_std(2.0) == pytest.approx(float(sp.sqrt(stated.subs(c, 2))))


def test_eq_04_tanh_series():
    z = sp.Symbol("z")
    square = sp.series(sp.tanh(z) ** 2, z, 0, 8).removeO()
    terms = sp.Poly(square, z).all_terms()
    moments = {2: q, 4: 3 * q**2, 6: 15 * q**3}
    mean = sum(coefficient * moments[power] for (power,), coefficient in terms if coefficient)
    assert sp.expand(mean - (q - 2 * q**2 + sp.Rational(17, 3) * q**3)) == 0
    for variance in (0.01, 0.02):
        exact = theory.expectation(lambda z: np.tanh(z) ** 2, math.sqrt(variance))
        rest = exact - (variance - 2 * variance**2 + 17 / 3 * variance**3)
        assert abs(rest) < 30 * variance**4


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_eq_04_map(activation):
    phi, scale, sizes = activations.get(activation), 1.7, (400, 400, 400, 400)
    init = initializers.variance_scaling(scale)
    measured = pass_both_ways(sizes, activation, init, seeds=60)[0]
    q = scale  # of layer 1, where E[x²] is 1
    for l in (1, 2):
        q = scale * float(theory.expectation(lambda z: phi(z) ** 2, math.sqrt(q)))
        assert_mean(measured[l], q, wrong=scale, slack=0.01)


@pytest.mark.parametrize("start", [0.01, 1.0, 50.0])
def test_eq_04_law(start):
    q, layers = start, 5000
    for _ in range(layers):
        q = float(theory.expectation(lambda z: np.tanh(z) ** 2, math.sqrt(q)))
    assert 2 * layers * q == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "selu"])
def test_eq_04_price(activation):
    phi = activations.get(activation)
    g2 = theory.gain(activation) ** 2
    slope, square = (
        float(theory.expectation(f, 1.0))
        for f in (lambda z: phi.derivative(z) ** 2, lambda z: phi(z) ** 2)
    )
    found = theory.predict((100,) * 5, activation, initializers.variance_scaling(g2), 1 / g2)
    assert found.factor[:-1] == pytest.approx(np.full(3, slope / square), rel=1e-10)
    assert found.var_z == pytest.approx(np.ones(4), rel=1e-10)
    assert (abs(slope / square - 1) < 1e-10) == (activation == "relu")


def test_eq_04_half():
    assert normal_mean(q * x**2, low=0) == q / 2
    assert normal_mean(1, low=0) == sp.Rational(1, 2)
    z = 3 * np.random.default_rng(0).standard_normal(400_000)
    assert_mean(activations.relu(z) ** 2, 9 / 2, wrong=9)
    assert_mean(activations.relu.derivative(z) ** 2, 1 / 2, wrong=1)


def test_eq_04_he():
    forward, backward = (initializers.variance_scaling(2, mode) for mode in ("fan_in", "fan_out"))
    for fan_in, fan_out in pairwise(SIZES):
        assert fan_in * forward.variance(fan_in, fan_out) / 2 == pytest.approx(1)
        assert fan_out * backward.variance(fan_in, fan_out) / 2 == pytest.approx(1)
    assert theory.predict(SIZES, "relu", forward).var_z == pytest.approx(np.full(4, 2.0))
    # The last layer has no ReLU below its weights that could make up for its 2.
    assert theory.predict(SIZES, "relu", backward).backward == pytest.approx(np.ones(4))
    assert abs(theory.predict(SIZES, "relu", backward).var_z - 2).min() > 0.1


def test_eq_04_telescope():
    sizes = (80, 120, 160, 60, 100, 40)
    found = theory.predict(sizes, "relu", "he_normal").backward[0]
    assert found == pytest.approx(40 / 120)
    dz2 = pass_both_ways(sizes, "relu", "he_normal", seeds=400)[1]
    assert_mean(dz2[0] / dz2[-1].mean(), 40 / 120, wrong=1.0, slack=0.02)


def test_eq_04_relu_mean():
    mean = normal_mean(sp.sqrt(q) * x, low=0)
    assert sp.simplify(mean - sp.sqrt(q / (2 * sp.pi))) == 0
    square = normal_mean(q * x**2, low=0)
    assert sp.simplify(square - mean**2 - (1 - 1 / sp.pi) * square) == 0


def test_eq_04_leaky():
    alpha = sp.Symbol("alpha", positive=True)
    right, left = normal_mean(q * x**2, low=0), normal_mean(q * x**2, low=0) * alpha**2
    assert sp.simplify(right + left - (1 + alpha**2) / 2 * q) == 0
    right, left = normal_mean(sp.sqrt(q) * x, low=0), -alpha * normal_mean(sp.sqrt(q) * x, low=0)
    assert sp.simplify(right + left - (1 - alpha) * sp.sqrt(q / (2 * sp.pi))) == 0
    a = activations.leaky_relu(0.3)(2 * np.random.default_rng(0).standard_normal(400_000))
    assert_mean(a, 0.7 * 2 / math.sqrt(2 * math.pi), wrong=0.0)
    assert_mean(a**2, (1 + 0.3**2) / 2 * 4, wrong=2)


def test_eq_04_spread():
    mean, square = normal_mean(x**2, low=0), normal_mean(x**4, low=0)
    variance = (2 / n) ** 2 * n * (square - mean**2)  # of 2/n Σ relu(g)²
    assert sp.simplify(2 * mean - 1) == 0
    assert sp.simplify(1 + variance - (1 + 5 / n)) == 0
    # Networks: width 20, 2 layers, many seeds, one input.
    width, layers = 20, 2
    net = MLP(
        (width,) * (layers + 1) + (1,),
        "relu",
        "he_normal",
        rng=np.random.default_rng(0),
        ensemble=10_000,
    )
    M = np.mean(net.forward(np.ones((1, width))).A[layers - 1] ** 2, axis=(-2, -1))
    assert_mean(M, 1.0, wrong=0.5)
    assert_mean(M**2, (1 + 5 / width) ** layers, wrong=1.0)


def test_eq_04_singular():
    s, t = sp.symbols("s t", positive=True)
    # x = 2s sin t; the quarter circle has the area 1, the mean square s², and this mean.
    density = sp.sqrt(4 * s**2 - x**2) / (sp.pi * s**2)
    point = 2 * s * sp.sin(t)
    along = sp.simplify(2 * s * sp.cos(t) / (sp.pi * s**2) * 2 * s * sp.cos(t))
    assert sp.simplify(density.subs(x, point) ** 2 - (2 * s * sp.cos(t) / (sp.pi * s**2)) ** 2) == 0
    for power, expected in ((0, 1), (1, 8 * s / (3 * sp.pi)), (2, s**2)):
        found = sp.integrate(point**power * along, (t, 0, sp.pi / 2))
        assert sp.simplify(found - expected) == 0
    W = initializers.fan_in_uniform()(np.random.default_rng(0), (4, 200, 200))
    values = np.linalg.svd(W, compute_uv=False)
    assert values.mean() == pytest.approx(8 / (3 * math.pi) / math.sqrt(3), rel=0.01)


def test_the_5_stays_5_for_other_weights():
    """The factor of a layer has the variance 5 + 12κ/n over n, whatever symmetric weights."""
    width, networks, rng = 32, 40_000, np.random.default_rng(0)
    draws = {
        0.0: rng.standard_normal,
        -1.2: lambda shape: rng.uniform(-math.sqrt(3), math.sqrt(3), shape),
        -2.0: lambda shape: rng.choice([-1.0, 1.0], shape),
    }
    a = np.maximum(rng.standard_normal((networks, width)), 0)
    for kurtosis, draw in draws.items():
        units = ((a * draw(a.shape)).sum(axis=1) for _ in range(width))
        squares = sum(np.maximum(z, 0) ** 2 for z in units)
        factor = 2 / width * squares / np.sum(a**2, axis=1)
        off = width * (factor - 1) ** 2
        assert_mean(off, 5 + 12 * kurtosis / width, wrong=3.0, slack=0.02)


def test_a_slope_that_depends_on_the_sign_keeps_both_signals():
    """Homogeneous is not enough: z² is."""
    for slopes in ((1.0, 0.0), (1.0, 0.2), (2.0, -3.0)):
        right, left = slopes
        square = normal_mean(x**2, low=0) * (right**2 + left**2)
        slope = normal_mean(1, low=0) * (right**2 + left**2)
        assert math.isclose(square, slope)
    assert normal_mean(x**4) != normal_mean((2 * x) ** 2)


def test_random_biases_hold_both_signals_of_tanh():
    """On the edge of chaos; with the same variance and no biases the signals decay."""
    width = 128
    bias = initializers.normal(math.sqrt(0.05))
    init = initializers.variance_scaling(1.761)
    ends = {}
    for name, each in {"random": bias, "zero": "zeros"}.items():
        found = []
        for seed in range(10):
            rng = np.random.default_rng(seed)
            net = MLP([width] * 51, "tanh", init, bias_init=each, rng=rng)
            signals = net.forward(rng.standard_normal((4, width)))
            net.backward(signals, rng.standard_normal(signals.logits.shape))
            z2, dz2 = ([np.mean(s**2) for s in kind] for kind in (signals.Z, signals.dZ))
            found.append((z2[-1] / z2[9], dz2[9] / dz2[-1]))
        ends[name] = np.median(found, axis=0)
    assert np.abs(np.log(ends["random"])).max() < math.log(2)
    assert np.abs(np.log(ends["zero"])).max() > math.log(4)
