"""Every labelled equation of chapter 3, checked by SymPy, by quadrature or by simulation."""

import numpy as np
import pytest
import sympy as sp
from scipy.special import digamma, polygamma

from nnlab import activations, losses, theory
from nnlab.initializers import constant, normal, variance_scaling
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.training import fit


def sigma(z):
    return 1 / (1 + sp.exp(-z))


def chain(w, depth, activation, dtype=np.float64):
    """A chain of equal weights with x = 1 sent up and a signal of 1 sent down."""
    rng = np.random.default_rng(0)
    net = MLP((1,) * (depth + 1), activation, constant(w), rng=rng, dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        return net.backward(net.forward([[1.0]]), np.ones((1, 1), dtype))


def fixed_point(w, activation):
    phi, z = activations.get(activation), np.array([w], dtype=float)
    for _ in range(1000):
        z = w * phi(z)
    return z.item()


@pytest.mark.parametrize(("name", "phi"), [("tanh", sp.tanh), ("sigmoid", sigma)])
def test_eq_03_chain(name, phi):
    x, y, t = sp.symbols("x y t")
    w = sp.symbols("w1:5")
    slope = sp.Lambda(t, sp.diff(phi(t), t))
    z = [w[0] * x]
    for weight in w[1:]:
        z.append(weight * phi(z[-1]))
    loss = (z[-1] - y) ** 2
    product = sp.Mul(*(w[l + 1] * slope(z[l]) for l in range(3)))
    by_hand = x * product * 2 * (z[-1] - y)
    by_sympy = sp.diff(loss, w[0])
    values = {x: 0.7, y: 0.2, **dict(zip(w, (1.3, -0.8, 2.1, 0.6), strict=True))}
    expected = float(by_sympy.subs(values))
    assert float(by_hand.subs(values)) == pytest.approx(expected, rel=1e-12)

    net = MLP((1,) * 5, name, "zeros", rng=np.random.default_rng(0))
    for l, weight in enumerate(w):
        net.W[l] = values[weight]
    _, signals = net.gradient([[0.7]], np.array([[0.2]]), "mean_squared_error")
    assert signals.dW[0].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("w", [0.5, 1.5, 3.0, -2.0])
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_eq_03_slope(name, w):
    shallow, deep = (abs(chain(w, depth, name).dW[0].item()) for depth in (40, 60))
    # For w < 0 tanh ends in the two-cycle ±z*, and |φ'| is the same at both.
    z = fixed_point(abs(w), name) if name == "tanh" else fixed_point(w, name)
    factor = abs(w) * activations.get(name).derivative(np.array(z)).item()
    assert np.log(deep / shallow) / 20 == pytest.approx(np.log(factor), rel=1e-3)


def test_eq_03_quarter():
    z, s = sp.symbols("z s", real=True)
    assert sp.simplify(sp.diff(sigma(z), z) - sigma(z) * (1 - sigma(z))) == 0
    assert sp.simplify(sp.Rational(1, 4) - s * (1 - s) - (s - sp.Rational(1, 2)) ** 2) == 0
    assert sp.diff(sigma(z), z).subs(z, 0) == sp.Rational(1, 4)


def test_eq_03_window():
    w = sp.symbols("w", positive=True)
    root = sp.sqrt(w**2 / 4 - w)
    edge = w / 2 - 1 + root  # e^z at the edge
    s = edge / (1 + edge)
    for value in (sp.Rational(9, 2), 6, 25):
        assert sp.simplify((w * s * (1 - s)).subs(w, value)) == 1
    for value in (4.5, 7.0, 30.0, -7.0):
        size = abs(value)
        z_max = np.log(size / 2 - 1 + np.sqrt(size**2 / 4 - size))
        z = z_max + np.array([-1e-6, 1e-6])
        inside, outside = size * activations.sigmoid.derivative(np.concatenate([z, -z])[[0, 1]])
        assert inside > 1 > outside


def test_eq_03_width():
    def width(w):
        return 2 * np.log(w / 2 - 1 + np.sqrt(w**2 / 4 - w)) / w

    w = np.linspace(4, 1000, 1_000_000)
    widths = width(w)
    assert 0.447 < widths.max() <= 0.45
    assert w[widths.argmax()] == pytest.approx(6.9, abs=0.05)
    a = np.linspace(0, 1, 100_001)
    for size in (5.0, 6.9, 20.0):
        good = size * activations.sigmoid.derivative(size * a - size / 2) >= 1
        assert good.mean() == pytest.approx(width(size), abs=1e-4)


def test_eq_03_best():
    best = float(sp.LambertW(sp.exp(-1)).evalf())
    z = np.linspace(1e-3, 30, 1_000_001)
    factor = z * (1 - activations.sigmoid(z))
    assert factor.max() == pytest.approx(best, rel=1e-9)
    assert best == pytest.approx(0.2785, abs=5e-5)
    w = z[factor.argmax()] / activations.sigmoid(z[factor.argmax()])
    settled = fixed_point(w, "sigmoid")
    at_w = w * activations.sigmoid.derivative(np.array(settled))
    assert at_w == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 10, 100])
def test_eq_03_width_n(n):
    s, draws = 1.7, 20_000
    rng = np.random.default_rng(n)
    v = rng.standard_normal(n)
    # W v for Gaussian W is a Gaussian vector; draw the matrices where that is cheap.
    if n <= 10:
        moved = rng.normal(0, s / np.sqrt(n), (draws, n, n)) @ v
    else:
        moved = rng.normal(0, s / np.sqrt(n) * np.linalg.norm(v), (draws, n))
    logs = np.log(np.linalg.norm(moved, axis=-1) / np.linalg.norm(v))
    mean = np.log(s) + (digamma(n / 2) + np.log(2 / n)) / 2
    variance = polygamma(1, n / 2) / 4
    assert abs(logs.mean() - mean) < 4 * np.sqrt(variance / draws)
    assert logs.var() == pytest.approx(variance, rel=0.06)


def test_eq_03_chain_drift():
    drift = sp.polygamma(0, sp.Rational(1, 2)) / 2 + sp.log(2) / 2
    assert sp.simplify(drift + (sp.EulerGamma + sp.log(2)) / 2) == 0
    assert float(drift) == pytest.approx(-0.635, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "s"), [("tanh", 1.0), ("tanh", 3.0), ("relu", 1.4), ("sigmoid", 5)]
)
def test_eq_03_chi(name, s):
    n, seeds = 300, 10
    init = variance_scaling(s**2, "fan_in", "normal")
    rng = np.random.default_rng(0)
    net = MLP((n,) * 7, name, init, rng=rng, ensemble=seeds)
    signals = net.forward(rng.choice([-1.0, 1.0], (1, n)))
    net.backward(signals, rng.standard_normal(signals.logits.shape))
    squares = np.array([np.square(dZ).mean((-2, -1)) for dZ in signals.dZ])
    measured = (squares[0] / squares[4]).mean()
    expected = np.prod(theory.predict((n,) * 7, name, init).factor[:4])
    assert measured == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("name", ["identity", "relu", "leaky_relu"])
def test_eq_03_balance(name):
    rng = np.random.default_rng(0)
    net = MLP((5, 8, 7, 6, 3), name, normal(1.0), rng=rng, ensemble=50)
    X, y = rng.standard_normal((20, 5)), rng.integers(0, 3, 20)
    _, signals = net.gradient(X, y, "softmax_cross_entropy")
    output = (signals.Z[-1] * signals.dZ[-1]).sum((-2, -1))
    for W, dW in zip(net.W, signals.dW, strict=True):
        np.testing.assert_allclose((W * dW).sum((-2, -1)), output, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "kept"), [("identity", 1.0), ("relu", 0.5)])
def test_eq_03_alike(name, kept):
    n, depth, s2, seeds = 32, 5, 4.0, 6000
    rng = np.random.default_rng(0)
    init = variance_scaling(s2)
    net = MLP((n,) * (depth + 1), name, init, rng=rng, ensemble=seeds)
    signals = net.forward(x := rng.standard_normal((1, n)))
    net.backward(signals, dz := rng.standard_normal((seeds, 1, n)))
    squares = np.array([np.square(dW).sum((-2, -1)) for dW in signals.dW])
    ends = (x**2).sum() * np.square(dz).sum((-2, -1)).mean()
    error = squares.std(axis=1) / np.sqrt(seeds)
    expected = ends * (kept * s2) ** (depth - 1)
    assert (np.abs(squares.mean(axis=1) - expected) < 4 * error).all()
    assert error.max() < 0.05 * expected


def test_balance_gives_no_equal_gradients():
    net = MLP((2, 2, 2), "identity", "zeros", rng=np.random.default_rng(0))
    net.W[0], net.W[1] = np.diag([0.01, 1.0]), np.diag([1.0, 0.01])
    signals = net.backward(net.forward([[1.0, 0.0]]), np.ones((1, 2)))
    pairs = list(zip(net.W, signals.dW, strict=True))
    inner = [(W * dW).sum() for W, dW in pairs]
    weights, gradients = np.array([[np.linalg.norm(each) for each in pair] for pair in pairs]).T
    assert inner[0] == pytest.approx(inner[1], rel=1e-12)
    assert weights[0] == pytest.approx(weights[1], rel=1e-12)
    assert gradients == pytest.approx([1.000, 0.014], abs=5e-4)
    assert (gradients >= np.abs(inner) / weights).all()


def test_balance_needs_homogeneity():
    net = MLP((5, 8, 3), "tanh", normal(1.0), rng=np.random.default_rng(0))
    X = np.random.default_rng(1).standard_normal((20, 5))
    _, signals = net.gradient(X, np.arange(20) % 3, "softmax_cross_entropy")
    first, last = ((W * dW).sum() for W, dW in zip(net.W, signals.dW, strict=True))
    assert abs(first - last) > 0.01


def test_eq_03_first_sigmoid():
    def expected(s):
        return float(theory.expectation(lambda z: np.logaddexp(0, z), s))

    for s in (0.1, 0.2):
        assert expected(s) == pytest.approx(np.log(2) + s**2 / 8, rel=1e-4)
    assert expected(200.0) == pytest.approx(200 / np.sqrt(2 * np.pi), rel=1e-3)
    z = np.random.default_rng(0).normal(0, 3, (200_000, 1))
    y = np.random.default_rng(1).integers(0, 2, 200_000)
    # Labels that do not depend on the logits: the loss is E[ln(1 + e^z)] whatever their share.
    assert losses.binary_cross_entropy(z, y) == pytest.approx(expected(3.0), rel=0.01)
    assert losses.binary_cross_entropy(z, 0 * y) == pytest.approx(expected(3.0), rel=0.01)


def test_eq_03_first_softmax():
    rng, classes, draws = np.random.default_rng(0), 10, 200_000
    noise, y = rng.standard_normal((draws, classes)), rng.integers(0, classes, draws)
    exact = {s: np.log(np.exp(s * noise).sum(1)).mean() for s in (0.2, 3.0, 60.0)}
    for s, value in exact.items():
        error = 5 * s / np.sqrt(draws)
        assert losses.softmax_cross_entropy(s * noise, y) == pytest.approx(value, abs=error)
    small = np.log(classes) + 0.2**2 / 2 * (1 - 1 / classes)
    assert exact[0.2] == pytest.approx(small, abs=1e-3)
    assert abs(small - np.log(classes)) > 1e-2
    assert exact[60.0] == pytest.approx(60 * noise.max(1).mean(), rel=0.01)
    assert noise.max(1).mean() == pytest.approx(1.54, abs=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_eq_03_float(dtype):
    info = np.finfo(dtype)
    for w in (10.0, 100.0):
        up = chain(w, 400, "identity", dtype)
        finite = sum(np.isfinite(Z).all() for Z in up.Z)
        assert finite == int(np.log(float(info.max)) / np.log(w))
    z = fixed_point(1.0, "sigmoid")
    f = activations.sigmoid.derivative(np.array(z)).item()
    down = chain(1.0, 600, "sigmoid", dtype)
    alive = sum((dZ != 0).all() for dZ in down.dZ)
    assert abs(alive - np.log(float(info.smallest_subnormal)) / np.log(f)) < 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lr", [0.1, 0.01])
def test_eq_03_freeze(dtype, lr):
    net = MLP((1,) * 41, "sigmoid", constant(1.0), rng=np.random.default_rng(0), dtype=dtype)
    fit(net, [[1.0]], np.array([[0.0]]), "mean_squared_error", SGD(lr), epochs=500)
    frozen = sum((W == 1).all() for W in net.W)
    f = activations.sigmoid.derivative(np.array(fixed_point(1.0, "sigmoid"))).item()
    live = np.log(float(np.finfo(dtype).eps) / (4 * lr)) / np.log(f)
    assert abs(40 - live - frozen) < 2


def long_run(phi, w, b, x):
    """The geometric mean of 1,000 factors, from z = wx + b on."""
    z, logs = np.array(w * x + b), []
    for _ in range(1000):
        logs.append(np.log(np.abs(w * phi.derivative(z))))
        z = w * phi(z) + b
    return np.exp(np.mean(logs)), np.exp(logs[-1])


def test_quarter_needs_weights_of_four_and_bias_makes_them_enough():
    assert long_run(activations.sigmoid, 4.0, 0.0, 1.0)[1] < 0.08
    mean, last = long_run(activations.sigmoid, 4.0, -2.0, 1.0)
    assert 0.99 < mean < 1 and 0.998 < last < 1
    # The exception of the theorem: a repelling fixed point that is hit to the last bit.
    assert long_run(activations.sigmoid, 8.0, -4.0, 0.5)[0] == pytest.approx(2)
    assert long_run(activations.sigmoid, 8.0, -4.0, 0.5 + 1e-9)[0] < 0.5


def test_a_small_first_signal_gains_before_it_settles():
    z = 8.0 * 0.001
    assert 8.0 * activations.sigmoid.derivative(np.array(z)) > 1.99


def test_thm_03_no_explosion():
    rng = np.random.default_rng(0)
    for name in ("sigmoid", "tanh"):
        phi = activations.get(name)
        w, b, z = rng.uniform(-12, 12, 5000), rng.uniform(-8, 8, 5000), rng.normal(0, 3, 5000)
        total = np.zeros(5000)
        for layer in range(3000):
            if layer >= 1000:
                total += np.log(np.maximum(np.abs(w * phi.derivative(z)), 1e-300))
            z = w * phi(z) + b
        assert (total / 2000).max() < 1e-3
