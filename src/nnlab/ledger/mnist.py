"""The claims judged in chapter 5, each as one short check."""

from functools import cache

import numpy as np

from nnlab import initializers, theory
from nnlab.activations import tanh
from nnlab.datasets import load_mnist
from nnlab.diagnostics import layer_stats
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.training import fit

SIZES = (784, 500, 400, 300, 200, 100, 10)
LOSS = "softmax_cross_entropy"


@cache
def _mnist(scaling="unit"):
    return load_mnist(scaling=scaling)


@cache
def _start(init, scaling="unit", sizes=SIZES, activation="tanh", seeds=4, n=100):
    """Return the signals of networks before their first step."""
    data = _mnist(scaling)
    net = MLP(sizes, activation, init, rng=np.random.default_rng(0), ensemble=seeds)
    return net.gradient(data.X_train[:n], data.y_train[:n], LOSS)[1]


def _mean_squares(layers):
    return np.median(layer_stats(layers).rms ** 2, axis=1)


def _train(init, sizes=SIZES, activation="tanh", lr=0.1, epochs=3):
    """Train two networks on 3,000 images; return their test loss and accuracy."""
    data, rng = _mnist(), np.random.default_rng(0)
    net = MLP(sizes, activation, init, rng=rng, ensemble=2, dtype=np.float32)
    X, y = data.X_train[:3000], data.y_train[:3000]
    test = data.X_test[:1000], data.y_test[:1000]
    options = {"epochs": epochs, "batch_size": 64, "rng": rng, "test": test}
    history = fit(net, X, y, LOSS, SGD(lr), **options)
    return np.median(history.test_loss[-1]), np.median(history.test_accuracy[-1])


def E5():
    """The experiment: MNIST, tanh, biases 0, 784-500-400-300-200-100-10."""
    worst = 0.0
    for scaling in ("unit", "standard"):
        x = np.square(_mnist(scaling).X_train[:100], dtype=np.float64).mean(1)
        for init in (initializers.normal(), initializers.xavier_uniform()):
            expected = theory.predict(SIZES, "tanh", init, x).var_z[:-1]
            measured = _mean_squares(_start(init, scaling).Z[:-1])
            worst = max(worst, np.abs(measured / expected - 1).max())
    verdict = "holds" if worst < 0.3 else "fails: theory and measurement differ"
    return verdict, f"with both scalings, Var(z) is within {worst:.0%} of the theory"


def E6():
    """With all weights 0 every layer outputs 0."""
    signals = _start(initializers.zeros())
    silent = not any(Z.any() for Z in signals.Z)
    moved = [f"W{l}" for l, dW in enumerate(signals.dW, 1) if dW.any()]
    moved += [f"b{l}" for l, db in enumerate(signals.db, 1) if db.any()]
    return (
        "holds" if silent else "fails: something comes out",
        f"gradients that are not 0: {', '.join(moved)}",
    )


def E7():
    """Under N(0, 1) the outputs pile up at ±1, because Var(z) = n grows with every layer."""
    signals = _start(initializers.normal())
    var_z = _mean_squares(signals.Z)
    piled = layer_stats(signals.A[:-1], tanh).saturated.min() > 0.5
    grows = bool((np.diff(var_z) > 0).all())
    verdict = "holds" if piled and grows else "fails: from layer 2 on Var(z) falls"
    return (
        verdict,
        f"Var(z) in layers 2 to 6: {', '.join(f'{v:.0f}' for v in var_z[1:])}",
    )


def E8():
    """Under U[−1/√n, 1/√n] the variance falls by a factor of 3 a layer."""
    var_z = _mean_squares(_start(initializers.fan_in_uniform()).Z[:-1])
    factor = (var_z[-1] / var_z[0]) ** (1 / 4)
    return "holds" if abs(
        3 * factor - 1
    ) < 0.2 else "fails: by another factor", f"factor a layer: {factor:.2f}"


def E9():
    """Under N(0, 1) the derivatives are near 0, so the gradients are too small."""
    signals = _start(initializers.normal())
    slope = max(float(np.median(1 - A**2)) for A in signals.A[:-1])
    rms = np.sqrt(_mean_squares(signals.dZ))
    grown = rms[0] / rms[-1]
    verdict = "fails: they explode" if grown > 3 else "holds"
    nearly = "< 0.01" if slope < 0.01 else f"{slope:.2f}"
    return (
        verdict,
        f"median slope {nearly}, yet ∂L/∂z grows {grown:.0f} times towards the input",
    )


def E10():
    """Xavier keeps a good distribution of outputs through many layers."""
    sizes = (784,) + (100,) * 100 + (10,)
    kept = _mean_squares(_start(initializers.xavier_uniform(), "standard", sizes, n=40).A[:-1])
    shown = ", ".join(f"{kept[depth - 1]:.3f}" for depth in (5, 10, 50, 100))
    decays = kept[99] < kept[4] / 5
    alive = kept[49] > 1e-3
    verdict = "fails: it decays" if decays and not alive else "holds"
    verdict = "holds if there are tens of layers, not hundreds" if decays and alive else verdict
    return verdict, f"E[a²] in layers 5, 10, 50, 100: {shown}"


def E15():
    """Xavier does badly with ReLU; doubling the variance (He) fixes it."""
    init = {"Xavier": initializers.xavier_normal(), "He": initializers.he_normal()}
    shallow = {name: _train(each, (784, 100, 100, 10), "relu")[1] for name, each in init.items()}
    deep_sizes = (784,) + (64,) * 30 + (10,)
    deep = {name: _train(each, deep_sizes, "relu", 0.02, 6)[0] for name, each in init.items()}
    alike = abs(shallow["He"] - shallow["Xavier"]) < 0.1
    apart = deep["He"] < deep["Xavier"] - 0.1
    verdict = "holds if the network is deep" if alike else "holds"
    verdict = verdict if apart else "fails: it makes no difference"
    relation = "less than" if alike else "more than"
    return verdict, (
        f"accuracy differs by {relation} 0.1 with 2 hidden layers; "
        f"with 30, only {'He' if apart else 'neither'} lowers the loss"
    )


def E16():
    """He initialisation keeps the variance the same."""
    sizes = (784,) + (200,) * 10 + (10,)
    signals = _start(initializers.he_normal(), "unit", sizes, "relu", 10, 50)
    x2 = float(np.square(_mnist().X_train[:50], dtype=np.float64).mean())
    stats = layer_stats(signals.A[:-1])
    square, variance = (np.median(v**2, axis=1).mean() / x2 for v in (stats.rms, stats.std))
    kept = abs(square - 1) < 0.3
    verdict = "holds if the variance means E[a²]" if variance < 0.8 else "holds"
    verdict = verdict if kept else "fails: E[a²] drifts"
    return (
        verdict,
        f"E[a²]/E[x²] = {square:.2f}, Var(a)/E[x²] = {variance:.2f}, 10 layers",
    )


def E18():
    """Zero, N(0, 1), uniform and Xavier starts are trained on MNIST."""
    schemes = {
        "zero": initializers.zeros(),
        "N(0, 1)": initializers.normal(),
        "Xavier": initializers.xavier_uniform(),
    }
    loss = {name: _train(init)[0] for name, init in schemes.items()}
    best = min(loss, key=loss.get)
    stuck = abs(loss["zero"] - np.log(10)) < 0.05
    verdict = "holds" if best == "Xavier" and stuck else "fails: Xavier is not the best"
    return (
        verdict,
        f"lowest test loss: {best}; zero stays at log(10): {'yes' if stuck else 'no'}",
    )
