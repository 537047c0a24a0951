"""The claims judged in chapter 5, each as one short check."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import DTypeLike

from nnlab import initializers, theory
from nnlab.activations import tanh
from nnlab.checks import Floats
from nnlab.datasets import Dataset, load_mnist
from nnlab.diagnostics import layer_stats
from nnlab.initializers import Inits
from nnlab.ledger.verdict import Verdict
from nnlab.network import MLP, Signals
from nnlab.optimizers import SGD
from nnlab.training import fit

SIZES = (784, 500, 400, 300, 200, 100, 10)
LOSS = "softmax_cross_entropy"


@cache
def _mnist(scaling: str = "unit") -> Dataset:
    return load_mnist(scaling=scaling)


def _start(
    init: Inits,
    scaling: str = "unit",
    sizes: tuple[int, ...] = SIZES,
    activation: str = "tanh",
    seeds: int = 10,
    dtype: DTypeLike = np.float64,
) -> Signals:
    """Return the signals of networks before their first step, as the chapter draws them."""
    data, rng = _mnist(scaling), np.random.default_rng(0)
    net = MLP(sizes, activation, init, rng=rng, ensemble=seeds, dtype=dtype)
    return net.gradient(data.X_train[:150], data.y_train[:150], LOSS)[1]


def _mean_square_x(scaling: str = "unit") -> Floats:
    """The mean square of each of the images that the signals are of."""
    images = _mnist(scaling).X_train[:150]
    mean: Floats = np.square(images, dtype=np.float64).mean(axis=1)
    return mean


def _mean_squares(layers: Sequence[Floats]) -> Floats:
    return np.median(layer_stats(layers).rms ** 2, axis=1)


def _train(
    init: Inits,
    sizes: tuple[int, ...] = SIZES,
    activation: str = "tanh",
    lr: float = 0.1,
    epochs: int = 3,
) -> tuple[float, float]:
    """Train two networks on 3,000 images; return their test loss and accuracy."""
    data, rng = _mnist(), np.random.default_rng(0)
    net = MLP(sizes, activation, init, rng=rng, ensemble=2, dtype=np.float32)
    X, y = data.X_train[:3000], data.y_train[:3000]
    test = data.X_test[:1000], data.y_test[:1000]
    history = fit(net, X, y, LOSS, SGD(lr), epochs=epochs, batch_size=64, rng=rng, test=test)
    return np.median(history.test_loss[-1]), np.median(history.test_accuracy[-1])


def E5() -> Verdict:
    """The experiment: MNIST, tanh, biases 0, 784-500-400-300-200-100-10."""
    worst = {}
    for scaling in ("unit", "standard"):
        off = []
        for init in (
            initializers.normal(),
            initializers.fan_in_uniform(),
            initializers.xavier_uniform(),
            initializers.normal(0.01),
            initializers.truncated_normal(0.1),
        ):
            expected = theory.predict(SIZES, "tanh", init, _mean_square_x(scaling)).var_z
            off.append(_mean_squares(_start(init, scaling).Z) / expected - 1)
        worst[scaling] = 100 * float(np.abs(off).max())
    most = max(worst.values())
    verdict = "holds" if most < 30 else "fails: theory and measurement differ"
    numbers = {
        "ch5-forward-worst": worst["unit"],
        "ch5-forward-worst-standard": worst["standard"],
    }
    measured = f"with both scalings, Var(z) is within {most:.0f} % of the theory"
    return verdict, measured, numbers


def E6() -> Verdict:
    """With all weights 0 every layer outputs 0."""
    signals = _start(initializers.zeros())
    silent = not any(Z.any() for Z in signals.Z)
    moved = [f"W{l}" for l, dW in enumerate(signals.dW, 1) if dW.any()]
    moved += [f"b{l}" for l, db in enumerate(signals.db, 1) if db.any()]
    return (
        "holds" if silent else "fails: something comes out",
        f"gradients that are not 0: {', '.join(moved)}",
    )


def E7() -> Verdict:
    """Under N(0, 1) the outputs pile up at ±1, because Var(z) = n grows with every layer."""
    signals = _start(initializers.normal())
    var_z = _mean_squares(signals.Z)
    piled = layer_stats(signals.A[:-1], tanh).saturated.min() > 0.5
    grows = bool((np.diff(var_z) > 0).all())
    verdict = "holds" if piled and grows else "fails: from layer 2 on Var(z) falls"
    measured = f"Var(z) in layers 2 to 6: {', '.join(f'{v:.0f}' for v in var_z[1:])}"
    return verdict, measured, {"ch5-e7-second": var_z[1], "ch5-e7-last": var_z[-1]}


def E8() -> Verdict:
    """Under U[−1/√n, 1/√n] the variance falls by a factor of 3 a layer."""
    var_z = layer_stats(_start(initializers.fan_in_uniform()).Z).rms ** 2
    steps = np.median(var_z[1:5] / var_z[:4], axis=1)
    factor = float(np.exp(np.log(steps).mean()))
    verdict = "holds" if abs(3 * factor - 1) < 0.2 else "fails: by another factor"
    return verdict, f"factor a layer: {factor:.2f}", {"ch5-e8-step": factor}


def E9() -> Verdict:
    """Under N(0, 1) the derivatives are near 0, so the gradients are too small."""
    signals = _start(initializers.normal())
    single = _start(initializers.normal(), dtype=np.float32)
    dead, dead_single = (100 * max(np.mean(d == 0) for d in s.dZ) for s in (signals, single))
    typical = max(np.median(np.abs(dZ)) for dZ in signals.dZ[:-1])
    rms = np.median(layer_stats(signals.dZ).rms, axis=1)
    grown = rms[0] / rms[-1]
    xavier = _start(initializers.xavier_uniform())
    larger = all(
        np.median(np.abs(mine)) > np.median(np.abs(other))
        for mine, other in zip(signals.dW, xavier.dW, strict=True)
    )
    vanishes, explodes = typical < 1e-4, grown > 3 and larger
    verdict = "holds" if vanishes and not explodes else "fails: they are too large"
    if vanishes and explodes:
        verdict = "fails: the typical ∂L/∂z vanishes, but its mean square and ∂L/∂W explode"
    measured = (
        f"median |∂L/∂z| at most {typical:.0e}, and up to {dead:.0f} % exactly 0"
        f" (more than {10 * (dead_single // 10):.0f} % in float32); its rms grows {grown:.0f}"
        f" times towards the input, and the median |∂L/∂W| is "
        f"{'above' if larger else 'not above'} Xavier's"
    )
    numbers = {
        "ch5-e9-growth": grown,
        "ch5-e9-dead-64": dead,
        "ch5-e9-dead-32": dead_single,
    }
    return verdict, measured, numbers


def E10() -> Verdict:
    """Xavier keeps a good distribution of outputs through many layers."""
    sizes = (784,) + (200,) * 100 + (10,)
    kept = _mean_squares(_start(initializers.xavier_uniform(), "standard", sizes, seeds=5).A[:-1])
    shown = ", ".join(f"{kept[depth - 1]:.3f}" for depth in (5, 10, 50, 100))
    on_law = all(abs(kept[depth - 1] * 2 * depth - 1) < 0.35 for depth in (10, 50, 100))
    verdict = "fails: it decays faster than 1/(2 · depth)" if kept[99] < kept[4] / 5 else "holds"
    verdict = "holds if an E[a²] of 1/(2 · depth) is enough" if on_law else verdict
    measured = f"E[a²] in layers 5, 10, 50, 100: {shown}"
    return verdict, measured, {"ch5-e10-5": kept[4], "ch5-e10-100": kept[99]}


def E15() -> Verdict:
    """Xavier does badly with ReLU; doubling the variance (He) fixes it."""
    xavier, he = initializers.xavier_normal(), initializers.he_normal()
    shallow = [_train(init, (784, 100, 100, 10), "relu")[1] for init in (xavier, he)]
    deep = (784,) + (64,) * 30 + (10,)
    rates = (0.02, 0.2, 2.0)
    stuck = max(_train(xavier, deep, "relu", lr)[1] for lr in rates)
    learnt = _train(he, deep, "relu", rates[0], 6)[1]
    alike = abs(shallow[0] - shallow[1]) < 0.1
    apart = stuck < 0.2 and learnt > 0.3
    verdict = "holds if the network is deep" if alike else "holds"
    verdict = verdict if apart else "fails: it makes no difference"
    relation = "less than" if alike else "more than"
    return verdict, (
        f"accuracy differs by {relation} 0.1 with 2 hidden layers; with 30, Xavier ends at"
        f" {'chance' if stuck < 0.2 else 'better than chance'} for learning rates from"
        f" {rates[0]:g} to {rates[-1]:g}, He at {'more' if apart else 'no more'} than 0.3"
    )


def E16() -> Verdict:
    """He initialisation keeps the variance the same."""
    sizes = (784,) + (300,) * 10 + (10,)
    signals = _start(initializers.he_normal(), "unit", sizes, "relu")
    x2 = _mean_square_x().mean()
    A, Z = layer_stats(signals.A[:-1]), layer_stats(signals.Z[:-1])
    square, var_z = (np.median(each.rms**2, axis=1).mean() / x2 for each in (A, Z))
    share = float(np.median(A.std**2 / A.rms**2, axis=1).mean())
    kept = abs(square - 1) < 0.3 and abs(var_z - 2) < 0.6
    verdict = "holds if the variance means E[a²] or Var(z)" if share < 0.8 else "holds"
    verdict = verdict if kept else "fails: E[a²] drifts"
    measured = (
        f"over 10 layers E[a²]/E[x²] = {square:.2f}, Var(z)/E[x²] = {var_z:.2f},"
        f" Var(a)/E[a²] = {share:.2f}"
    )
    return verdict, measured, {"ch5-e16-share": share}


def E18() -> Verdict:
    """Zero, N(0, 1), uniform and Xavier starts are trained on MNIST."""
    schemes = {
        "zero": initializers.zeros(),
        "N(0, 1)": initializers.normal(),
        "Xavier": initializers.xavier_uniform(),
    }
    loss = {name: _train(init)[0] for name, init in schemes.items()}
    best = min(loss, key=lambda name: loss[name])
    stuck = abs(loss["zero"] - np.log(10)) < 0.05
    verdict = "holds" if best == "Xavier" and stuck else "fails: Xavier is not the best"
    return (
        verdict,
        f"lowest test loss: {best}; zero stays at log(10): {'yes' if stuck else 'no'}",
    )
