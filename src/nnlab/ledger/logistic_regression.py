"""Claims of chapter 1, judged by short checks.

Each returns (verdict, measured) or (verdict, measured, numbers that the chapter glues).
"""

import numpy as np
from numpy.typing import ArrayLike

from nnlab.activations import sigmoid
from nnlab.checks import Floats
from nnlab.datasets import blobs, xor
from nnlab.diagnostics import gradient_check
from nnlab.initializers import normal
from nnlab.ledger.verdict import Verdict
from nnlab.losses import binary_cross_entropy
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.training import fit


def _data() -> tuple[Floats, np.ndarray]:
    """Two overlapping clouds: 100 points of class 0, 60 of class 1."""
    X, y = blobs(np.random.default_rng(1), 200, distance=2)
    keep = (y == 0) | (np.arange(200) < 120)
    return X[keep], y[keep]


def _net(theta: ArrayLike) -> MLP:
    net = MLP((2, 1), "identity", "zeros", rng=np.random.default_rng(0))
    return net.with_theta(np.array(theta, dtype=float))


def _gradient(theta: Floats, X: Floats, y: np.ndarray) -> Floats:
    a = sigmoid(X @ theta[:2] + theta[2])
    return np.append(X.T @ (a - y), (a - y).sum()) / len(y)


def A1() -> Verdict:
    r"""In logistic regression $\sigma' = \sigma(1 - \sigma)$; gradients $(a - y) x_i$, $a - y$."""
    X, y = _data()
    theta = np.random.default_rng(0).normal(0, 2, (100, 3))
    a, e = np.linspace(0.01, 0.99, 981), 1e-6
    z = np.log(a / (1 - a))
    slope = (sigmoid(z + e) - sigmoid(z - e)) / (2 * e)
    in_a = [-np.log(a), -np.log(1 - a)]  # L as a function of a, for y = 1 and y = 0
    in_a = [np.gradient(each, a, edge_order=2)[400:581] for each in in_a]
    expected = [-1 / a[400:581], 1 / (1 - a[400:581])]
    links = max(np.abs(slope - a * (1 - a)).max(), np.abs(np.subtract(in_a, expected)).max())
    engine = _net(theta).gradient(X, y, binary_cross_entropy)[1].dtheta
    formula = np.array([_gradient(each, X, y) for each in theta])
    exact = np.abs(engine - formula).max()
    numeric = gradient_check(_net(theta), X, y, binary_cross_entropy).max()
    holds = exact < 1e-13 and numeric < 1e-6 and links < 1e-4
    agree = "agree" if exact < 1e-13 else "differ"
    measured = (
        f"formula and engine {agree} to 13 decimals at 100 random points, "
        f"finite differences {'too' if numeric < 1e-6 else 'do not'}, to 6 decimals"
    )
    return "holds" if holds else "fails: they differ", measured


def A2() -> Verdict:
    """Gradient descent subtracts the learning rate times the gradient from every parameter."""
    X, y = _data()
    net, down, up = _net(np.zeros(3)), np.zeros(3), np.zeros(3)
    history = fit(net, X, y, binary_cross_entropy, SGD(lr=1.0), epochs=20)
    for _ in range(20):
        down, up = down - _gradient(down, X, y), up + _gradient(up, X, y)
    same = np.allclose(net.theta, down, rtol=0, atol=1e-13)
    falls = bool((np.diff(history.loss) < 0).all())
    low, high = (float(binary_cross_entropy(_net(theta)(X), y)) for theta in (down, up))
    measured = f"loss after 20 steps: {low:.3f} with −, {high:.1f} with +"
    falls_with_minus = same and falls and low < np.log(2) < high
    verdict = "holds" if falls_with_minus else "fails: the loss does not fall"
    return verdict, measured, {"ch1-minus": low, "ch1-plus": high}


def A3() -> Verdict:
    """From $w = 0$ the gradients do not depend on $w$ and are not 0, so the model trains."""
    X, y = _data()
    moving = bool(_gradient(np.zeros(3), X, y).all())
    step = -_gradient(np.zeros(3), X + 3, y)
    right = 100 * float(binary_cross_entropy.accuracy(_net(step)(X + 3), y))
    between = X[y == 1].mean(0) - X[y == 0].mean(0)
    cosine = float(step[:2] @ between / np.linalg.norm(step[:2]) / np.linalg.norm(between))
    X_xor, y_xor = xor(centred=True)
    stuck = _net(np.zeros(3))
    fit(stuck, X_xor, y_xor, binary_cross_entropy, SGD(lr=1.0), epochs=1000)
    others = _net(np.random.default_rng(0).normal(0, 3, (200, 3)))
    history = fit(others, X_xor, y_xor, binary_cross_entropy, SGD(lr=1.0), epochs=150)
    optimal = history.loss.min() > np.log(2) - 1e-12 and np.abs(others.theta).max() < 1e-4
    if not moving:
        verdict = "fails: the gradient is zero"
    elif stuck.theta.any():
        verdict = "holds"
    elif optimal:
        verdict = "holds if zero is not already the optimum"
    else:
        verdict = "fails: a zero start can be stuck away from the optimum"
    measured = (
        f"centred XOR: {np.count_nonzero(stuck.theta)} of 3 parameters moved in 1000 steps; "
        f"200 random starts {'all end at zero too' if optimal else 'end elsewhere'}; "
        f"inputs far from centred: after one step {right:.1f} % are right, and its cosine with the "
        f"difference of the class means is {cosine:.2f}"
    )
    return verdict, measured, {"ch1-far-right": right, "ch1-far-cosine": -cosine}


def A4() -> Verdict:
    """With $b = 0$ the gradient of $b$ is 0.5 or −0.5."""
    X, y = _data()
    w = np.random.default_rng(0).standard_normal((2, 200))

    def half(gradients: ArrayLike) -> float:
        return float(np.isclose(np.abs(gradients), 0.5, rtol=0, atol=1e-3).mean())

    one = half([_gradient(np.zeros(3), X[k : k + 1], y[k : k + 1])[2] for k in range(len(y))])
    alike = half([_gradient(np.zeros(3), X[y == label], y[y == label])[2] for label in (0, 1)])
    elsewhere = half(sigmoid(X @ w) - y[:, None])
    batch = float(_gradient(np.zeros(3), X, y)[2])
    if elsewhere == 1 and half(batch) == 1:
        verdict = "holds"
    elif one == alike == 1:
        verdict = "holds if w = 0 and all labels of the batch are equal"
    else:
        verdict = "fails: it is another number"
    measured = (
        f"±½ for {one:.0%} of single examples and {alike:.0%} of batches of one class at w = 0, "
        f"for {elsewhere:.1%} of single examples at random w; "
        f"a batch with 37.5 % ones gives {batch:.3f}"
    )
    return verdict, measured, {"ch1-db-batch": batch, "ch1-db-half": 100 * elsewhere}


def B6() -> Verdict:
    """Methods that find the global optimum, such as SMO, do not need random starts."""
    X, y = _data()
    start = normal(3.0)
    rng = np.random.default_rng(0)
    net = MLP((2, 1), "identity", start, bias_init=start, rng=rng, ensemble=201)
    net.theta[0] = 0
    fit(net, X, y, binary_cross_entropy, SGD(lr=2.0), epochs=400)
    spread = np.ptp(net.theta, axis=0).max()
    places = "one place, to 5 decimals" if spread < 1e-5 else "different places"
    measured = f"logistic regression as a stand-in: 200 random starts and zero end in {places}"
    return "holds" if spread < 1e-5 else "fails: the start matters", measured


def _perceptron(S: Floats, passes: int, tie: bool = True) -> tuple[int, int]:
    theta, corrections = np.zeros(3), 0
    for _ in range(passes):
        before = corrections
        for s in S:
            if s @ theta < 0 or (tie and s @ theta == 0):
                theta, corrections = theta + s, corrections + 1
        if corrections == before:
            break
    return int((S @ theta <= 0).sum()), corrections


def B8() -> Verdict:
    """Some algorithms converge from zero weights, for example the linear perceptron."""
    X, y = blobs(np.random.default_rng(3), 60, distance=6)
    S = (2 * y - 1)[:, None] * np.column_stack([X + 3, np.ones(60)])
    errors, corrections = _perceptron(S, 5000)
    X_xor, y_xor = xor(centred=True)
    S_xor = (2 * y_xor - 1)[:, None] * np.column_stack([X_xor, np.ones(4)])
    on_xor, _ = _perceptron(S_xor, 1000)
    without_ties, _ = _perceptron(S, 10, tie=False)
    converges = "holds if the data are separable" if on_xor else "holds"
    measured = (
        f"separable data: {errors} errors left after {corrections} corrections (but {without_ties} "
        f"of 60 if a tie counts as right); XOR: {on_xor} of 4 errors left after 1000 passes"
    )
    verdict = "fails: some errors are left" if errors else converges
    return verdict, measured, {"ch1-corrections": corrections}
