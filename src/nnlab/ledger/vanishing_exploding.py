"""Claims B7, D5–D8 and E1–E4, with the data, the networks and the seeds of chapter 3."""

import math
from functools import cache
from typing import Any

import numpy as np

from nnlab import activations, diagnostics, losses, theory
from nnlab.checks import Floats
from nnlab.initializers import Inits, constant, normal, variance_scaling, xavier_normal
from nnlab.ledger.verdict import Verdict
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.training import History, fit


def _digits() -> tuple[Floats, np.ndarray]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X = (X - X.mean()) / X.std()
    chosen = np.random.default_rng(0).permutation(len(y))[:300]
    return X[chosen], y[chosen]


@cache  # several claims are about the same runs
def _train(
    init: Inits,
    hidden: int = 1,
    activation: str = "tanh",
    lr: float = 0.1,
    epochs: int = 50,
    seeds: int = 20,
) -> tuple[History, MLP]:
    X, y = _digits()
    sizes = (64, *[24] * hidden, 10)
    net = MLP(sizes, activation, init, rng=np.random.default_rng(1), ensemble=seeds)
    history = fit(
        *(net, X, y, "softmax_cross_entropy", SGD(lr)),
        epochs=epochs,
        batch_size=50,
        rng=np.random.default_rng(2),
        test=(X, y),
    )
    return history, net


def _accuracy(init: Inits, hidden: int = 1, **args: Any) -> float:
    return float(np.median(_train(init, hidden, **args)[0].test_accuracy[-1]))


def _from(std: float, activation: str) -> float:
    """Accuracy with one hidden layer from weights of size std, at the best of four rates."""
    return max(
        _accuracy(normal(std), activation=activation, lr=lr, epochs=20, seeds=10)
        for lr in (0.1, 1.0, 10.0, 100.0)
    )


def _fate(activation: str, g: float) -> tuple[float, float]:
    """Which of 100 networks of five hidden layers become infinite, and which are constant."""
    X, _ = _digits()
    history, net = _train(xavier_normal(g), 5, activation, epochs=5, seeds=100)
    with np.errstate(over="ignore", invalid="ignore"):
        return history.diverged.mean(), (np.ptp(net(X), axis=-2) == 0).all(-1).mean()


def _three(**numbers: float) -> dict[str, float]:
    """The numbers as chapter 3 glues them, to three digits."""
    return {
        f"ch3-{name.replace('_', '-')}": float(f"{value:.3g}") for name, value in numbers.items()
    }


def B7() -> Verdict:
    """Initial weights must not be large, or tanh and sigmoid saturate; use 0.01 or 0.001."""
    X, _ = _digits()
    net = MLP((64, 24, 10), "tanh", normal(100.0), rng=np.random.default_rng(1), ensemble=50)
    flat = float((net.activation.derivative(net.forward(X).Z[0]) == 0).mean())
    shallow, deep = _accuracy(normal(0.01), 1), _accuracy(normal(0.01), 5)
    verdict = "fails: 0.01 does not train"
    if flat > 0.9 and shallow > 0.8:
        verdict = "holds" if deep > 0.8 else "holds if the net is shallow"
    return (
        verdict,
        f"from 100·N(0, 1), {flat:.0%} of the tanh slopes are exactly 0; 0.01·N(0, 1) reaches "
        f"accuracy {shallow:.2f} with 1 hidden layer, {deep:.2f} with 5",
        _three(b7_zero=flat),
    )


def D5() -> Verdict:
    """Take 0.01 rather than 100: large z lie on the flat parts of tanh, and learning is slow."""
    reached = {(name, std): _from(std, name) for name in ("tanh", "sigmoid") for std in (0.01, 100)}
    gap = min(reached[name, 0.01] - reached[name, 100] for name in ("tanh", "sigmoid"))
    return (
        "holds" if gap > 0.3 else "fails: 100 is as good",
        f"1 hidden layer, 20 epochs at the best of four learning rates: tanh "
        f"{reached['tanh', 0.01]:.2f} and sigmoid {reached['sigmoid', 0.01]:.2f} from 0.01, and "
        f"more than {math.floor(10 * gap) / 10:.1f} less from 100",
        {f"ch3-d5-{name}-{std:g}": round(value, 2) for (name, std), value in reached.items()},
    )


def D6() -> Verdict:
    """Without a sigmoid or tanh, large weights matter less."""
    large = {name: _from(100, name) for name in ("tanh", "relu")}
    failed = sum(_fate("relu", 3))
    forgiven = _accuracy(xavier_normal(3), 5)
    verdict = "fails: large weights ruin ReLU nets too"
    gap = large["relu"] - large["tanh"]
    if gap > 0.3:
        deep_matters_more = failed > 0.8 and forgiven > 0.8
        verdict = "holds if there is one hidden layer" if deep_matters_more else "holds"
    return (
        verdict,
        f"1 hidden layer from 100·N(0, 1): accuracy {large['relu']:.2f} with ReLU, more than "
        f"{math.floor(10 * gap) / 10:.1f} less with tanh; 5 hidden layers at 3 times Xavier: "
        f"{failed:.0%} of the ReLU nets diverge or die, and tanh reaches {forgiven:.2f}",
        {"ch3-d5-relu-100": round(large["relu"], 2)},
    )


def D7() -> Verdict:
    """With a sigmoid output, large weights are unwelcome whatever the hidden layers are."""
    X, y = _digits()
    first = {}
    for hidden in ("tanh", "relu"):
        for c in (0.01, 100.0):
            init: Inits = ["xavier_normal", normal(c)]
            net = MLP((64, 24, 1), hidden, init, rng=np.random.default_rng(1), ensemble=500)
            first[hidden, c] = float(losses.binary_cross_entropy(net(X), y >= 5).mean())
    small = max(abs(first[hidden, 0.01] - np.log(2)) for hidden in ("tanh", "relu"))
    large = min(first[hidden, 100.0] for hidden in ("tanh", "relu"))
    return (
        "holds" if small < 0.01 and large > 10 * np.log(2) else "fails: the first loss is small",
        f"mean first loss over 500 networks, output weights of size 100: "
        f"{first['tanh', 100.0]:.0f} (tanh below), {first['relu', 100.0]:.0f} (ReLU below); of "
        f"size 0.01: {first['tanh', 0.01]:.3f} = ln 2",
        _three(d7_small=first["tanh", 0.01], d7_large=first["tanh", 100.0]),
    )


def D8() -> Verdict:
    """0.01 is fine for one hidden layer; deep networks need another constant."""
    shallow, deep = _accuracy(normal(0.01), 1), _accuracy(normal(0.01), 5)
    other = _accuracy(xavier_normal(), 5)
    return (
        "holds" if shallow > 0.8 and deep < 0.3 and other > 0.8 else "fails: depth changes nothing",
        f"accuracy {shallow:.2f} with 1 hidden layer, {deep:.2f} with 5, "
        f"{other:.2f} with 5 from Xavier",
        _three(d8_shallow=shallow, d8_deep=deep),
    )


def E1() -> Verdict:
    """Too large weights: gradients explode and training diverges; too small: it crawls."""
    infinite, dead = _fate("relu", 10)
    tanh, _ = _train(xavier_normal(30), 5, epochs=20, seeds=50)
    bad = float(np.median(tanh.test_accuracy[-1]))
    small = _accuracy(xavier_normal(0.1), 5, epochs=40, seeds=10)
    verdict = "fails: large weights train"
    if infinite > 0 and infinite + dead > 0.9 and small < 0.3:
        verdict = "holds" if tanh.diverged.any() else "holds if the activation is unbounded"
    return (
        verdict,
        f"5 hidden layers: of 100 ReLU nets at 10 times Xavier {infinite:.0%} become infinite and "
        f"{dead:.0%} die; of 50 tanh nets at 30 times Xavier {tanh.diverged.mean():.0%} become "
        f"infinite, at accuracy {bad:.1f}; at a tenth of Xavier {small:.2f} after 40 epochs",
        _three(e1_diverged=infinite, e1_dead=dead) | {"ch3-e1-tanh": round(bad, 2)},
    )


def _chain(w: float, depth: int, activation: str) -> float:
    net = MLP((1,) * (depth + 1), activation, constant(w), rng=np.random.default_rng(0))
    return net.backward(net.forward([[1.0]]), np.ones((1, 1))).dW[0].item()


def E2() -> Verdict:
    """In a chain of single neurons the gradient has a factor wφ′(z) a layer: exponential."""
    rng = np.random.default_rng(0)
    net = MLP((1,) * 13, "tanh", normal(1.5), rng=rng, ensemble=200)
    _, s = net.gradient([[0.7]], np.array([[0.2]]), "mean_squared_error")
    slopes = [net.activation.derivative(Z) for Z in s.Z[:-1]]
    product = 0.7 * np.prod(net.W[1:], axis=0) * np.prod(slopes, axis=0) * s.dZ[-1]
    exact = np.allclose(product, s.dW[0], rtol=1e-10, atol=0)
    factor = (_chain(1.0, 40, "sigmoid") / _chain(1.0, 20, "sigmoid")) ** (1 / 20)
    power = np.log2(_chain(1.0, 2000, "tanh") / _chain(1.0, 1000, "tanh"))
    verdict = "fails: the product is another"
    if exact and factor < 0.25:
        verdict = "holds if the factor settles away from 1" if power > -2 else "holds"
    return (
        verdict,
        f"the product is the engine's gradient in 200 random chains; sigmoid, w = 1: factor "
        f"{factor:.4f} a layer; tanh, w = 1: only a power of the depth, exponent {power:.2f}",
        _three(chain_power=power),
    )


def E3() -> Verdict:
    """σ′ is at most 0.25, so sigmoid networks vanish even with reasonable weights."""
    z = np.linspace(0.01, 20, 100_001)
    chain = float((z * (1 - activations.sigmoid(z))).max())  # w = z/σ(z) rests at z
    settled = np.array(2.0)  # z of the first layer: w = 4, b = −2, x = 1
    for _ in range(99):
        settled = 4 * activations.sigmoid(settled) - 2
    biased = 4 * activations.sigmoid.derivative(settled).item()

    def chi(s: float) -> float:
        init = variance_scaling(s**2, "fan_in", "normal")
        return float(theory.predict((100,) * 21, "sigmoid", init).factor[5:15].prod() ** 0.1)

    from scipy.optimize import brentq

    usual, critical = float(np.sqrt(chi(1.0))), brentq(lambda s: chi(s) - 1, 1, 30)
    verdict = "fails: sigmoid networks keep their gradients"
    if usual < 1:
        escapes = critical < 29 and biased > 0.98
        verdict = "holds if the weights have the size of Xavier's" if escapes else "holds"
    return (
        verdict,
        f"a wide net keeps {usual:.3f} a layer at √(n Var w) = 1, and stops vanishing at "
        f"{critical:.1f}; a settled chain of equal positive weights without biases keeps at most "
        f"{chain:.4f}, but with w = 4 and b = −2 {biased:.3f} at layer 100, which tends to 1",
        _three(sigmoid_critical=critical, bias_100=biased),
    )


def E4() -> Verdict:
    """When gradients explode the early layers change faster than the late, else slower."""
    ratio = {}
    for name, s in (("tanh", 5.0), ("sigmoid", 0.3), ("relu", 5.0), ("tanh", 0.3)):
        init = variance_scaling(s**2, "fan_in", "normal")
        rng = np.random.default_rng(0)
        net = MLP((32,) * 11 + (10,), name, init, rng=rng, ensemble=100)
        X, y = rng.standard_normal((50, 32)), rng.integers(0, 10, 50)
        before = net.theta.copy()
        signals = net.gradient(X, y, "softmax_cross_entropy")[1]
        dW = [np.linalg.norm(each, axis=(-2, -1)) for each in signals.dW]
        moved = diagnostics.update_ratio(before, before - 0.01 * signals.dtheta, net)
        ratio[name, s] = [float(np.median(each[1] / each[9])) for each in (dW, moved)]
    claimed = min(ratio["tanh", 5.0]) > 3 and max(ratio["sigmoid", 0.3]) < 0.1
    alike = all(0.3 < r < 3 for key in (("relu", 5.0), ("tanh", 0.3)) for r in ratio[key])
    verdict = "fails: all layers move alike"
    if claimed:
        verdict = "holds if the forward signal keeps its size" if alike else "holds"
    return (
        verdict,
        f"gradient of layer 2 over that of layer 10: exploding tanh {ratio['tanh', 5.0][0]:.0f}, "
        f"vanishing sigmoid {ratio['sigmoid', 0.3][0]:.0e}, but exploding ReLU "
        f"{ratio['relu', 5.0][0]:.2f} and vanishing tanh {ratio['tanh', 0.3][0]:.2f}",
        _three(
            e4_tanh_large=ratio["tanh", 5.0][0],
            e4_relu=ratio["relu", 5.0][0],
            e4_tanh_small=ratio["tanh", 0.3][0],
        ),
    )
