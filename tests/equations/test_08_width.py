"""Every labelled equation of chapter 8, checked by SymPy or by simulation with its error."""

import math

import numpy as np
import pytest
import sympy as sp

from nnlab import initializers
from nnlab.network import MLP
from nnlab.optimizers import SGD, Adam
from nnlab.training import fit


def one_example(width, seed=0, init="he_normal"):
    rng = np.random.default_rng(seed)
    net = MLP((8, width, width, 3), "relu", init, rng=rng)
    return net, rng.standard_normal((1, 8)), np.array([1])


def slope(sizes, values):
    return np.polyfit(np.log(sizes), np.log(values), 1)[0]


def test_def_08_centre():
    octaves = np.arange(-4, 3)
    loss = np.array([3.0, 1.9, 1.5, 1.0, 1.2, 2.0, 9.0])
    good = loss <= 2 * loss.min()
    assert octaves[good].mean() == -1  # from −3 to 1, both ends included


def test_eq_08_adam():
    net, X, y = one_example(20)
    before = net.W[1].copy()
    signals = net.gradient(X, y, "softmax_cross_entropy")[1]
    A, dZ = signals.A[0][0], signals.dZ[1][0]
    assert np.allclose(signals.dW[1], np.outer(A, dZ), atol=1e-15)
    Adam(0.01, epsilon=1e-30).start(net.theta)(signals.dtheta)
    assert np.allclose(net.W[1] - before, -0.01 * np.sign(np.outer(A, dZ)), atol=1e-14)


@pytest.mark.parametrize("width", [5, 50, 500])
def test_eq_08_move(width):
    net, X, y = one_example(width)
    signals = net.gradient(X, y, "softmax_cross_entropy")[1]
    A, dZ, before = signals.A[0][0], signals.dZ[1][0], net.W[1].copy()
    Adam(0.01, epsilon=1e-30).start(net.theta)(signals.dtheta)
    change = A @ (net.W[1] - before)
    assert np.allclose(change, -0.01 * np.sign(dZ) * np.abs(A).sum(), atol=1e-12)
    assert np.abs(change).max() > 0


def test_the_sum_in_eq_08_move_grows_as_the_width_and_random_terms_as_its_root():
    sizes = [64, 256, 1024]
    rng = np.random.default_rng(0)
    terms = [rng.standard_normal((200, n)) for n in sizes]
    assert abs(slope(sizes, [np.abs(a).sum(1).mean() for a in terms]) - 1) < 0.02
    assert abs(slope(sizes, [np.abs(a.sum(1)).mean() for a in terms]) - 0.5) < 0.1


def test_eq_08_output():
    rng, n, draws = np.random.default_rng(0), 400, 2000
    w = rng.standard_normal((draws, n)) / np.sqrt(n)
    moved = np.abs(rng.standard_normal((draws, n)))
    total = np.abs((w * np.sign(w) * moved).sum(axis=1))  # the worst case: the signs agree
    expected = n * math.sqrt(2 / math.pi / n) * math.sqrt(2 / math.pi)
    error = total.std(ddof=1) / math.sqrt(draws)
    assert abs(total.mean() - expected) < 4 * error
    assert abs(expected / math.sqrt(n) - 2 / math.pi) < 1e-12


def lazy_network(width, seeds=3):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 64))
    y = rng.choice([-1.0, 1.0], (6, 1))
    net = MLP((64, width, 1), "tanh", "lecun_normal", rng=rng, ensemble=seeds)
    rate = net.with_theta(0 * net.theta)
    rate.W[0], rate.W[1] = 1 / 64, 1 / width
    return net, X, y, rate.theta


def kernel(net, X):
    A, w = net.forward(X).A[0], net.W[1].mT
    D = w * (1 - A**2)
    return A @ A.mT / net.sizes[1] + D @ D.mT * (X @ X.T) / 64


def test_eq_08_kernel():
    net, X, _, rate = lazy_network(20, seeds=1)
    rows = []
    for x in X:
        signals = net.forward(x[None])
        net.backward(signals, np.ones((1, 1, 1)))
        rows.append(signals.dtheta[0].copy())  # the gradient of f(x)
    J = np.array(rows)
    assert np.allclose(kernel(net, X)[0], J * rate[0] @ J.T, rtol=1e-12)


def test_eq_08_flow():
    off = []
    for width in (64, 1024):
        net, X, y, rate = lazy_network(width)
        K, f = kernel(net, X), net(X)
        first = f - 2 * 0.01 / len(X) * K @ (f - y)
        moved = net.copy()
        fit(moved, X, y, "mean_squared_error", SGD(0.01 * rate), epochs=1)
        # One small step: right to the first order in its size.
        assert np.allclose(moved(X), first, atol=0.01 * np.abs(first - f).max())
        for _ in range(50):
            f = f - 2 / len(X) * K @ (f - y)
        fit(net, X, y, "mean_squared_error", SGD(rate), epochs=50)
        off.append(np.sqrt(np.mean((net(X) - f) ** 2)))
    assert off[1] < off[0] / 2


@pytest.mark.parametrize("random", ["A", "B"])
def test_eq_08_lora(random):
    rank, draws, sizes, draw = 4, 400, (64, 256, 1024), initializers.lecun_normal()
    means = []
    for n in sizes:
        rng, changes = np.random.default_rng(n), []
        for _ in range(draws):
            x, w = rng.standard_normal(n), rng.standard_normal(n) / np.sqrt(n)
            A = draw(rng, (n, rank)) * (random == "A")
            B = draw(rng, (rank, n)) * (random == "B")
            dA, dB = np.outer(x, B @ w), np.outer(x @ A, w)
            for factor, gradient in ((A, dA), (B, dB)):
                Adam(0.1, epsilon=1e-30).start(factor)(gradient)
            stated = {
                "A": np.abs(x @ (A if random == "A" else 0 * A)).sum() * np.abs(w).sum(),
                "B": np.abs(x).sum() * np.abs(B @ w).sum(),
            }[random]
            change = abs(x @ A @ B @ w)
            assert np.isclose(change, 0.1 * stated)
            changes.append(change / 0.1)
        law = {"A": rank * math.sqrt(n), "B": n * math.sqrt(rank)}[random] * 2 / math.pi
        error = np.std(changes, ddof=1) / math.sqrt(draws)
        assert abs(np.mean(changes) - law) < 4 * error + 0.02 * law
        means.append(np.mean(changes))
    assert abs(slope(sizes, means) - {"A": 0.5, "B": 1}[random]) < 0.05


def test_eq_08_cost():
    # Three products a layer, each a multiplication and an addition for every weight and example.
    batch, fan_in, fan_out, steps = sp.symbols("batch fan_in fan_out steps", positive=True)
    shapes = [
        (batch, fan_in, fan_out),  # Z = A W
        (fan_in, batch, fan_out),  # dW = Aᵀ dZ
        (batch, fan_out, fan_in),  # dA = dZ Wᵀ
    ]
    operations = sum(2 * rows * inner * columns for rows, inner, columns in shapes)
    assert sp.expand(operations * steps - 6 * batch * fan_in * fan_out * steps) == 0


def test_def_08_lsuv():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 30))
    net = MLP((30, 40, 20, 5), "gelu", "orthogonal", rng=rng)
    for l in range(net.depth):
        net.W[l] = net.W[l] / net.forward(X).Z[l].std()
    assert np.allclose([Z.std() for Z in net.forward(X).Z], 1, rtol=1e-12)
