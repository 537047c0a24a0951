"""Claims of chapter 2, judged by short checks: each returns (verdict, measured, numbers).

Where the chapter shows a number, too, both come from one setting and the same seeds.
"""

from functools import cache
from typing import Any

import numpy as np

from nnlab.activations import Activation, gelu, sigmoid
from nnlab.checks import Floats
from nnlab.datasets import blobs, xor
from nnlab.diagnostics import gradient_check, twins
from nnlab.initializers import Inits, constant, normal
from nnlab.ledger.verdict import Verdict
from nnlab.losses import binary_cross_entropy
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.training import Snapshots, evaluate, fit

Data = tuple[Floats, np.ndarray]

BCE = "binary_cross_entropy"
FLOOR = 0.75 * (np.log(3) / 3 + 2 * np.log(1.5) / 3)  # the best that one monotone unit can do
LEVELS = np.array([0, np.log(2) / 2, FLOOR, np.log(2)])
SHIFTED = Activation(
    "shifted GELU",
    lambda Z, out: gelu(Z + 1, out),
    lambda Z, A, out: gelu.derivative(Z + 1, out=out),
)


def _xor40() -> tuple[Floats, np.ndarray]:
    """Forty points around the corners of a square; no line separates the classes."""
    corners, y = xor(centred=True)
    noise = np.random.default_rng(2).standard_normal((40, 2))
    return np.tile(corners, (10, 1)) + 0.3 * noise, np.tile(y, 10)


def _net(
    init: Inits,
    bias_init: Inits = "zeros",
    sizes: tuple[int, ...] = (2, 2, 1),
    phi: str | Activation = "sigmoid",
    ensemble: int | tuple[int, ...] = (),
) -> MLP:
    rng = np.random.default_rng(0)
    return MLP(sizes, phi, init, bias_init=bias_init, rng=rng, ensemble=ensemble)


def _path(net: MLP, steps: int, data: Data | None = None, lr: float = 0.5) -> Floats:
    """Train on batches of five (never balanced); return the parameters after every step."""
    X, y = data or _xor40()
    kept, rng = Snapshots(range(steps + 1)), np.random.default_rng(0)
    epochs = -(-steps // 8)
    fit(net, X, y, BCE, SGD(lr), epochs=epochs, batch_size=5, rng=rng, callbacks=[kept])
    return np.array(kept.theta)


@cache
def _last_losses(
    weights: float,
    biases: float = 0.0,
    phi: str = "sigmoid",
    starts: int | tuple[int, ...] = 1000,
) -> Floats:
    """The last losses of random starts on XOR, full batch; the first two arguments are scales."""
    X, y = xor()
    init, bias_init = (normal(each) if each else "zeros" for each in (weights, biases))
    net = _net(init, bias_init, phi=phi, ensemble=starts)
    fit(net, X, y, BCE, SGD({"sigmoid": 2.0}.get(phi, 1.0)), epochs=3000)
    return evaluate(net, X, y, BCE)[0]


def _solved(*case: Any, **kwargs: Any) -> float:
    """The share of random starts that solve XOR."""
    return float((_last_losses(*case, **kwargs) < 0.1).mean())


def _four_twins(
    task: Data, phi: str | Activation, init: Inits, lr: float = 0.3
) -> tuple[float, int]:
    """Train four units that start equal; return the share they get right, and the groups."""
    net = _net(init, sizes=(2, 4, 1), phi=phi)
    _path(net, 4000, task, lr)
    X, y = task
    return float(binary_cross_entropy.accuracy(net(X), y)), len(twins(net, 0))


def _pair(theta: Floats) -> bool:
    """Say whether the two units of 2-2-1 networks are equal to the last bit."""
    return bool((theta[..., 0:8:2] == theta[..., 1:8:2]).all())


def A5() -> Verdict:
    """The 2-2-1 sigmoid network has three forward equations and twelve derivatives."""
    X, y = _xor40()
    net = _net(normal(), normal())
    _, signals = net.gradient(X[:1], y[:1], BCE)
    (a1, a2), (v1, v2), x = signals.A[0][0], net.W[1][:, 0], X[0]
    e = sigmoid(signals.logits)[0, 0] - y[0]
    d1, d2 = e * v1 * a1 * (1 - a1), e * v2 * a2 * (1 - a2)
    hand = [d1 * x[0], d2 * x[0], d1 * x[1], d2 * x[1], d1, d2, e * a1, e * a2, e]
    exact = np.abs(signals.dtheta - hand).max() < 1e-14
    numeric = gradient_check(net, X[:1], y[:1], BCE).max() < 1e-6
    measured = (
        f"formulas and engine {'agree' if exact else 'differ'} to 1e-14, "
        f"finite differences {'too' if numeric else 'do not'}, to 1e-6"
    )
    return "holds" if exact and numeric else "fails", measured


def A6() -> Verdict:
    """From zero the first batch moves only the outgoing weights, equally, and the output bias."""
    t = _path(_net("zeros"), 1)
    first = not t[1][:6].any() and t[1][6] == t[1][7] != 0 and t[1][8] != 0
    X, y = xor()
    net = _net("zeros")
    fit(net, X, y, BCE, SGD(2.0), epochs=1000)
    still = not net.theta.any()
    verdict = "holds if the first batch is not balanced" if first and still else "fails"
    return verdict, (
        f"{np.count_nonzero(t[1])} of 9 parameters move on 5 points, "
        f"{np.count_nonzero(net.theta)} on a balanced batch, in 1,000 steps"
    )


def A7() -> Verdict:
    """From zero the second batch moves the hidden weights in equal pairs."""
    t = _path(_net("zeros"), 2)
    holds = _pair(t[2]) and (t[2] != t[1]).all()
    verdict = "holds if the first batch is not balanced" if holds else "fails"
    equal = "bitwise equal" if _pair(t[2]) else "unequal"
    return verdict, f"{np.count_nonzero(t[2] != t[1])} of 9 move, in {equal} pairs"


def A8() -> Verdict:
    """From zero the units of a hidden layer stay identical for ever."""
    t = _path(_net("zeros"), 6000)[::8]
    equal = _pair(t)
    measured = (
        f"{'bitwise equal' if equal else 'unequal'} at each of {len(t)} moments of 6,000 steps; "
        "proved for exact arithmetic"
    )
    return "holds" if equal else "fails", measured, {"ch2-looks": len(t)}


def A9() -> Verdict:
    """With zero weights and random biases the first batch moves only the last layer."""
    t = _path(_net("zeros", normal()), 1)
    moved = (t[1] != t[0]).tolist()
    holds = moved == [False] * 6 + [True] * 3
    return "holds" if holds else "fails", f"{sum(moved)} of 9 parameters move"


def A10() -> Verdict:
    """With zero weights and random biases everything moves from the second batch on."""
    t = _path(_net("zeros", normal()), 2)
    moved = int((t[2] != t[1]).sum())
    share, other = _solved(0.0, 1.0), _solved(1.0)
    verdict = "holds" if moved == 9 else "fails"
    measured = (
        f"{moved} of 9 move; {share:.0%} of 1,000 starts solve XOR in 3,000 steps, "
        f"{other:.0%} with random weights and zero biases"
    )
    return verdict, measured, {"ch2-solved-biases": share, "ch2-solved-sigmoid": other}


def A11() -> Verdict:
    """With random weights and zero biases everything moves from the first step."""
    t = _path(_net(normal()), 1)
    moved, share = int((t[1] != t[0]).sum()), _solved(1.0)
    measured = f"{moved} of 9 move; {share:.0%} of 1,000 starts solve XOR in 3,000 steps"
    return "holds" if moved == 9 else "fails", measured, {"ch2-solved-sigmoid": share}


def B1() -> Verdict:
    """If all weights are equal, every unit of the next layer gets the same signal."""
    X, _ = _xor40()
    gaps = []
    for value in (0.0, 1.0):
        Z = _net(constant(value), sizes=(2, 4, 4, 1), phi="tanh").forward(X).Z
        sums = np.abs(Z[0] - value * X.sum(axis=1, keepdims=True)).max()
        gaps.append(max(sums, *(np.ptp(each, axis=1).max() for each in Z[:2])))
    holds = max(gaps) < 1e-14
    return "holds" if holds else "fails", (
        f"signals of 4 units in 2 layers {'agree' if holds else 'differ'}, and in layer 1 "
        "they are the sum of the inputs (nothing for zeros)"
    )


def B2() -> Verdict:
    """The symmetry hits every architecture in which every unit connects to every unit."""
    kinds = []
    for depth in (1, 2, 3):
        for width in (2, 4, 8):
            net = _net(constant(0.5), sizes=(2, *[width] * depth, 1), phi="tanh")
            _path(net, 200)
            kinds += [len(twins(net, layer)) for layer in range(depth)]
    return "holds" if max(kinds) == 1 else "fails", (
        f"9 shapes, 1 to 3 layers of 2 to 8 units: {max(kinds)} kind of unit in each layer"
    )


def B3() -> Verdict:
    """Breaking the symmetry is essential, not a matter of speed."""
    net, (X, y) = _net(constant(0.5)), xor()
    fit(net, X, y, BCE, SGD(2.0), epochs=8000)
    loss, random = float(evaluate(net, X, y, BCE)[0]), float(np.median(_last_losses(1.0)))
    easy, _ = _four_twins(blobs(np.random.default_rng(0), 40, distance=6), "sigmoid", "zeros")
    holds = loss > FLOOR > random and easy > 0.95
    measured = (
        f"XOR, monotone activation: {loss:.3f} after 8,000 steps, floor {FLOOR:.4f}, random starts "
        f"{random:.2g} (median); separable data: {easy:.0%} right"
    )
    numbers = {"ch2-floor": FLOOR, "ch2-low": random, "ch2-blobs": easy}
    return "holds if one unit is not enough" if holds else "fails", measured, numbers


def B4() -> Verdict:
    """The same start walks to the same place; different starts reach different minima."""
    X, y = xor()
    net = _net(normal(), ensemble=1000)
    history = fit(net, X, y, BCE, SGD(2.0), epochs=6000)
    after = history.loss[3000]
    same = bool((after == _last_losses(1.0)).all())
    failed = after > 0.1
    falling = (history.loss[-1] < after)[failed].mean()
    escaped = int((history.loss[-1] < 0.1)[failed].sum())
    reached = len(np.unique(np.abs(after[:, None] - LEVELS).argmin(axis=1)))
    holds = same and reached > 1 and falling > 0.99
    measured = (
        f"1,000 starts, twice: {'bitwise equal' if same else 'unequal'}, near {reached} levels of "
        f"the loss; of the {failed.sum()} that failed {falling:.0%} still fall in the next 3,000 "
        f"steps, and {escaped} escape: no minima"
    )
    numbers = {
        "ch2-levels": reached,
        "ch2-failed": int(failed.sum()),
        "ch2-escaped": escaped,
    }
    return "holds if you say levels, not minima" if holds else "fails", measured, numbers


def B5() -> Verdict:
    """Training is greedy and finds the nearest local solution; so do k-means and EM."""
    X, y = xor()
    ends, rises, nearest = {}, {}, {}
    for lr in (1.0, 2.0, 8.0):
        net = _net(normal(), ensemble=400)
        start = net.theta.copy()
        history = fit(net, X, y, BCE, SGD(lr), epochs=3000)
        distance = np.linalg.norm(start[:, None] - net.theta, axis=-1)
        loss = evaluate(net, X, y, BCE)[0]
        ends[lr] = np.abs(loss[:, None] - LEVELS).argmin(axis=1)
        nearest[lr] = float((distance.argmin(axis=1) == np.arange(400)).mean())
        rises[lr] = (np.diff(history.loss, axis=0) > 1e-12).any(axis=0).mean()
    small, large = (float((ends[lr] == ends[1.0]).mean()) for lr in (2.0, 8.0))
    greedy = rises[1.0] == rises[2.0] == 0 < rises[8.0]
    best, kinds = _kmeans()
    verdict = "fails"
    if greedy and nearest[2.0] < 0.5 and small > 0.8 > large:
        verdict = "holds if nearest means downhill, in small steps"
    measured = (
        f"400 networks: the loss ever rises in {rises[2.0]:.0%} at a rate of 2, in "
        f"{rises[8.0]:.0%} at 8; the end is the nearest of all ends in {nearest[2.0]:.0%}; same "
        f"level as at a rate of 1: {small:.0%} at 2, {large:.0%} at 8; k-means finds its best "
        f"result from {best:.0%} of 200 starts"
    )
    numbers = {"ch2-same-small": small, "ch2-same-large": large, "ch2-nearest": nearest[2.0]}
    return verdict, measured, numbers | {"ch2-kmeans": best, "ch2-kmeans-kinds": kinds}


def _kmeans() -> tuple[float, int]:
    rng = np.random.default_rng(0)
    heaps = 4.0 * np.indices((3, 3)).reshape(2, 9).T
    points = np.repeat(heaps, 12, axis=0) + 0.4 * rng.standard_normal((108, 2))
    rng = np.random.default_rng(0)
    centres = np.array([rng.choice(points, 9, replace=False) for _ in range(200)])
    for _ in range(40):
        distance = np.square(points[:, None] - centres[:, None]).sum(axis=-1)
        mine = distance.argmin(axis=-1)[..., None] == np.arange(9)
        count = mine.sum(axis=1)[..., None]
        means = mine.swapaxes(1, 2).astype(float) @ points / np.maximum(count, 1)
        centres = np.where(count > 0, means, centres)
    loss = distance.min(axis=-1).mean(axis=-1)
    return float((loss < 1.01 * loss.min()).mean()), len(np.unique(loss.round(2)))


def B9() -> Verdict:
    """The update is W_new = W_old + D_loss."""
    X, y = xor()
    net, lr = _net(normal()), 1e-3
    loss, signals = net.gradient(X, y, BCE)
    g, ratios = signals.dtheta, []
    for sign in (1, -1):
        change = evaluate(net.with_theta(net.theta + sign * lr * g), X, y, BCE)[0] - loss
        ratios.append(change / (lr * g @ g))
    verdict = "fails: the sign is wrong" if ratios[0] > 0 > ratios[1] else "holds"
    return verdict, (
        f"adding changes the loss by {ratios[0]:+.2f} η‖∇L‖², subtracting by {ratios[1]:+.2f}"
    )


def B10() -> Verdict:
    """If all weights are equal, they are all equal after the next step, too."""
    net = _net(constant(0.5))
    after = net.with_theta(_path(net, 1)[1])
    units = bool((after.W[0][:, 0] == after.W[0][:, 1]).all())
    inputs = bool((after.W[0][0] == after.W[0][1]).all())
    layers = bool((after.W[0] == after.W[1][0, 0]).all())
    verdict = "fails"
    if units:
        verdict = "holds if you compare units only"
        verdict = "holds" if inputs and layers else verdict
    words = {True: "equal", False: "unequal"}
    return verdict, (
        f"after one step: {words[units]} across units, {words[inputs]} across inputs, "
        f"{words[layers]} across layers"
    )


def B11() -> Verdict:
    """With zero weights the net is worth one neuron and predicts no better than chance."""
    tasks = {"blobs": blobs(np.random.default_rng(0), 40, distance=6), "XOR": _xor40()}
    share, kinds = {}, set()
    for phi in ("sigmoid", "tanh", "relu"):
        for name, task in tasks.items():
            share[phi, name], groups = _four_twins(task, phi, "zeros")
            kinds.add(groups)
    stuck = all(share[phi, name] == 0.5 for phi in ("tanh", "relu") for name in tasks)
    holds = kinds == {1} and stuck and share["sigmoid", "blobs"] > 0.9
    measured = (
        f"balanced classes; sigmoid: {share['sigmoid', 'blobs']:.0%} of separable and "
        f"{share['sigmoid', 'XOR']:.0%} of XOR data; tanh, ReLU: {share['tanh', 'XOR']:.0%}"
    )
    numbers = {
        "ch2-blobs": share["sigmoid", "blobs"],
        "ch2-noisy": share["sigmoid", "XOR"],
        "ch2-stuck": share["tanh", "XOR"],
    }
    return "holds if φ(0) = 0" if holds else "fails", measured, numbers


def B12() -> Verdict:
    """Setting all weights to something near zero, such as 0.1, breaks the symmetry."""
    kinds = []
    for init in (constant(0.1), normal(0.1)):
        net = _net(init, phi="tanh")
        _path(net, 2000)
        kinds.append(len(twins(net, 0)))
    verdict = "holds if the values differ" if kinds == [1, 2] else "fails"
    measured = (
        f"different units after 2,000 batches: {kinds[0]} from a constant, {kinds[1]} from random"
    )
    return verdict, measured, {"ch2-kinds": kinds[0], "ch2-kinds-random": kinds[1]}


def B13() -> Verdict:
    """Running from many random starts makes finding the global optimum most likely."""
    k, groups = {}, {}
    for phi in ("sigmoid", "tanh", "relu"):
        won = _last_losses(1.0, phi=phi) < 0.1
        k[phi] = int(np.ceil(np.log(1 - 0.99) / np.log(1 - won.mean())))
        groups[phi] = won[: 1000 // k[phi] * k[phi]].reshape(-1, k[phi]).any(axis=1).mean()
    net, (X, y) = _net(constant(0.5)), xor()
    fit(net, X, y, BCE, SGD(2.0), epochs=3000)
    never = evaluate(net, X, y, BCE)[0] > 0.1
    holds = min(groups.values()) > 0.95 and never
    measured = (
        f"starts for 99 %: sigmoid {k['sigmoid']}, tanh {k['tanh']}, ReLU {k['relu']}; of groups "
        f"of so many {groups['sigmoid']:.0%}, {groups['tanh']:.0%} and {groups['relu']:.0%} solve "
        f"XOR; a symmetric start {'does not' if never else 'does'}"
    )
    numbers = {f"ch2-restarts-{phi}": each for phi, each in k.items()}
    return "holds if one start can succeed" if holds else "fails", measured, numbers


def B15() -> Verdict:
    """With zero outgoing weights the hidden layer gets no signal, so no weight ever changes."""
    moved = {}
    for phi in ("tanh", "relu", "sigmoid"):
        t = _path(_net("zeros", phi=phi), 2000)
        moved[phi] = int((t != t[0]).any(axis=0)[[0, 1, 2, 3, 6, 7]].sum())
    verdict = "holds if φ(0) = 0, or if the batch is balanced"
    X, y = xor()
    net = _net("zeros")
    fit(net, X, y, BCE, SGD(2.0), epochs=1000)
    if moved != {"tanh": 0, "relu": 0, "sigmoid": 6} or net.theta.any():
        verdict = "fails"
    return verdict, (
        f"all weights zero; weights that ever move, of 6: tanh {moved['tanh']}, ReLU "
        f"{moved['relu']}, sigmoid {moved['sigmoid']}; the gradient of the outgoing weights needs "
        "the hidden activations, not the outputs"
    )


def B16() -> Verdict:
    """From zero weights all rows of dW are equal: one unit, no stronger than a line."""
    share, kinds = {}, set()
    for phi in ("sigmoid", "tanh", SHIFTED):
        init = constant(0.5) if phi == "tanh" else "zeros"  # tanh never leaves zero
        share[phi], groups = _four_twins(_xor40(), phi, init)
        kinds.add(groups)
    holds = kinds == {1} and max(share["sigmoid"], share["tanh"]) < 0.85 < 0.9 < share[SHIFTED]
    measured = (
        f"4 twins on noisy XOR: sigmoid from zero {share['sigmoid']:.0%}, tanh from ½ "
        f"{share['tanh']:.0%}; from zero with GELU(z + 1), which is not monotone, "
        f"{share[SHIFTED]:.1%}"
    )
    return "holds if φ is monotone" if holds else "fails", measured, {"ch2-gelu": share[SHIFTED]}


def D1() -> Verdict:
    """With a zero first layer both units agree, dW has equal rows, and so on for ever."""
    net = _net(["zeros", normal()])
    apart = _path(net, 2)[2]
    equal = _pair(_path(_net(["zeros", constant(0.5)]), 2000))
    gap = np.abs(apart[0:4:2] - apart[1:4:2]).max()
    verdict = "holds if the outgoing weights are equal too" if equal and gap > 0 else "fails"
    return verdict, (
        f"equal outgoing weights: {'bitwise equal' if equal else 'unequal'} for 2,000 batches; "
        f"unequal ones: {gap:.2g} apart after 2"
    )


def D2() -> Verdict:
    """Biases of zero cause no symmetry problem."""
    zero, random = _solved(1.0), _solved(1.0, 1.0)
    measured = (
        f"{zero:.0%} of 1,000 starts solve XOR with zero biases, {random:.0%} with random ones"
    )
    verdict = "holds if the weights are random" if zero > random - 0.1 else "fails"
    return verdict, measured, {"ch2-solved-sigmoid": zero, "ch2-solved-both": random}


def D3() -> Verdict:
    """With any number of hidden units and inputs the conclusion is the same: one would do."""
    X, y = _xor40()
    gaps, n, lr = [], 8, 0.1
    for rates in ([lr / n] * 3 + [n * lr, lr], [lr] * 5):
        layer = _net(constant(0.3), sizes=(2, n, 1), phi="tanh")
        unit = _net([constant(0.3), constant(0.3 * n)], sizes=(2, 1, 1), phi="tanh")
        for net, each in ((layer, lr), (unit, np.array(rates))):
            fit(net, X, y, BCE, SGD(each), epochs=1000)
        gaps.append(np.abs(layer(X) - unit(X)).max())
    holds = gaps[0] < 1e-9 < gaps[1]
    return "holds" if holds else "fails", (
        f"8 twins and one unit with rates η/n, nη, η: logits {'agree' if holds else 'differ'} "
        f"to 1e-9 after 1,000 steps; with one rate they differ by {gaps[1]:.1g}"
    )


def D4() -> Verdict:
    """W1 = np.random.randn((2,2)) * 0.01 and the like for W2, with b = 0."""
    try:
        np.random.RandomState(0).randn((2, 2))  # type: ignore[call-overload]  # as claimed
        error = "runs"
    except TypeError:
        error = "raises a TypeError"
    small, one = _solved(0.01, starts=(10, 20)), _solved(1.0)
    net = _net(normal(0.01))
    _path(net, 1000)
    parted = len(twins(net, 0)) == 2
    verdict = "fails: it raises a TypeError"
    if error == "runs" or not parted or small > 0.1:
        verdict = "holds"
    measured = (
        f"as written it {error}; randn(2, 2) · 0.01 solves XOR from {small:.0%} of 200 starts in "
        f"3,000 steps, randn(2, 2) from {one:.0%} of 1,000"
    )
    return verdict, measured, {"ch2-tiny": small, "ch2-solved-sigmoid": one}
