"""Every labelled equation of chapter 2, checked by SymPy or by numbers."""

import itertools

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize

from nnlab.activations import ACTIVATIONS, Activation, gelu, get
from nnlab.datasets import xor
from nnlab.diagnostics import twins
from nnlab.initializers import constant, normal
from nnlab.network import MLP
from nnlab.optimizers import SGD, Adam
from nnlab.training import evaluate, fit

BCE = "binary_cross_entropy"


def batch(n=9, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 2)), rng.integers(0, classes, n)


def net_of(sizes=(2, 2, 1), phi="tanh", init=None, bias_init=None, seed=0):
    init, bias_init = init or normal(), bias_init or normal()
    return MLP(sizes, phi, init, bias_init=bias_init, rng=np.random.default_rng(seed))


def test_eq_02_backward():
    x1, x2, y, a1, a2, a3 = sp.symbols("x1 x2 y a1 a2 a3")
    w11, w12, w21, w22, b1, b2, w13, w23, b3 = sp.symbols("w11 w12 w21 w22 b1 b2 w13 w23 b3")

    def s(z):
        return 1 / (1 + sp.exp(-z))

    of_a3 = -y * sp.log(a3) - (1 - y) * sp.log(1 - a3)
    output = s(w13 * a1 + w23 * a2 + b3)
    of_a = of_a3.subs(a3, output)
    inner = {a1: s(w11 * x1 + w21 * x2 + b1), a2: s(w12 * x1 + w22 * x2 + b2)}
    whole = of_a.subs(inner)
    error = a3 - y
    stated = {a3: -y / a3 + (1 - y) / (1 - a3), b3: error}
    for a, w, b, incoming in ((a1, w13, b1, (w11, w21)), (a2, w23, b2, (w12, w22))):
        stated |= {w: error * a, a: error * w, b: error * w * a * (1 - a)}
        stated |= {w_i: stated[b] * x for w_i, x in zip(incoming, (x1, x2), strict=True)}
    assert len(stated) == 12
    point = dict(zip((x1, x2, y), (sp.Rational(1, 2), -2, sp.Rational(1, 3)), strict=True))
    weights = (w11, w12, w21, w22, b1, b2, w13, w23, b3)
    values = (3, -4, 7, 2, -1, 5, 6, -8, 1)
    point |= {w: sp.Rational(k, 5) for w, k in zip(weights, values, strict=True)}
    for by, formula in stated.items():
        if by == a3:
            assert sp.simplify(sp.diff(of_a3, a3) - formula) == 0
            continue
        exact = sp.diff(of_a if by in (a1, a2) else whole, by)
        gap = (exact - formula.subs(a3, output)).subs(inner).subs(point)
        assert abs(sp.N(gap, 30)) < 1e-25, by


@pytest.mark.parametrize("phi", ACTIVATIONS)
def test_eq_02_first_step(phi):
    X, y = batch()
    _, signals = net_of((2, 3, 1), phi, "zeros", "zeros").gradient(X, y, BCE)
    d = 0.5 - y.mean()
    at_0 = get(phi)(np.zeros(1))[0]
    np.testing.assert_allclose(signals.dW[1][:, 0], at_0 * d, atol=1e-15)
    np.testing.assert_allclose(signals.db[1], d, atol=1e-15)
    assert abs(d) > 0.01 and not signals.dW[0].any() and not signals.db[0].any()


@pytest.mark.parametrize("phi", ["tanh", "relu", "gelu"])
def test_eq_02_swap(phi):
    X, y = batch()
    net, order = net_of((2, 4, 3, 1), phi), [2, 1, 0, 3]
    other = net.copy()
    other.W[0], other.b[0] = net.W[0][:, order], net.b[0][order]
    other.W[1] = net.W[1][order]
    (loss, plain), (swapped_loss, swapped) = (each.gradient(X, y, BCE) for each in (net, other))
    np.testing.assert_allclose(loss, swapped_loss, rtol=1e-13)
    np.testing.assert_allclose(swapped.dW[0], plain.dW[0][:, order], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(swapped.db[0], plain.db[0][order], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(swapped.dW[1], plain.dW[1][order], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.05, momentum=0.9), Adam(0.01)])
def test_twins_stay_twins_under_each_optimiser(optimizer):
    X, y = batch(40)
    net = net_of((2, 4, 1))
    net.W[0][:, 1], net.b[0][1], net.W[1][1] = net.W[0][:, 0], net.b[0][0], net.W[1][0]
    start = net.theta.copy()
    fit(net, X, y, BCE, optimizer, epochs=300, batch_size=5, rng=np.random.default_rng(1))
    assert twins(net, 0) == [[0, 1], [2], [3]]
    assert np.abs(net.theta - start).min() > 0


def test_eq_02_constant():
    x, y = np.array([[1.0, 2.0]]), np.array([1])
    net = net_of((2, 3, 1), "sigmoid", [constant(0.5), normal()], "zeros")
    _, signals = net.gradient(x, y, BCE)
    a3 = 1 / (1 + np.exp(-signals.logits[0, 0]))
    a = signals.A[0][0, 0]
    stated = np.outer(x[0], net.W[1][:, 0]) * (a3 - 1) * a * (1 - a)
    np.testing.assert_allclose(signals.dW[0], stated, rtol=1e-13)
    assert len(np.unique(signals.dW[0].round(12))) == 6  # far from all equal


@pytest.mark.parametrize("outputs", [1, 3])
def test_eq_02_half_twins(outputs):
    X, y = batch(20, max(outputs, 2))
    net = net_of((2, 2, outputs))
    net.W[0][:, 1], net.b[0][1] = net.W[0][:, 0], net.b[0][0]
    loss = BCE if outputs == 1 else "softmax_cross_entropy"
    _, signals = net.gradient(X, y, loss)
    delta = net.W[1][0] - net.W[1][1]
    slope = 1 - signals.A[0][:, 0] ** 2
    stated = np.column_stack([X, np.ones(20)]).T @ (slope * (signals.dZ[1] @ delta))
    incoming = np.vstack([signals.dW[0], signals.db[0]])
    np.testing.assert_allclose(incoming[:, 0] - incoming[:, 1], stated, rtol=1e-10)
    assert np.abs(stated).min() > 1e-4
    # δ keeps its value.
    np.testing.assert_allclose(signals.dW[1][0], signals.dW[1][1], rtol=1e-13)


def half_twins(net):
    """Make units 0 and 1 half-twins; return the net."""
    net.W[0][:, 1], net.b[0][1] = net.W[0][:, 0], net.b[0][0]
    return net


def gap(net):
    """How far the incoming weights and biases of units 0 and 1 are apart."""
    incoming = np.vstack([net.W[0], net.b[0]])
    return np.abs(incoming[:, 0] - incoming[:, 1]).max()


def test_half_twins_stay_without_error_and_part_by_their_biases_without_signal():
    X, y = batch(39)
    assert y.mean() != 0.5
    fitted = half_twins(net_of())
    fit(fitted, X, fitted(X), "mean_squared_error", SGD(0.5), epochs=50)
    assert gap(fitted) == 0
    silent = half_twins(net_of())
    fit(silent, 0 * X, y, BCE, SGD(0.5), epochs=50)
    assert (silent.W[0][:, 0] == silent.W[0][:, 1]).all()
    assert abs(silent.b[0][0] - silent.b[0][1]) > 1e-3


def test_while_half_twins_stay_their_outgoing_weights_may_move():
    X, y = batch(39)
    bump = Activation(
        "bump",
        lambda Z, out: np.exp(-Z * Z, out=out),
        lambda Z, A, out: np.multiply(-2 * Z, A, out=out),
    )
    net = net_of(phi=bump, init=["zeros", normal()], bias_init="zeros")
    outgoing = net.W[1].copy()
    fit(net, X, y, BCE, SGD(0.5), epochs=50)
    assert gap(net) == 0 and not net.W[0].any() and not net.b[0].any()
    assert np.abs(net.W[1] - outgoing).min() > 1e-3
    np.testing.assert_allclose(np.ptp(net.W[1]), np.ptp(outgoing))  # δ keeps its value


@pytest.mark.parametrize(("phi", "beats_a_line"), [("sigmoid", False), ("shifted", True)])
def test_twins_from_zero_weights_beat_a_line_only_if_phi_is_not_monotone(phi, beats_a_line):
    shifted = Activation(
        "GELU(z + 1)",
        lambda Z, out: gelu(Z + 1, out),
        lambda Z, A, out: gelu.derivative(Z + 1, out=out),
    )
    corners, labels = xor(centred=True)
    noise = np.random.default_rng(2).standard_normal((40, 2))
    X, y = np.tile(corners, (10, 1)) + 0.3 * noise, np.tile(labels, 10)
    net = net_of((2, 4, 1), shifted if phi == "shifted" else phi, "zeros", "zeros")
    fit(net, X, y, BCE, SGD(0.3), epochs=500, batch_size=5, rng=np.random.default_rng(0))
    assert twins(net, 0) == [[0, 1, 2, 3]]
    assert (evaluate(net, X, y, BCE)[1] > 0.9) == beats_a_line


def test_small_steps_make_no_twins_and_a_large_one_can():
    def step(eta):  # two linear units, one input x = 1, the error e = v·w + 1
        w, v = np.array([0.75, 0.25]), np.array([1.0, 0.5])
        e = v @ w + 1
        return np.ptp(w - eta / e * e * v) + np.ptp(v - eta / e * e * w)

    assert step(1.0) == 0 and step(0.99) > 0 and step(0.5) > 0


@pytest.mark.parametrize("n", [2, 5])
def test_eq_02_one_unit(n):
    X, _ = batch()
    layer = net_of((2, n, 1), init=constant(0.3), bias_init=constant(0.2))
    one = net_of((2, 1, 1), init=[constant(0.3), constant(n * 0.3)], bias_init=constant(0.2))
    np.testing.assert_allclose(layer(X), one(X), rtol=1e-13)


@pytest.mark.parametrize("n", [2, 5])
def test_eq_02_rates(n):
    X, y = batch(20)
    lr = 0.1

    def distance(rates):
        layer = net_of((2, n, 1), init=constant(0.3), bias_init="zeros")
        one = net_of((2, 1, 1), init=[constant(0.3), constant(n * 0.3)], bias_init="zeros")
        fit(layer, X, y, BCE, SGD(lr), epochs=100)
        fit(one, X, y, BCE, SGD(np.array(rates)), epochs=100)
        return np.abs(layer(X) - one(X)).max()

    assert distance([lr / n, lr / n, lr / n, n * lr, lr]) < 1e-11
    assert distance([lr] * 5) > 1e-3


def test_eq_02_floor():
    third = np.array([1, 2]) / 3
    entropy = -(third * np.log(third)).sum()
    floor = np.log(3) / 4 + np.log(1.5) / 2
    np.testing.assert_allclose(floor, 0.75 * entropy, rtol=1e-14)
    assert round(floor, 4) == 0.4774

    # The best logits that are monotone along the order of a projection, over many projections.
    X, y = xor()

    def best(order):
        def loss(steps):  # the first logit, then logarithms of the rises
            z = np.cumsum(np.append(steps[0], np.exp(steps[1:])))
            return np.logaddexp(0, z).mean() - (y[order] * z).mean()

        runs = [minimize(loss, [start, 0, 0, 0], method="BFGS") for start in (-5, 0)]
        return min(run.fun for run in runs)

    directions = np.random.default_rng(0).standard_normal((200, 2))
    orders = {tuple(np.argsort(X @ w)) for w in directions}
    assert {tuple(y[list(order)]) for order in orders} == {(0, 1, 1, 0), (1, 0, 0, 1)}
    values = [best(list(order)) for order in orders]
    assert min(values) > floor - 1e-9 and max(values) < floor + 1e-3
    # An order that no projection gives does better, so the bound is about lines.
    assert best([0, 3, 1, 2]) < 0.1


def test_eq_02_restarts():
    for p, q in itertools.product((0.05, 0.2, 0.5, 0.73), (0.9, 0.99)):
        k = int(np.ceil(np.log(1 - q) / np.log(1 - p)))
        assert 1 - (1 - p) ** k >= q > 1 - (1 - p) ** (k - 1)


def test_eq_02_lora():
    rng = np.random.default_rng(0)
    X, T = rng.standard_normal((7, 4)), rng.standard_normal((7, 3))
    A, B = rng.standard_normal((4, 2)), rng.standard_normal((2, 3))

    def loss(A, B):
        return 0.5 * np.square(X @ A @ B - T).sum()

    G = X.T @ (X @ A @ B - T)
    for which, stated in ((0, G @ B.T), (1, A.T @ G)):
        for index in np.ndindex(stated.shape):
            sides = []
            for h in (1e-5, -1e-5):
                pair = [A.copy(), B.copy()]
                pair[which][index] += h
                sides.append(loss(*pair))
            assert abs((sides[0] - sides[1]) / 2e-5 - stated[index]) < 1e-6
