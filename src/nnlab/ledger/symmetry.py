"""Claims of chapter 2, judged by short checks: each returns (verdict, measured)."""

import numpy as np

from nnlab.activations import sigmoid
from nnlab.datasets import blobs, xor
from nnlab.diagnostics import gradient_check, twins
from nnlab.initializers import constant, normal
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.training import Snapshots, evaluate, fit

BCE = "binary_cross_entropy"
FLOOR = 0.75 * (np.log(3) / 3 + 2 * np.log(1.5) / 3)  # the best that one monotone unit can do


def _xor40():
    """Forty points around the corners of a square; no line separates the classes."""
    corners, y = xor(centred=True)
    noise = np.random.default_rng(2).standard_normal((40, 2))
    return np.tile(corners, (10, 1)) + 0.3 * noise, np.tile(y, 10)


def _net(init, bias_init="zeros", sizes=(2, 2, 1), phi="sigmoid", ensemble=()):
    rng = np.random.default_rng(0)
    return MLP(sizes, phi, init, bias_init=bias_init, rng=rng, ensemble=ensemble)


def _path(net, steps, data=None, lr=0.5):
    """Train on batches of five (never balanced); return the parameters after every step."""
    X, y = data or _xor40()
    kept, rng = Snapshots(range(steps + 1)), np.random.default_rng(0)
    epochs = -(-steps // 8)
    fit(net, X, y, BCE, SGD(lr), epochs=epochs, batch_size=5, rng=rng, callbacks=[kept])
    return np.array(kept.theta)


def _solved(init, bias_init="zeros", width=2, phi="sigmoid", starts=200, steps=3000):
    """Return whether each random start solves XOR, full batch, and the last losses."""
    X, y = xor()
    net = _net(init, bias_init, (2, width, 1), phi, starts)
    fit(net, X, y, BCE, SGD({"sigmoid": 2.0}.get(phi, 1.0)), epochs=steps)
    loss = evaluate(net, X, y, BCE)[0]
    return loss < 0.1, loss


def _pair(theta):
    """Say whether the two units of 2-2-1 networks are equal to the last bit."""
    return bool((theta[..., 0:8:2] == theta[..., 1:8:2]).all())


def A5():
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


def A6():
    """From W = 0, b = 0 the first batch moves only w13 and w23, equally, and b3."""
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


def A7():
    """From W = 0, b = 0 the second batch moves the hidden weights in equal pairs."""
    t = _path(_net("zeros"), 2)
    holds = _pair(t[2]) and (t[2] != t[1]).all()
    verdict = "holds if the first batch is not balanced" if holds else "fails"
    equal = "bitwise equal" if _pair(t[2]) else "unequal"
    return verdict, f"{np.count_nonzero(t[2] != t[1])} of 9 move, in {equal} pairs"


def A8():
    """From W = 0, b = 0 the units of a hidden layer stay identical for ever."""
    t = _path(_net("zeros"), 5000)
    equal = _pair(t)
    return "holds" if equal else "fails", (
        f"{'bitwise equal' if equal else 'unequal'} at each of {len(t) - 1:,} steps; proved"
    )


def A9():
    """With W = 0 and random b the first batch moves only w13, w23 and b3."""
    t = _path(_net("zeros", normal()), 1)
    moved = (t[1] != t[0]).tolist()
    holds = moved == [False] * 6 + [True] * 3
    return "holds" if holds else "fails", f"{sum(moved)} of 9 parameters move"


def A10():
    """With W = 0 and random b everything moves from the second batch on."""
    t = _path(_net("zeros", normal()), 2)
    moved = int((t[2] != t[1]).sum())
    share, other = (_solved(*case)[0].mean() for case in (("zeros", normal()), (normal(),)))
    verdict = "holds"
    if moved < 9 or share > other:
        verdict = "fails"
    return verdict, (
        f"{moved} of 9 move; {share:.0%} of 200 starts solve XOR, {other:.0%} with W random"
    )


def A11():
    """With W random and b = 0 everything moves from the first step."""
    t = _path(_net(normal()), 1)
    moved = int((t[1] != t[0]).sum())
    share = _solved(normal())[0].mean()
    return "holds" if moved == 9 else "fails", (
        f"{moved} of 9 move; {share:.0%} of 200 starts solve XOR"
    )


def B1():
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


def B2():
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


def B3():
    """Breaking the symmetry is essential, not a matter of speed."""
    _, loss = _solved(constant(0.5), starts=1, steps=8000)
    random = np.median(_solved(normal())[1])
    X, y = blobs(np.random.default_rng(0), 40, distance=6)
    net = _net(constant(0.5))
    _path(net, 1000, (X, y))
    easy = evaluate(net, X, y, BCE)[1]
    holds = loss[0] > FLOOR > random and easy > 0.95
    return "holds if one unit is not enough" if holds else "fails", (
        f"XOR: {loss[0]:.3f} after 8,000 steps, floor {FLOOR:.4f}, random starts {random:.3f} "
        f"(median); separable data: {easy:.0%} right"
    )


def B4():
    """The same start walks to the same place; different starts reach different minima."""
    final = [_solved(normal(), phi="relu")[1] for _ in range(2)]
    same = bool((final[0] == final[1]).all())
    levels = np.array([0, np.log(2) / 2, FLOOR, np.log(2)])
    distance = np.abs(final[0][:, None] - levels)
    reached = len(np.unique(distance.argmin(axis=1)))
    close = (distance.min(axis=1) < 0.05).mean()
    return "holds" if same and reached > 1 else "fails", (
        f"the same 200 starts end {'bitwise equal' if same else 'elsewhere'}; "
        f"{close:.0%} of them on one of {reached} levels"
    )


def B5():
    """Training is greedy and finds the nearest local solution; so do k-means and EM."""
    X, y = xor()
    ends = []
    for lr in (1.0, 2.0, 8.0):
        net = _net(normal(), ensemble=100)
        fit(net, X, y, BCE, SGD(lr), epochs=3000)
        ends.append(np.digitize(evaluate(net, X, y, BCE)[0], [0.17, 0.41, 0.58]))
    small, large = ((ends[0] == each).mean() for each in ends[1:])
    verdict = "holds if the steps are small" if small > 0.8 > large else "fails"
    return verdict, (
        f"same level as with a rate of 1: {small:.0%} with 2, {large:.0%} with 8; "
        f"k-means finds its best result from {_kmeans():.0%} of 200 starts"
    )


def _kmeans():
    rng = np.random.default_rng(0)
    heaps = 4.0 * np.stack(np.meshgrid([0, 1, 2], [0, 1, 2]), axis=-1).reshape(-1, 2)
    points = np.repeat(heaps, 12, axis=0) + 0.4 * rng.standard_normal((108, 2))
    centres = np.array([rng.choice(points, 9, replace=False) for _ in range(200)])
    for _ in range(30):
        distance = np.square(points[:, None] - centres[:, None]).sum(axis=-1)
        mine = (distance.argmin(axis=-1)[..., None] == np.arange(9)).astype(float)
        count = mine.sum(axis=1)[..., None]
        means = mine.swapaxes(1, 2) @ points / np.maximum(count, 1)
        centres = np.where(count > 0, means, centres)
    loss = distance.min(axis=-1).mean(axis=-1)
    return (loss < 1.01 * loss.min()).mean()


def B9():
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


def B10():
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


def B11():
    """With zero weights the net is worth one neuron and predicts no better than chance."""
    tasks = {"blobs": blobs(np.random.default_rng(0), 40, distance=6), "XOR": _xor40()}
    share, kinds = {}, []
    for phi in ("sigmoid", "tanh", "relu"):
        for task, data in tasks.items():
            net = _net("zeros", sizes=(2, 4, 1), phi=phi)
            _path(net, 2000, data)
            kinds.append(len(twins(net, 0)))
            share[phi, task] = evaluate(net, *data, BCE)[1]
    stuck = all(share[phi, task] == 0.5 for phi in ("tanh", "relu") for task in tasks)
    holds = max(kinds) == 1 and stuck and share["sigmoid", "blobs"] > 0.9
    verdict = "holds if φ(0) = 0" if holds else "fails"
    return verdict, (
        f"sigmoid: {share['sigmoid', 'blobs']:.0%} of separable and {share['sigmoid', 'XOR']:.0%} "
        f"of XOR data; tanh, ReLU: {share['tanh', 'XOR']:.0%}"
    )


def B12():
    """Setting all weights to something near zero, such as 0.1, breaks the symmetry."""
    kinds = []
    for init in (constant(0.1), normal(0.1)):
        net = _net(init, phi="tanh")
        _path(net, 2000)
        kinds.append(len(twins(net, 0)))
    verdict = "holds if the values differ" if kinds == [1, 2] else "fails"
    return verdict, (
        f"different units after 2,000 batches: {kinds[0]} from a constant, {kinds[1]} from random"
    )


def B13():
    """Running from many random starts makes finding the global optimum most likely."""
    won, _ = _solved(normal(), starts=400)
    p = won.mean()
    k = int(np.ceil(np.log(0.01) / np.log(1 - p)))
    groups = won[: len(won) // k * k].reshape(-1, k).any(axis=1).mean()
    never = _solved(constant(0.5), starts=1)[0].mean()
    holds = groups > 0.95 and never == 0
    return "holds if p > 0" if holds else "fails", (
        f"p = {p:.2f}: {groups:.0%} of groups of {k} starts solve XOR; symmetric: p = {never:.0f}"
    )


def B15():
    """With W2 = 0, dZ1 is 0, so that the weights never change and nothing is learnt."""
    moved = {}
    for phi in ("tanh", "relu", "sigmoid"):
        t = _path(_net("zeros", phi=phi), 1000)
        moved[phi] = int((t != t[0]).any(axis=0)[[0, 1, 2, 3, 6, 7]].sum())
    verdict = "holds if φ(0) = 0, or if the batch is balanced"
    X, y = xor()
    net = _net("zeros")
    fit(net, X, y, BCE, SGD(2.0), epochs=1000)
    if moved != {"tanh": 0, "relu": 0, "sigmoid": 6} or net.theta.any():
        verdict = "fails"
    return verdict, (
        f"weights that ever move, of 6: tanh {moved['tanh']}, ReLU {moved['relu']}, "
        f"sigmoid {moved['sigmoid']}; dW2 needs A1, not A2"
    )


def B16():
    """All rows of dW are equal, so the layer is one unit, no stronger than a line."""
    X, y = _xor40()
    share = {}
    for phi in ("sigmoid", "tanh", "gelu"):
        net = _net(constant(0.5), sizes=(2, 4, 1), phi=phi)
        _path(net, 4000, lr=0.2)
        share[phi] = evaluate(net, X, y, BCE)[1] if len(twins(net, 0)) == 1 else np.nan
    holds = max(share["sigmoid"], share["tanh"]) < 0.85 < 0.9 < share["gelu"]
    return "holds if φ is monotone" if holds else "fails", (
        f"4 twins on noisy XOR: sigmoid {share['sigmoid']:.0%}, tanh {share['tanh']:.0%}, "
        f"GELU, which is not monotone, {share['gelu']:.0%}"
    )


def D1():
    """With W1 = 0 both units agree, dW has equal rows, and so on for ever."""
    net = _net(["zeros", normal()])
    apart = _path(net, 2)[2]
    equal = _pair(_path(_net(["zeros", constant(0.5)]), 2000))
    gap = np.abs(apart[0:4:2] - apart[1:4:2]).max()
    verdict = "holds if W2 has equal entries too" if equal and gap > 0 else "fails"
    return verdict, (
        f"equal W2: {'bitwise equal' if equal else 'unequal'} for 2,000 batches; "
        f"unequal W2: {gap:.2g} apart after 2"
    )


def D2():
    """Biases of zero cause no symmetry problem."""
    zero, random = (_solved(normal(), each)[0].mean() for each in ("zeros", normal()))
    holds = zero > random - 0.1
    return "holds if W is random" if holds else "fails", (
        f"{zero:.0%} of 200 starts solve XOR with b = 0, {random:.0%} with b random"
    )


def D3():
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


def D4():
    """W1 = np.random.randn((2,2)) * 0.01 and the like for W2, with b = 0."""
    try:
        np.random.RandomState(0).randn((2, 2))
        error = "runs"
    except TypeError:
        error = "raises a TypeError"
    small, one = (_solved(normal(scale))[0] for scale in (0.01, 1.0))
    net = _net(normal(0.01))
    _path(net, 1000)
    parted = len(twins(net, 0)) == 2
    verdict = "fails: it raises a TypeError"
    if error == "runs" or not parted or small.mean() > 0.1:
        verdict = "holds"
    return verdict, (
        f"as written it {error}; randn(2, 2) · 0.01 solves XOR from {small.sum()} of 200 starts in "
        f"3,000 steps, randn(2, 2) from {one.mean():.0%}"
    )
