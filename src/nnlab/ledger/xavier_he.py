"""The claims judged in chapter 4, each as one short check."""

import math
import re

import numpy as np

from nnlab import activations, initializers, theory
from nnlab.datasets import blobs
from nnlab.diagnostics import layer_stats
from nnlab.network import MLP

# What the book's bibliography says of the paper; a test compares them.
PAPER = {
    "author": "Glorot, Xavier and Bengio, Yoshua",
    "booktitle": "Proceedings of the Thirteenth International Conference on Artificial "
    "Intelligence and Statistics",
    "pages": "249--256",
    "year": "2010",
}


def B14():
    """He initialisation is randn(n_l, n_{l-1}) · sqrt(2 / n_{l-1})."""
    n_out, n_in = 300, 1200
    W = np.random.default_rng(0).standard_normal((n_out, n_in)) * math.sqrt(2 / n_in)
    fan_in = W.var() * n_in
    right = math.isclose(
        fan_in, n_in * initializers.he_normal().variance(n_in, n_out), rel_tol=0.01
    )
    verdict = "holds" if right else "fails"
    return verdict, f"Var(w) · fan-in = {fan_in:.2f}"


def C1():
    """With all-zero weights only the last layer is ever updated."""
    X, y = blobs(np.random.default_rng(0), 41, distance=2)
    moved = {}
    for name in ("sigmoid", "tanh", "relu"):
        net = MLP((2, 3, 3, 1), name, "zeros", rng=np.random.default_rng(0))
        for _ in range(100):
            net.theta -= 0.5 * net.gradient(X, y, "binary_cross_entropy")[1].dtheta
        moved[name] = [bool(W.any()) for W in net.W]
    as_said = [False, False, True]
    wrong = all(each != as_said for each in moved.values())
    verdict = "fails: sigmoid moves every layer, tanh and ReLU none" if wrong else "holds"
    counts = ", ".join(f"{name} {sum(each)} of 3" for name, each in moved.items())
    return verdict, f"weight matrices moved after 100 steps: {counts}"


def C2():
    """'Xavier' is U[−1/√n, 1/√n], of variance 1/(3n)."""
    n = 256
    W = initializers.fan_in_uniform()(np.random.default_rng(0), (n, 2000))
    variance, xavier = n * W.var(), n * initializers.xavier_uniform().variance(n, n)
    right, same = abs(variance - 1 / 3) < 0.01, abs(variance - xavier) < 0.01
    verdict = "holds" if right and same else "holds if you drop the name" if right else "fails"
    return verdict, f"n Var(w) = {variance:.3f}; Xavier's is {xavier:.0f}"


def C3():
    """For independent W and x, Var(Wx) = Var(W) Var(x), and variances add."""
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((2, 400_000))
    centred = np.var(w * x) / (np.var(w) * np.var(x))
    shifted = np.var(w * (x + 1)) / (np.var(w) * np.var(x))
    holds = abs(centred - 1) < 0.03
    verdict = "holds" if holds and abs(shifted - 1) < 0.03 else "fails"
    if holds and abs(shifted - 2) < 0.06:
        verdict = "holds if both means are 0: else Var(w) E[x²]"
    return verdict, f"Var(wx) / Var(w)Var(x) = {centred:.2f}, and {shifted:.2f} with E[x] = 1"


def _tanh_variances(init, depth=6, width=256, seeds=5):
    rng = np.random.default_rng(0)
    net = MLP([width] * (depth + 1), "tanh", init, rng=rng, ensemble=seeds)
    X = rng.standard_normal((16, width))
    X /= np.sqrt(np.mean(X**2, axis=1, keepdims=True))
    return np.mean(layer_stats(net.forward(X).Z).rms ** 2, axis=1)


def C4():
    """With Var(x) = 1 the uniform gives Var(z) = 1/3, so the variance stays constant."""
    z2 = _tanh_variances("fan_in_uniform")
    first, constant = abs(z2[0] - 1 / 3) < 0.02, z2[-1] > 0.5 * z2[0]
    verdict = "holds" if first and constant else "fails: only the first layer has 1/3"
    return (
        verdict,
        f"Var(z) = {z2[0]:.2f} in layer 1, {z2[2]:.3f} in layer 3, {z2[5]:.1g} in layer 6",
    )


def C5():
    """It also keeps sigmoid from saturating."""
    rng = np.random.default_rng(0)
    net = MLP([256] * 11, "sigmoid", "fan_in_uniform", rng=rng)
    A = net.forward(rng.standard_normal((16, 256))).A[:-1]
    share = layer_stats(A, activations.sigmoid).saturated.max()
    factor = theory.predict(net.sizes, "sigmoid", "fan_in_uniform").factor[4]
    verdict = "holds" if share < 0.01 else "fails"
    return verdict, f"{share:.0%} saturated; but E[dz²] falls by {1 / factor:.0f} a layer"


def C6():
    """A truncated normal draws again whatever lies beyond 2σ, because ±3σ is too wide."""
    rng = np.random.default_rng(0)
    W = initializers.truncated_normal(1.0)(rng, (500, 500))
    ends = [
        _tanh_variances(initializers.variance_scaling(1, "fan_in", kind))[-1]
        for kind in ("truncated_normal", "normal")
    ]
    same = abs(ends[0] / ends[1] - 1) < 0.1
    lost = abs(W.std() - initializers.truncated_std()) < 0.005 and W.std() < 0.9
    verdict = "holds if the lost variance is put back" if lost and same else "holds"
    return verdict, f"std left {W.std():.3f} σ; put back, the cut changes nothing: {same}"


def C7():
    """Start with small random numbers near, but not at, zero."""
    z2 = _tanh_variances(initializers.normal(0.01))
    factor = math.sqrt(z2[-1] / z2[-2])
    verdict = "holds" if factor > 0.9 else "holds if the network is shallow"
    return verdict, f"0.01 · N(0, 1), 256 inputs: rms × {factor:.2f} a layer"


def E11():
    """Var(XY) = E[X]²Var(Y) + Var(X)E[Y]² + Var(X)Var(Y) for independent X and Y."""
    rng, n = np.random.default_rng(0), 500_000
    X, Y = rng.exponential(2, n), -1 + 3 * rng.random(n)
    squares = (X * Y - np.mean(X * Y)) ** 2
    measured, error, predicted = squares.mean(), squares.std() / math.sqrt(n), 7.0
    verdict = "holds" if abs(measured - predicted) < 4 * error else "fails"
    return verdict, f"predicted {predicted:.0f}, measured {measured:.2f} ± {error:.2f}"


def E12():
    """In the linear region tanh(z) ≈ z, hence Var(a) ≈ Var(z)."""
    excess = {
        q: q / float(theory.expectation(lambda z: np.tanh(z) ** 2, math.sqrt(q))) - 1
        for q in (0.01, 1.0)
    }
    small, large = excess[0.01] < 0.03, excess[1.0] > 0.5
    verdict = "holds if Var(z) is small" if small and large else "holds" if small else "fails"
    return verdict, f"Var(z) / Var(a) − 1 = {excess[0.01]:.0%} at 0.01, {excess[1.0]:.0%} at 1"


def E13():
    """n_{l−1} Var(W) = 1 forward; over L layers the variance is the product of these factors."""
    sizes, ratio = (300, 200, 400, 100, 200), {}
    linear = theory.predict(sizes, "identity", "xavier_uniform").var_z[-1]
    for name in ("identity", "tanh"):
        rng = np.random.default_rng(0)
        net = MLP(sizes, name, "xavier_uniform", rng=rng, ensemble=20)
        X = rng.standard_normal((16, 300))
        X /= np.sqrt(np.mean(X**2, axis=1, keepdims=True))
        ratio[name] = np.mean(net(X) ** 2) / linear
    holds = abs(ratio["identity"] - 1) < 0.05
    bent = abs(ratio["tanh"] - 1) > 0.2
    verdict = "holds if the network is linear" if holds and bent else "holds" if holds else "fails"
    return verdict, f"measured / product: {ratio['identity']:.2f} linear, {ratio['tanh']:.2f} tanh"


def E14():
    """Backward n_l Var(W) = 1; both together Var(W) = 2 / (n_{l−1} + n_l)."""
    sizes, rng = (300, 200, 400, 100, 200), np.random.default_rng(0)
    net = MLP(sizes, "identity", "xavier_uniform", rng=rng, ensemble=20)
    signals = net.forward(rng.standard_normal((16, 300)))
    net.backward(signals, rng.standard_normal(signals.logits.shape))
    dz2 = np.mean(layer_stats(signals.dZ).rms ** 2, axis=1)
    predicted = theory.predict(sizes, "identity", "xavier_uniform").backward[0]
    measured = dz2[0] / dz2[-1]
    verdict = "holds" if abs(measured / predicted - 1) < 0.1 else "fails"
    return verdict, f"E[dz²] over three layers: predicted {predicted:.2f}, measured {measured:.2f}"


def E17():
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
