"""Claims B7, D5–D8 and E1–E4, checked in small."""

import numpy as np
from sklearn.datasets import load_digits

from nnlab import activations, diagnostics, losses, theory
from nnlab.initializers import constant, normal, variance_scaling, xavier_normal
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.training import fit


def _digits(n=200):
    X, y = load_digits(return_X_y=True)
    X = (X - X.mean()) / X.std()
    chosen = np.random.default_rng(0).permutation(len(y))[:n]
    return X[chosen], y[chosen]


def _train(init, hidden, activation="tanh", lr=0.3, epochs=40, seeds=5):
    X, y = _digits()
    sizes = (64, *[16] * hidden, 10)
    net = MLP(sizes, activation, init, rng=np.random.default_rng(1), ensemble=seeds)
    args = {"epochs": epochs, "batch_size": 50, "rng": np.random.default_rng(2)}
    return fit(net, X, y, "softmax_cross_entropy", SGD(lr), test=(X, y), **args)


def _accuracy(init, hidden, **args):
    return float(np.median(_train(init, hidden, **args).test_accuracy[-1]))


def B7():
    """Initial weights must not be large, or tanh and sigmoid saturate; use 0.01 or 0.001."""
    X, _ = _digits()
    net = MLP((64, 16, 10), "tanh", normal(100.0), rng=np.random.default_rng(0), ensemble=20)
    dead = float((net.activation.derivative(net.forward(X).Z[0]) == 0).mean())
    shallow, deep = _accuracy(normal(0.01), 1), _accuracy(normal(0.01), 5)
    verdict = "fails"
    if dead > 0.9 and shallow > 0.8:
        verdict = "holds" if deep > 0.8 else "holds if the net is shallow"
    return verdict, (
        f"from 100·N(0, 1), {100 * dead:.0f} % of the tanh slopes are exactly 0; "
        f"0.01·N(0, 1) reaches accuracy {shallow:.2f} with 1 hidden layer, {deep:.2f} with 5"
    )


def D5():
    """Take 0.01 rather than 100: large z lie on the flat parts of tanh, and learning is slow."""
    small = max(_accuracy(normal(0.01), 1, lr=lr, epochs=20) for lr in (0.1, 1.0, 10.0))
    large = max(_accuracy(normal(100.0), 1, lr=lr, epochs=20) for lr in (0.1, 1.0, 10.0))
    return "holds" if small - large > 0.3 else "fails", (
        f"tanh, 20 epochs at the best of three learning rates: accuracy {large:.2f} from 100, "
        f"{small:.2f} from 0.01"
    )


def D6():
    """Without a sigmoid or tanh, large weights matter less."""
    large = {
        name: _accuracy(normal(100.0), 1, activation=name, lr=0.1) for name in ("tanh", "relu")
    }
    deep = _train(xavier_normal(10), 5, activation="relu", lr=0.1, epochs=5, seeds=20)
    failed = float((~(deep.test_accuracy[-1] > 0.3)).mean())
    verdict = "fails"
    if large["relu"] - large["tanh"] > 0.3:
        verdict = "holds if there is one hidden layer" if failed > 0.8 else "holds"
    return verdict, (
        f"1 hidden layer from 100·N(0, 1): accuracy {large['relu']:.2f} with ReLU, "
        f"{large['tanh']:.2f} with tanh; 5 hidden layers of ReLU at 10 times Xavier: "
        f"{100 * failed:.0f} % of the networks fail"
    )


def D7():
    """With a sigmoid output, large weights are unwelcome whatever the hidden layers are."""
    X, y = _digits()
    first = {}
    for c in (0.01, 100.0):
        init = ["xavier_normal", normal(c)]
        net = MLP((64, 16, 1), "relu", init, rng=np.random.default_rng(1), ensemble=200)
        first[c] = float(losses.binary_cross_entropy(net(X), y >= 5).mean())
    holds = abs(first[0.01] - np.log(2)) < 0.01 and first[100.0] > 10 * np.log(2)
    return "holds" if holds else "fails", (
        f"mean first loss over 200 networks {first[100.0]:.0f} from output weights of size 100, "
        f"{first[0.01]:.3f} = ln 2 from 0.01"
    )


def D8():
    """0.01 is fine for one hidden layer; deep networks need another constant."""
    shallow, deep = _accuracy(normal(0.01), 1), _accuracy(normal(0.01), 5)
    other = _accuracy("xavier_normal", 5)
    holds = shallow > 0.8 and deep < 0.3 and other > 0.8
    return "holds" if holds else "fails", (
        f"accuracy {shallow:.2f} with 1 hidden layer, {deep:.2f} with 5, "
        f"{other:.2f} with 5 from Xavier"
    )


def E1():
    """Too large weights: gradients explode and training diverges; too small: it crawls."""
    args = {"lr": 0.1, "epochs": 5, "seeds": 50}
    relu = _train(xavier_normal(30), 5, activation="relu", **args)
    tanh = _train(xavier_normal(30), 5, activation="tanh", **args)
    failed = float((~(relu.test_accuracy[-1] > 0.3)).mean())
    small = _accuracy(xavier_normal(0.1), 5, lr=0.1)
    verdict = "fails"
    if failed > 0.8 and relu.diverged.any() and small < 0.3:
        verdict = "holds" if tanh.diverged.any() else "holds if the activation is unbounded"
    return verdict, (
        f"30 times Xavier, 5 hidden layers: {100 * relu.diverged.mean():.0f} % of the ReLU nets "
        f"become infinite and {100 * failed:.0f} % fail; {100 * tanh.diverged.mean():.0f} % of the "
        f"tanh nets become infinite; a tenth of Xavier: accuracy {small:.2f} after 40 epochs"
    )


def _chain(w, depth, activation):
    rng = np.random.default_rng(0)
    net = MLP((1,) * (depth + 1), activation, constant(w), rng=rng)
    return net.backward(net.forward([[1.0]]), np.ones((1, 1))).dW[0].item()


def E2():
    """In a chain of single neurons the gradient has a factor wφ′(z) a layer: exponential."""
    rng = np.random.default_rng(0)
    net = MLP((1,) * 13, "tanh", normal(1.5), rng=rng, ensemble=200)
    _, s = net.gradient([[0.7]], np.array([[0.2]]), "mean_squared_error")
    slopes = [net.activation.derivative(Z) for Z in s.Z[:-1]]
    product = 0.7 * np.prod(net.W[1:], axis=0) * np.prod(slopes, axis=0) * s.dZ[-1]
    exact = np.allclose(product, s.dW[0], rtol=1e-10, atol=0)
    factor = (_chain(1.0, 40, "sigmoid") / _chain(1.0, 20, "sigmoid")) ** (1 / 20)
    power = np.log2(_chain(1.0, 2000, "tanh") / _chain(1.0, 1000, "tanh"))
    verdict = "fails"
    if exact and factor < 0.25:
        verdict = "holds if the factor settles away from 1" if power > -2 else "holds"
    return verdict, (
        f"the product is the engine's gradient in 200 random chains; sigmoid, w = 1: factor "
        f"{factor:.4f} a layer; tanh, w = 1: only a power of the depth, exponent {power:.2f}"
    )


def E3():
    """σ′ is at most 0.25, so sigmoid networks vanish even with reasonable weights."""
    z = np.linspace(0.01, 20, 100_001)
    chain = float((z * (1 - activations.sigmoid(z))).max())

    def chi(s):
        init = variance_scaling(s**2, "fan_in", "normal")
        return theory.predict((100,) * 21, "sigmoid", init).factor[10]

    usual = float(np.sqrt(chi(1.0)))
    low, high = 1.0, 30.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if chi(middle) < 1 else (low, middle)
    verdict = "fails"
    if usual < 1 and chain < 1:
        verdict = "holds if the weights have a customary size" if high < 29 else "holds"
    return verdict, (
        f"a chain of equal positive weights keeps at most {chain:.4f} a layer; a wide net keeps "
        f"{usual:.3f} at √(n Var w) = 1, and stops vanishing at {low:.1f}"
    )


def E4():
    """When gradients explode the early layers change faster than the late, else slower."""
    ratio = {}
    for name, s in (("tanh", 5.0), ("sigmoid", 1.0), ("relu", 5.0), ("tanh", 0.3)):
        init = variance_scaling(s**2, "fan_in", "normal")
        rng = np.random.default_rng(0)
        net = MLP((32,) * 11 + (10,), name, init, rng=rng, ensemble=20)
        X, y = rng.standard_normal((30, 32)), rng.integers(0, 10, 30)
        before = net.theta.copy()
        after = before - 0.01 * net.gradient(X, y, "softmax_cross_entropy")[1].dtheta
        moved = diagnostics.update_ratio(before, after, net)
        ratio[name, s] = float(np.median(moved[1] / moved[9]))
    claimed = ratio["tanh", 5.0] > 3 and ratio["sigmoid", 1.0] < 0.1
    alike = all(0.3 < ratio[key] < 3 for key in (("relu", 5.0), ("tanh", 0.3)))
    verdict = "fails"
    if claimed:
        verdict = "holds if the forward signal keeps its size" if alike else "holds"
    return verdict, (
        f"update of layer 2 over that of layer 10: exploding tanh {ratio['tanh', 5.0]:.0f}, "
        f"vanishing sigmoid {ratio['sigmoid', 1.0]:.0e}, but exploding ReLU "
        f"{ratio['relu', 5.0]:.2f} and vanishing tanh {ratio['tanh', 0.3]:.2f}"
    )
