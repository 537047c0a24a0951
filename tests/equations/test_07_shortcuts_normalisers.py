"""Every labelled equation of chapter 7, checked by SymPy or by simulation with its error."""

import math

import numpy as np
import pytest
import sympy as sp

from nnlab import theory
from nnlab.network import MLP
from nnlab.normalisers import EPSILON

x = sp.Symbol("x", real=True)
DENSITY = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)


def relu_mean(f):
    """E[f(x); x > 0] of a standard normal x."""
    return sp.integrate(f * DENSITY, (x, 0, sp.oo))


def passes(depth, *, width=200, seeds=60, batch=8, activation="relu", **kind):
    """The signals of networks under He, after a pass both ways."""
    rng = np.random.default_rng(0)
    net = MLP(
        [width] * (depth + 1) + [10], activation, "he_normal", rng=rng, ensemble=seeds, **kind
    )
    signals = net.forward(rng.standard_normal((batch, width)))
    return net.backward(signals, rng.standard_normal(signals.logits.shape))


def squares(layers):
    """The mean square of each layer, over batch and units: (layers, seeds)."""
    return np.array([np.mean(np.square(each), axis=(-2, -1)) for each in layers])


@pytest.mark.parametrize("alpha", [0.4, 1.0])
def test_eq_07_branch(alpha):
    # The branch: n Var(w) = 2 times what ReLU leaves, forward E[a²] and backward E[φ′²].
    assert 2 * relu_mean(x**2) == 2 * relu_mean(sp.Integer(1)) == 1
    signals = passes(5, shortcut=alpha)
    for ratio in (
        squares(signals.Z[1:5]) / squares(signals.Z[:4]),
        squares(signals.dZ[:4]) / squares(signals.dZ[1:5]),
    ):
        error = ratio.std(axis=1, ddof=1) / math.sqrt(ratio.shape[1])
        assert (np.abs(ratio.mean(axis=1) - (1 + alpha**2)) < 4 * error + 0.02).all()
        assert (np.abs(ratio.mean(axis=1) - (1 + alpha)) > 4 * error).all() or alpha == 1


def test_eq_07_root():
    B = sp.Symbol("B", positive=True)
    assert sp.limit((1 + 1 / B) ** B, B, sp.oo) == sp.E
    found = theory.predict([100] * 1003, "relu", "he_normal", shortcut=1000**-0.5)
    assert found.var_z[-2] / found.var_z[0] == pytest.approx(math.e, rel=1e-3)


@pytest.mark.parametrize("normaliser", ["batch_norm", "layer_norm"])
def test_eq_07_scale(normaliser):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 20))
    net = MLP((20, 25, 3), "relu", "normal", rng=rng, normaliser=normaliser)
    one = net.forward(X).H[0].copy()
    net.W[0] = 7 * net.W[0]
    assert net.forward(X).H[0] == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize("axis", [0, 1])
def test_eq_07_back(axis):
    """The formula is the gradient of a normaliser, by finite differences of any function of it."""
    rng = np.random.default_rng(0)
    Z, dH = rng.standard_normal((2, 6, 5))

    def normal(Z):
        centred = Z - Z.mean(axis, keepdims=True)
        return centred / np.sqrt(np.mean(centred**2, axis, keepdims=True) + EPSILON)

    hat, sigma = normal(Z), np.sqrt(Z.var(axis, keepdims=True) + EPSILON)
    stated = dH - dH.mean(axis, keepdims=True) - hat * np.mean(dH * hat, axis, keepdims=True)
    stated = stated / sigma
    for place in np.ndindex(Z.shape):
        step = np.zeros_like(Z)
        step[place] = 1e-6
        numeric = np.sum(dH * (normal(Z + step) - normal(Z - step))) / 2e-6
        assert stated[place] == pytest.approx(numeric, abs=1e-7)


def growth(normaliser):
    """What each of ten inner layers multiplies E[dz²] by, on its way down."""
    signals = passes(16, batch=256, seeds=12, normaliser=normaliser)
    dz2 = squares(signals.dZ)
    return (dz2[3] / dz2[13]) ** 0.1


def test_eq_07_layer():
    assert relu_mean(sp.Integer(1)) / relu_mean(x**2) == 1
    found = growth("layer_norm")
    assert abs(found.mean() - 1) < 4 * found.std(ddof=1) / math.sqrt(12) + 0.01


def test_eq_07_explode():
    variance = relu_mean(x**2) - relu_mean(x) ** 2
    assert sp.simplify(relu_mean(sp.Integer(1)) / variance - sp.pi / (sp.pi - 1)) == 0
    found = growth("batch_norm")
    assert (
        abs(found.mean() - math.pi / (math.pi - 1)) < 4 * found.std(ddof=1) / math.sqrt(12) + 0.01
    )


def test_eq_07_adds():
    branch = 2 * (relu_mean(x**2) - relu_mean(x) ** 2)  # n Var(w) times the variance of ReLU
    assert sp.simplify(branch - (1 - 1 / sp.pi)) == 0
    signals = passes(9, batch=256, seeds=20, normaliser="batch_norm", shortcut=1)
    spread = np.array([Z.var(axis=-2).mean(axis=-1) for Z in signals.Z[:9]])
    rise = (spread[8] - spread[0]) / 8
    error = 4 * rise.std(ddof=1) / math.sqrt(20)
    assert abs(rise.mean() - (1 - 1 / math.pi)) < error + 0.01
    assert abs(rise.mean() - 1) > 3 * error  # what layer normalisation adds
    signals = passes(9, normaliser="layer_norm", shortcut=1)
    rise = (squares(signals.Z[:9])[8] - squares(signals.Z[:9])[0]) / 8
    assert abs(rise.mean() - 1) < 4 * rise.std(ddof=1) / math.sqrt(60) + 0.01


def test_eq_07_power():
    """The product is a quotient of Γ functions, which is asymptotically a power."""
    B, start, step = sp.symbols("B v_0 c", positive=True)
    exponent = sp.pi / (sp.pi - 1)
    assert sp.simplify(1 / (1 - 1 / sp.pi) - exponent) == 0

    def product(branches, c):
        return np.sum(np.log1p(1 / (2 + c * np.arange(branches))))

    for c in (1 - 1 / math.pi, 1.0):
        slope = (product(400_000, c) - product(100_000, c)) / math.log(4)
        assert slope == pytest.approx(1 / c, rel=1e-4)
    gammas = sp.gamma(B + (start + 1) / step) / sp.gamma(B + start / step)
    at = {start: 2, step: sp.Rational(1, 2), B: 10**6}
    assert float(sp.N(gammas.subs(at) / sp.Integer(10**6) ** 2)) == pytest.approx(1, rel=1e-4)


def test_eq_07_invariant():
    """For a function that depends on the direction of its argument only."""
    a, b, k = sp.symbols("a b k", positive=True)
    loss = sp.atan(a / b) ** 3  # loss(k a, k b) = loss(a, b)
    slopes = [sp.diff(loss, each) for each in (a, b)]
    larger = [slope.subs({a: k * a, b: k * b}, simultaneous=True) for slope in slopes]
    assert all(sp.simplify(m - s / k) == 0 for m, s in zip(larger, slopes, strict=True))
    assert sp.simplify(a * slopes[0] + b * slopes[1]) == 0
    rng = np.random.default_rng(0)
    net = MLP((6, 8, 3), "tanh", "normal", rng=rng, normaliser="batch_norm")
    X, y = rng.standard_normal((40, 6)), rng.integers(0, 3, 40)
    one = net.gradient(X, y, "softmax_cross_entropy")[1].dW[0].copy()
    assert abs(np.vdot(net.W[0], one)) < 1e-4 * np.linalg.norm(net.W[0]) * np.linalg.norm(one)
    net.W[0] = 3 * net.W[0]
    three = net.gradient(X, y, "softmax_cross_entropy")[1].dW[0]
    assert three == pytest.approx(one / 3, rel=1e-3, abs=1e-4 * np.abs(one).max())


@pytest.mark.parametrize("c", [-0.5, 0.0, 0.6, 0.99])
def test_eq_07_shatter(c):
    """Given that one of two normal numbers is positive, how often the other is."""
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((2, 1_000_000))
    other = c * u + math.sqrt(1 - c**2) * v
    both = np.mean((u > 0) & (other > 0)) / 0.5
    assert abs(both - (1 - math.acos(c) / math.pi)) < 4 * math.sqrt(0.25 / 500_000)
