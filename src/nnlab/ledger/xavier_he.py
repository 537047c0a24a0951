"""The claims judged in chapter 4, each as one short check."""

import math
import re
from collections.abc import Sequence

import numpy as np

from nnlab import activations, initializers, theory
from nnlab.checks import Floats
from nnlab.datasets import blobs
from nnlab.diagnostics import layer_stats
from nnlab.initializers import Inits
from nnlab.ledger.verdict import Verdict
from nnlab.network import MLP

# What the book's bibliography says of the paper; a test compares them.
PAPER = {
    "author": "Glorot, Xavier and Bengio, Yoshua",
    "booktitle": "Proceedings of the Thirteenth International Conference on Artificial "
    "Intelligence and Statistics",
    "pages": "249--256",
    "year": "2010",
}


def _unit_inputs(rng: np.random.Generator, batch: int, width: int) -> Floats:
    """Random examples, each with mean square 1."""
    X = rng.standard_normal((batch, width))
    X /= np.sqrt(np.mean(X**2, axis=1, keepdims=True))
    return X


def _mean_squares(
    sizes: Sequence[int], activation: str, init: Inits
) -> tuple[Floats, Floats, Floats]:
    """E[z²], E[a²], and E[dz²] over that of the last layer, of 20 networks: (layers, seeds)."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        net = MLP(sizes, activation, init, rng=rng)
        signals = net.forward(_unit_inputs(rng, 16, sizes[0]))
        net.backward(signals, rng.standard_normal(signals.logits.shape))
        kinds = signals.Z, signals.A, signals.dZ
        found.append([layer_stats(each).rms ** 2 for each in kinds])
    z2, a2, dz2 = np.moveaxis(np.array(found), 0, -1)
    return z2, a2, dz2 / dz2[-1]


def B14() -> Verdict:
    """He initialisation is randn(n_l, n_{l-1}) · sqrt(2 / n_{l-1})."""
    n_out, n_in = 300, 1200
    W = np.random.default_rng(0).standard_normal((n_out, n_in)) * math.sqrt(2 / n_in)
    fan_in = W.var() * n_in
    right = math.isclose(
        fan_in, n_in * initializers.he_normal().variance(n_in, n_out), rel_tol=0.01
    )
    verdict = "holds" if right else "fails"
    return verdict, f"Var(w) · fan-in = {fan_in:.2f}", {"ch4-he-code": fan_in}


def C1() -> Verdict:
    """With all-zero weights only the last layer is ever updated."""
    X, y = blobs(np.random.default_rng(0), 41, distance=2)
    bump = activations.Activation(
        "bump",
        lambda Z, out: np.exp(-Z * Z, out=out),
        lambda Z, A, out: np.multiply(-2 * Z, A, out=out),
    )
    moved, first = {}, 0
    for phi in (*map(activations.get, ("sigmoid", "tanh", "relu")), bump):
        net = MLP((2, 3, 3, 1), phi, "zeros", rng=np.random.default_rng(0))
        for step in range(1, 101):
            net.theta -= 0.5 * net.gradient(X, y, "binary_cross_entropy")[1].dtheta
            if phi.name == "sigmoid" and not first and net.W[0].any():
                first = step
        moved[phi.name] = [bool(W.any()) for W in net.W]
    as_said = {name for name, each in moved.items() if each == [False, False, True]}
    if as_said == moved.keys():
        verdict = "holds"
    elif as_said == {"bump"}:
        verdict = "holds if φ(0) ≠ 0 and φ′(0) = 0"
    else:
        verdict = "fails: no activation does that"
    counts = ", ".join(f"{name} {sum(each)} of 3" for name, each in moved.items())
    measured = f"weight matrices moved after 100 steps: {counts}"
    return verdict, measured, {"ch4-zero-first": first}


def C2() -> Verdict:
    """'Xavier' is U[−1/√n, 1/√n], of variance 1/(3n)."""
    n = 256
    W = initializers.fan_in_uniform()(np.random.default_rng(0), (n, 4096))
    variance, xavier = n * W.var(), n * initializers.xavier_uniform().variance(n, n)
    right, same = abs(variance - 1 / 3) < 0.01, abs(variance - xavier) < 0.01
    verdict = "holds" if right and same else "holds if you drop the name" if right else "fails"
    measured = f"n Var(w) = {variance:.3f}; Xavier's is {xavier:.0f}"
    return verdict, measured, {"ch4-n-var": variance}


def C3() -> Verdict:
    """For independent W and x, Var(Wx) = Var(W) Var(x), and variances add."""
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((2, 400_000))
    centred = np.var(w * x) / (np.var(w) * np.var(x))
    shifted = np.var(w * (x + 1)) / (np.var(w) * np.var(x))
    holds = abs(centred - 1) < 0.03
    verdict = "holds" if holds and abs(shifted - 1) < 0.03 else "fails: also with mean 0"
    if holds and abs(shifted - 2) < 0.06:
        verdict = "holds if both means are 0: with mean 0 of w alone it is Var(w) E[x²]"
    measured = f"Var(wx) / Var(w)Var(x) = {centred:.2f}, and {shifted:.2f} with E[x] = 1"
    return verdict, measured, {"ch4-shifted": shifted}


def _sigmoid_network() -> tuple[Sequence[Floats], Sequence[Floats]]:
    """Z and A of 20 sigmoid networks from the fan-in uniform, on 16 examples."""
    rng = np.random.default_rng(0)
    net = MLP([256] * 11 + [1], "sigmoid", "fan_in_uniform", rng=rng, ensemble=20)
    signals = net.forward(_unit_inputs(rng, 16, 256))
    return signals.Z, signals.A


def C4() -> Verdict:
    """With Var(x) = 1 the uniform gives Var(z) = 1/3, so the data keep a constant variance."""
    tanh = np.median(_mean_squares([256] * 11 + [1], "tanh", "fan_in_uniform")[0], axis=1)
    Z = _sigmoid_network()[0]
    units = [np.mean(each**2) for each in Z[2:5]]
    inputs = [np.mean(np.var(each, axis=-2)) for each in Z[2:5]]
    a_third = abs(tanh[0] - 1 / 3) < 0.02
    kept = tanh[2] > 0.9 * tanh[0] or inputs[2] > 0.9 * inputs[1]
    verdict = "holds" if a_third and kept else "fails: only Var(z) of layer 1 is 1/3"
    measured = (
        f"tanh: Var(z) = {tanh[0]:.2f} in layer 1, {tanh[2]:.3f} in layer 3; sigmoid: constant "
        f"over units ({units[2]:.3f}), but over inputs it falls by {inputs[1] / inputs[2]:.0f} "
        "a layer"
    )
    return (
        verdict,
        measured,
        {
            "ch4-first-variance": tanh[0],
            "ch4-third-variance": tanh[2],
            "ch4-sigmoid-units": units[2],
            "ch4-sigmoid-inputs": inputs[1] / inputs[2],
        },
    )


def C5() -> Verdict:
    """It also keeps sigmoid from saturating."""
    A = _sigmoid_network()[1][:-1]
    share = layer_stats(A, activations.sigmoid).saturated.max()
    factor = theory.predict([256] * 11 + [1], "sigmoid", "fan_in_uniform").factor[4]
    verdict = "holds" if share < 0.01 else "fails: they saturate"
    measured = f"{share:.0%} saturated; but E[dz²] falls by {1 / factor:.0f} a layer"
    return verdict, measured, {"ch4-sigmoid-factor": 1 / factor}


def C6() -> Verdict:
    """A truncated normal draws again whatever lies beyond 2σ, because ±3σ is too wide."""
    W = initializers.truncated_normal(1.0)(np.random.default_rng(0), (1000, 1000))
    redrawn = np.mean(np.abs(np.random.default_rng(1).standard_normal(10**6)) > 2)
    cut, uncut = (
        np.median(_mean_squares([256] * 21 + [1], "tanh", init)[1][-2])
        for init in (
            initializers.variance_scaling(1, "fan_in", kind)
            for kind in ("truncated_normal", "normal")
        )
    )
    same = abs(cut / uncut - 1) < 0.15
    lost = abs(W.std() - initializers.truncated_std()) < 0.005 and W.std() < 0.9
    verdict = "holds if the lost variance is put back" if lost and same else "holds"
    measured = (
        f"std left {W.std():.3f} σ; put back, E[a²] after 20 tanh layers is {cut:.3f} with the cut "
        f"and {uncut:.3f} without"
    )
    return verdict, measured, {"ch4-std-left": W.std(), "ch4-redrawn": redrawn}


def C7() -> Verdict:
    """Start with small random numbers near, but not at, zero."""
    a2 = _mean_squares([256] * 11 + [1], "tanh", initializers.normal(0.01))[1]
    rms = np.median(np.sqrt(a2), axis=1)
    factor = rms[9] / rms[8]
    verdict = "holds" if factor > 0.9 else "holds if the network is shallow"
    measured = f"0.01 · N(0, 1), 256 inputs: rms × {factor:.2f} a layer"
    return verdict, measured, {"ch4-small-factor": factor}


def E11() -> Verdict:
    """Var(XY) = E[X]²Var(Y) + Var(X)E[Y]² + Var(X)Var(Y) for independent X and Y."""
    rng, n = np.random.default_rng(0), 1_000_000
    X, Y = rng.exponential(2, n), -1 + 3 * rng.random(n)
    squares = (X * Y - np.mean(X * Y)) ** 2
    measured, error, predicted = squares.mean(), squares.std() / math.sqrt(n), 7.0
    verdict = "holds" if abs(measured - predicted) < 3 * error else "fails: it is something else"
    text = f"predicted {predicted:.0f}, measured {measured:.2f} ± {error:.2f}"
    return verdict, text, {"ch4-product": measured, "ch4-product-error": error}


def E12() -> Verdict:
    """In the linear region tanh(z) ≈ z, hence Var(a) ≈ Var(z)."""
    small, large = (
        q / float(theory.expectation(lambda z: np.tanh(z) ** 2, math.sqrt(q))) - 1
        for q in (0.01, 1.0)
    )
    verdict = "holds" if large < 0.03 else "holds if Var(z) is small"
    if small > 0.03:
        verdict = "fails: not even where Var(z) is small"
    measured = f"Var(z) / Var(a) − 1 = {small:.0%} at 0.01, {large:.0%} at 1"
    return verdict, measured, {"ch4-excess-small": small, "ch4-excess-one": large}


UNEVEN = (300, 200, 400, 100, 200)


def E13() -> Verdict:
    """n_{l−1} Var(W) = 1 forward; from layer to layer these factors multiply."""
    product = theory.predict(UNEVEN, "identity", "xavier_uniform").var_z[-1]
    linear, tanh = (
        _mean_squares(UNEVEN, name, "xavier_uniform")[0][-1].mean() / product
        for name in ("identity", "tanh")
    )
    holds, bent = abs(linear - 1) < 0.05, abs(tanh - 1) > 0.2
    verdict = "holds if the network is linear" if holds and bent else "holds"
    if not holds:
        verdict = "fails: not even in a linear network"
    measured = f"measured / product: {linear:.2f} linear, {tanh:.2f} tanh"
    return verdict, measured, {"ch4-forward-tanh": tanh}


def E14() -> Verdict:
    """Backward n_l Var(W) = 1; both together Var(W) = 2 / (n_{l−1} + n_l)."""
    sizes = (800, 400, 200, 100, 50)
    predicted = theory.predict(sizes, "identity", "xavier_normal").backward[0]
    init = initializers.variance_scaling(1, "fan_avg")
    measured = _mean_squares(sizes, "identity", init)[2][0].mean()
    verdict = "holds" if abs(measured / predicted - 1) < 0.1 else "fails: theory and nets differ"
    text = f"E[dz²], first layer over last: predicted {predicted:.2f}, measured {measured:.2f}"
    return verdict, text, {"ch4-first-back-theory": predicted, "ch4-first-back": measured}


def E17() -> Verdict:
    """The paper is by Glorot, at ICML in 2016."""
    at_icml = "Machine Learning" in PAPER["booktitle"]
    right = PAPER["year"] == "2016" and at_icml and " and " not in PAPER["author"]
    verdict = "holds" if right else "fails: AISTATS 2010, by Glorot and Bengio"
    return verdict, f"{PAPER['author']}, {PAPER['year']}, pages {PAPER['pages'].replace('--', '–')}"


if __name__ == "__main__":
    import time

    for name, check in list(globals().items()):
        if re.fullmatch(r"[BCE]\d+", name):
            start = time.perf_counter()
            print(name, check(), f"{time.perf_counter() - start:.1f} s")
