"""Every labelled equation of chapter 1, checked by SymPy or by numbers."""

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import minimize

from nnlab.activations import sigmoid
from nnlab.losses import binary_cross_entropy
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.training import fit

x1, x2, w1, w2, b, z = sp.symbols("x1 x2 w1 w2 b z", real=True)
y, s = sp.symbols("y s", positive=True)
SIGMA = 1 / (1 + sp.exp(-z))
SUM = w1 * x1 + w2 * x2 + b
LOSS = -y * sp.log(s) - (1 - y) * sp.log(1 - s)
LOSS_OF_Z = LOSS.subs(s, SIGMA)
THETA = (w1, w2, b)


def is_zero(expression):
    return sp.simplify(sp.expand(sp.simplify(expression))) == 0


def batch(seed=0, n=50):
    """A batch of n examples whose classes differ in size, and its inputs with a column of ones."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0.3, 1.5, (n, 2))
    y = (rng.random(n) < 0.3).astype(int)
    return X, y, np.column_stack([X, np.ones(n)])


def model(theta):
    net = MLP((2, 1), "identity", "zeros", rng=np.random.default_rng(0))
    return net.with_theta(np.array(theta, dtype=float))


def loss(theta, X, y):
    return binary_cross_entropy(model(theta)(X), y)


def engine_gradient(theta, X, y):
    return model(theta).gradient(X, y, binary_cross_entropy)[1].dtheta


def hessian(theta, X1):
    a = sigmoid(theta @ X1.T)
    return (a * (1 - a) * X1.T) @ X1 / len(X1)


def run_perceptron(theta, S, lr, passes=5000):
    """Return θ after every correction."""
    path = [theta]
    for _ in range(passes):
        before = len(path)
        for row in S:
            if row @ path[-1] <= 0:
                path.append(path[-1] + lr * row)
        if len(path) == before:
            return np.array(path)
    raise AssertionError("the perceptron did not stop")


def separable(seed):
    """Rows with the sign of their class, all at least 0.1 on the positive side of some u."""
    rng = np.random.default_rng(seed)
    u = rng.standard_normal(3)
    u /= np.linalg.norm(u)
    X1 = np.column_stack([rng.normal(0, 3, (80, 2)), np.ones(80)])
    side = X1 @ u
    kept = np.abs(side) > 0.1
    return X1[kept] * np.sign(side[kept])[:, None], u


def test_eq_01_sigmoid_slope():
    slope = sp.diff(SIGMA, z)
    assert is_zero(slope - SIGMA * (1 - SIGMA))
    assert is_zero(slope - sp.exp(-z) / (1 + sp.exp(-z)) ** 2)


def test_eq_01_da():
    assert is_zero(sp.diff(LOSS, s) - (-y / s + (1 - y) / (1 - s)))
    assert is_zero(sp.diff(LOSS, s) - (s - y) / (s * (1 - s)))


def test_eq_01_dz():
    assert is_zero(sp.diff(LOSS_OF_Z, z) - (SIGMA - y))
    assert is_zero(sp.diff(LOSS, s).subs(s, SIGMA) * sp.diff(SIGMA, z) - (SIGMA - y))


def test_eq_01_dw():
    a = SIGMA.subs(z, SUM)
    for parameter, factor in ((w1, x1), (w2, x2), (b, 1)):
        assert is_zero(sp.diff(LOSS_OF_Z.subs(z, SUM), parameter) - (a - y) * factor)


def test_eq_01_batch():
    X, labels, X1 = batch()
    theta = np.array([0.5, -1.0, 0.25])
    error = sigmoid(X1 @ theta) - labels
    formula = np.append(X.T @ error / len(X), error.sum() / len(X))
    np.testing.assert_allclose(engine_gradient(theta, X, labels), formula, rtol=0, atol=1e-14)
    alone = [engine_gradient(theta, X[k : k + 1], labels[k : k + 1]) for k in range(len(X))]
    np.testing.assert_allclose(np.mean(alone, axis=0), formula, rtol=0, atol=1e-14)


def test_eq_01_zero_gradient():
    X, labels, _ = batch()
    formula = np.append(((0.5 - labels)[:, None] * X).mean(0), 0.5 - labels.mean())
    np.testing.assert_allclose(engine_gradient(np.zeros(3), X, labels), formula, atol=1e-15)


def test_eq_01_first_step():
    X, labels, _ = batch()
    share = labels.mean()
    for inputs in (X, X + 3, X - X.mean(0)):
        one, zero = inputs[labels == 1].mean(0), inputs[labels == 0].mean(0)
        step = -engine_gradient(np.zeros(3), inputs, labels)[:2]
        by_class = 0.5 * (share * one - (1 - share) * zero)
        np.testing.assert_allclose(step, by_class, atol=1e-15)
        useful, origin = share * (1 - share) * (one - zero), (share - 0.5) * inputs.mean(0)
        np.testing.assert_allclose(step, useful + origin, atol=1e-15)
    # Neither balanced nor centred: the origin can turn the step round.
    between = X[labels == 1].mean(0) - X[labels == 0].mean(0)
    step = -engine_gradient(np.zeros(3), X + 10 * between, labels)[:2]
    assert step @ between < 0


def test_eq_01_hessian():
    a, xt = SIGMA.subs(z, SUM), sp.Matrix([x1, x2, 1])
    difference = sp.hessian(LOSS_OF_Z.subs(z, SUM), THETA) - a * (1 - a) * xt * xt.T
    assert all(is_zero(entry) for entry in difference)
    X, labels, X1 = batch()
    theta, epsilon = np.array([0.5, -1.0, 0.25]), 1e-5
    numeric = [
        (engine_gradient(theta + e, X, labels) - engine_gradient(theta - e, X, labels))
        / (2 * epsilon)
        for e in epsilon * np.eye(3)
    ]
    np.testing.assert_allclose(hessian(theta, X1), numeric, atol=1e-9)


def test_eq_01_quadratic():
    _, _, X1 = batch()
    for theta, v in np.random.default_rng(1).normal(0, 2, (200, 2, 3)):
        a = sigmoid(X1 @ theta)
        formula = np.mean(a * (1 - a) * (X1 @ v) ** 2)
        assert formula >= 0
        assert v @ hessian(theta, X1) @ v == pytest.approx(formula, rel=1e-12)


def test_eq_01_tangent():
    X, labels, _ = batch()
    for u, theta in np.random.default_rng(2).normal(0, 3, (500, 2, 3)):
        tangent = loss(theta, X, labels) + engine_gradient(theta, X, labels) @ (u - theta)
        assert loss(u, X, labels) >= tangent - 1e-12


def test_eq_01_balance():
    rng = np.random.default_rng(3)
    labels = np.repeat([1, 0], 10)
    X = rng.standard_normal((20, 2))
    balanced = X.copy()
    balanced[10] += X[:10].sum(0) - X[10:].sum(0)  # now both classes have the same sum
    assert np.abs(engine_gradient(np.zeros(3), balanced, labels)).max() < 1e-15
    # And without either half of the condition the gradient is not zero.
    assert np.abs(engine_gradient(np.zeros(3), X, labels)[:2]).max() > 1e-3
    centred = X[:15] - np.repeat([X[:10].mean(0), X[10:15].mean(0)], [10, 5], axis=0)
    gradient = engine_gradient(np.zeros(3), centred, labels[:15])
    assert np.abs(gradient[:2]).max() < 1e-15
    assert gradient[2] == pytest.approx(0.5 - 10 / 15)


def test_eq_01_stretch():
    S, u = separable(0)
    labels = np.arange(len(S)) % 2
    X = (S * (2 * labels - 1)[:, None])[:, :2]
    # separable() scaled the column of ones by a sign of its own; give that sign back.
    ones = S[:, 2] * (2 * labels - 1)
    X, labels = X * ones[:, None], np.where(ones > 0, labels, 1 - labels)
    assert ((2 * labels - 1) * (np.column_stack([X, np.ones(len(X))]) @ u) > 0).all()
    values = np.array([loss(c * u, X, labels) for c in (0, 1, 2, 5, 10, 100, 1000)])
    assert (np.diff(values) < 0).all()
    assert values[-1] < 1e-12


@pytest.mark.parametrize(
    ("X", "labels", "direction"),
    [
        ([[4, 0], [0, 2], [-4, 0], [0, -2]], [1, 1, 0, 0], [0.25, 0.5, 0]),
        # The line farthest from these two points is vertical, and this one leans.
        ([[4, 3], [2, 3]], [1, 0], [1, -0.9, -0.3]),
    ],
)
def test_eq_01_direction(X, labels, direction):
    S = (2 * np.array(labels) - 1)[:, None] * np.column_stack([X, np.ones(len(X))])
    best = minimize(
        lambda theta: theta @ theta,
        np.ones(3),
        method="SLSQP",
        constraints={"type": "ineq", "fun": lambda theta: S @ theta - 1},
        options={"ftol": 1e-12},
    )
    np.testing.assert_allclose(best.x, direction, atol=1e-6)
    # The angle shrinks like 1 over the log of the steps. Steps scaled by 1/L get there sooner.
    thetas = np.random.default_rng(4).standard_normal((20, 3))
    thetas[0] = 0
    for _ in range(3000):
        margins = thetas @ S.T
        value = np.logaddexp(0, -margins).mean(-1)
        thetas += 0.05 * (sigmoid(-margins) @ S / len(S)) / value[:, None]
    cosine = thetas @ best.x / np.linalg.norm(thetas, axis=1) / np.linalg.norm(best.x)
    assert cosine.min() > 0.999


def test_eq_01_novikoff():
    for seed in range(20):
        S, u = separable(seed)
        gamma, R = (S @ u).min(), np.linalg.norm(S, axis=1).max()
        corrections = len(run_perceptron(np.zeros(3), S, 1.0)) - 1
        assert 0 < corrections <= (R / gamma) ** 2


def test_eq_01_perceptron():
    S, _ = separable(1)
    path = run_perceptron(np.zeros(3), S, 1.0)
    for lr in (2.0**-10, 0.5, 64.0):
        assert np.array_equal(run_perceptron(np.zeros(3), S, lr), lr * path)
    start = np.array([5.0, -5.0, 5.0])
    assert len(run_perceptron(start, S, 2.0**-6)) != len(run_perceptron(start, S, 1.0))


def test_eq_01_logits():
    assert is_zero(sp.expand_log(sp.simplify(LOSS_OF_Z), force=True).subs(z, 0) - sp.log(2))
    # Equal at one point, and with equal slopes everywhere.
    formula = sp.log(1 + sp.exp(z)) - y * z
    assert is_zero(sp.diff(LOSS_OF_Z - formula, z))
    assert is_zero(formula.subs(z, 0) - sp.log(2))


def test_eq_01_smooth():
    X, labels, X1 = batch()
    beta = np.linalg.eigvalsh(X1.T @ X1).max() / (4 * len(X))
    for theta in np.random.default_rng(5).normal(0, 2, (500, 3)):
        assert np.linalg.eigvalsh(hessian(theta, X1)).max() <= beta
    # The bound is reached at zero, so no smaller β would do.
    assert np.linalg.eigvalsh(hessian(np.zeros(3), X1)).max() == pytest.approx(beta)
    net = model(np.zeros(3))
    values = fit(net, X, labels, binary_cross_entropy, SGD(1.99 / beta), epochs=200).loss
    assert (np.diff(values) <= 1e-14).all()
