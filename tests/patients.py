"""The sick networks of the assignments: how their statistics were made."""

from dataclasses import replace

import numpy as np
from sklearn.datasets import load_digits

from nnlab import activations, datasets, diagnostics, losses
from nnlab import initializers as inits
from nnlab.network import MLP
from nnlab.optimizers import SGD, Adam
from nnlab.training import Snapshots, evaluate, fit


def logistic() -> dict:
    """Loss, sizes of the gradient and of θ, and accuracy, after 0, 1, 10, 100 and 1,000 steps."""
    overlapping = datasets.blobs(np.random.default_rng(0), 200, distance=2)
    apart = datasets.blobs(np.random.default_rng(0), 200, distance=9)
    far = overlapping[0] + 10, overlapping[1]
    data = {"A": (overlapping, 60), "B": (apart, 1), "C": (far, 0.01), "D": (overlapping, -0.1)}
    found = {}
    for name, ((X, y), lr) in data.items():
        theta, rows = np.zeros(3), []
        net = MLP((2, 1), init="zeros", rng=np.random.default_rng(0))
        for step in range(1001):
            value, signals = net.with_theta(theta).gradient(X, y, "binary_cross_entropy")
            if step in (0, 1, 10, 100, 1000):
                right = losses.binary_cross_entropy.accuracy(signals.logits, y)
                norm = np.linalg.norm
                rows.append((value, norm(signals.dtheta), norm(theta), right))
            theta = theta - lr * signals.dtheta
        found[name] = dict(
            zip(("loss", "gradient", "theta", "accuracy"), np.transpose(rows), strict=True)
        )
    return found


def hidden_units() -> dict:
    """Loss, different units, sizes of dW1 and dW2, and zeros, after 0, 1, 10, 2,000 steps."""
    starts = {
        "A": ("tanh", ["xavier_normal", "zeros"], "zeros"),
        "B": ("relu", inits.normal(), inits.constant(-10)),
        "C": ("tanh", inits.constant(0.5), "zeros"),
        "D": ("tanh", "zeros", "zeros"),
    }
    X, y = datasets.xor()
    found = {}
    for name, (activation, init, bias) in starts.items():
        rng = np.random.default_rng(0)
        net = MLP((2, 8, 1), activation, init, bias_init=bias, rng=rng)
        seen = Snapshots([0, 1, 10, 2000])
        fit(net, X, y, "binary_cross_entropy", SGD(0.5), epochs=2000, callbacks=[seen])
        rows = []
        for theta in seen.theta:
            one = net.with_theta(theta)
            value, signals = one.gradient(X, y, "binary_cross_entropy")
            stats = diagnostics.layer_stats(signals.A[:1], activation)
            size = [np.sqrt(np.square(dW).mean()) for dW in signals.dW]
            rows.append((value, len(diagnostics.twins(one, 0)), *size, stats.zero[0]))
        keys = ("loss", "different units", "dW1", "dW2", "zeros")
        found[name] = dict(zip(keys, np.transpose(rows), strict=True))
    return found


def deep() -> dict:
    """Sizes of z and dz, zeros and saturation in layers 1, 10, 20 and 30 of nets of width 50."""
    n = 50
    starts = {
        "A": ("sigmoid", inits.xavier_normal(), "zeros"),
        "B": ("tanh", inits.normal(3 / np.sqrt(n)), "zeros"),
        "C": ("relu", inits.he_normal(), inits.constant(-1)),
        "D": ("tanh", inits.normal(0.5 / np.sqrt(n)), "zeros"),
    }
    found = {}
    for name, (activation, init, bias) in starts.items():
        rng = np.random.default_rng(0)
        net = MLP((n,) * 32, activation, init, bias_init=bias, rng=rng)
        signals = net.forward(rng.standard_normal((100, n)))
        net.backward(signals, rng.standard_normal((100, n)))
        at = np.array([0, 9, 19, 29])
        A = diagnostics.layer_stats(signals.A[:-1], activation)
        rms = [diagnostics.layer_stats(each).rms[at] for each in (signals.Z, signals.dZ)]
        keys = ("z", "dz", "zeros", "saturated")
        found[name] = dict(
            zip(keys, (*rms, A.zero[at], np.nan_to_num(A.saturated[at])), strict=True)
        )
    return found


def schemes() -> dict:
    """E[a²] over E[x²], and E[dz²] over that of the last layer, medians over 20 ReLU networks."""
    relu = activations.relu
    broken = replace(relu, slope=lambda Z, A, out: np.copyto(out, relu(Z) >= 0))
    equal, shrinking = (256,) * 7, (1600, 800, 400, 200, 100, 50, 25)
    starts = {
        "A": (shrinking, relu, inits.variance_scaling(2, "fan_out", "normal")),
        "B": (equal, broken, inits.he_normal()),
        "C": (equal, relu, inits.lecun_normal()),
        "D": (equal, relu, inits.uniform(np.sqrt(2 / 256))),
    }
    found = {}
    for name, (sizes, phi, init) in starts.items():
        rng = np.random.default_rng(0)
        net = MLP(sizes, phi, init, rng=rng, ensemble=20)
        X = rng.standard_normal((20, sizes[0]))
        signals = net.forward(X)
        net.backward(signals, rng.standard_normal(signals.logits.shape))
        up = diagnostics.layer_stats(signals.A[:-1]).rms ** 2 / np.square(X).mean()
        down = diagnostics.layer_stats(signals.dZ).rms ** 2
        found[name] = {
            "widths": sizes,
            "a": np.median(up, axis=1),
            "dz": np.median(down / down[-1], axis=1),
        }
    return found


def digits() -> dict:
    """Loss, accuracy, size of z and saturation in the first layer, after 0, 1, 5 and 20 epochs."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:1000], y[:1000]
    scaled = (X - X.mean()) / X.std()
    shuffled = np.random.default_rng(1).permutation(y)
    runs = {
        "A": (scaled, y, "xavier_normal", 8.0),
        "B": (scaled, shuffled, "xavier_normal", 0.1),
        "C": (X * 255 / 16, y, "xavier_normal", 0.1),
        "D": (scaled, y, inits.normal(0.001), 0.1),
    }
    found = {}
    for name, (inputs, labels, init, lr) in runs.items():
        rng = np.random.default_rng(0)
        net = MLP((64, 50, 50, 50, 10), "tanh", init, rng=rng)
        seen = Snapshots([0, 20, 100, 400])
        fit(
            net,
            inputs,
            labels,
            "softmax_cross_entropy",
            SGD(lr),
            epochs=20,
            batch_size=50,
            rng=rng,
            callbacks=[seen],
        )
        rows = []
        for theta in seen.theta:
            one = net.with_theta(theta)
            value, right = evaluate(one, inputs, labels, "softmax_cross_entropy")
            signals = one.forward(inputs)
            z = diagnostics.layer_stats(signals.Z[:1]).rms[0]
            saturated = diagnostics.layer_stats(signals.A[:1], "tanh").saturated[0]
            rows.append((value, right, z, saturated))
        found[name] = dict(
            zip(("loss", "accuracy", "z", "saturated"), np.transpose(rows), strict=True)
        )
    return found


def chaos() -> dict:
    """E[z²], the correlation of two inputs and E[dz²], in six of 60 layers of ten tanh networks."""
    n, at = 200, np.array([1, 5, 10, 20, 40, 60]) - 1
    starts = {"A": (1.76, 2), "B": (1.76, 0.05), "C": (3, 0.05), "D": (1.2, 0.05)}
    found = {}
    for name, (weights, biases) in starts.items():
        rng = np.random.default_rng(0)
        init, bias = inits.variance_scaling(weights, "fan_in", "normal"), inits.normal(biases**0.5)
        g, h = rng.standard_normal((2, n))
        X = np.stack([g, g / 2 + 0.75**0.5 * h])
        rows = []
        for _ in range(10):
            net = MLP((n,) * 61, "tanh", init, bias_init=bias, rng=rng)
            signals = net.forward(X)
            net.backward(signals, rng.standard_normal((2, n)))
            u, v = np.moveaxis(np.asarray(signals.Z), -2, 0)
            square, dz = (
                (np.asarray(each) ** 2).mean((-2, -1)) for each in (signals.Z, signals.dZ)
            )
            c = (u * v).mean(-1) / np.sqrt((u**2).mean(-1) * (v**2).mean(-1))
            rows.append((square[at], c[at], (dz / dz[-1])[at]))
        keys = ("q", "c", "dz")
        found[name] = dict(zip(keys, np.median(rows, axis=0), strict=True))
    return found


def blocks() -> dict:
    """E[x²] and the correlation of two inputs, after up to 40 blocks, medians over 20 networks."""
    n, at = 200, (1, 5, 10, 20, 40)

    def normed(x):
        return x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True))

    starts = {  # the shortcut, the normaliser, n Var(w)
        "A": (1, lambda x: x, 2),
        "B": (0, normed, 2),
        "C": (1, normed, 1),
        "D": (1, normed, 2),
    }
    found = {}
    for name, (shortcut, normaliser, variance) in starts.items():
        rng, rows = np.random.default_rng(0), []
        for _ in range(20):
            g, h = rng.standard_normal((2, n))
            x, row = np.stack([g, g / 2 + 0.75**0.5 * h]), []
            for block in range(1, 41):
                W = rng.normal(0, (variance / n) ** 0.5, (n, n))
                x = shortcut * x + np.maximum(normaliser(x), 0) @ W
                if block in at:
                    row.append((np.square(x).mean(), np.prod(normed(x), axis=0).mean()))
            rows.append(row)
        found[name] = dict(zip(("x", "c"), np.median(rows, axis=0).T, strict=True))
    return found


def widths() -> dict:
    """How far z moves in five steps, in three layers, at three widths; medians over 5 networks."""
    X, y = load_digits(return_X_y=True)
    X = (X - X.mean()) / X.std()
    shares = {"A": (1, 1, 1), "B": (0, 1, 1), "C": (0, 1, 0), "D": (0, 0, 0)}  # powers of 64/n
    found = {}
    for name, powers in shares.items():
        moved = []
        for n in (64, 256, 1024):
            rng = np.random.default_rng(0)
            start = ["he_normal", "he_normal", "zeros"]
            net = MLP((64, n, n, 10), "relu", start, rng=rng, ensemble=5)
            rate = net.with_theta(np.full_like(net.theta, 0.002))
            for W, power in zip(rate.W, powers, strict=True):
                W *= (64 / n) ** power
            before = [Z.copy() for Z in net.forward(X[:100]).Z]
            plan = {"epochs": 1, "batch_size": 100, "rng": np.random.default_rng(1)}
            fit(net, X[:500], y[:500], "softmax_cross_entropy", Adam(rate.theta), **plan)
            pairs = zip(net.forward(X[:100]).Z, before, strict=True)
            sizes = [np.sqrt(np.square(now - then).mean((-2, -1))) for now, then in pairs]
            moved.append(np.median(sizes, axis=1))
        rows = np.transpose(moved)
        found[name] = dict(zip(("first", "hidden", "last"), rows, strict=True))
    return found


def priors() -> dict:
    """Loss and mean probability after 0, 1, 10 and 300 steps of networks that look for 9s."""
    X, digit = load_digits(return_X_y=True)
    X, y = (X - X.mean()) / X.std(), (digit == 9).astype(int)
    shuffled, odds = np.random.default_rng(1).permutation(y), np.log(y.mean() / (1 - y.mean()))
    runs = {
        "A": (y, inits.normal(), odds),
        "B": (shuffled, inits.zeros(), odds),
        "C": (y, inits.zeros(), odds),
        "D": (y, inits.zeros(), 0.0),
    }
    found = {}
    for name, (labels, last, bias) in runs.items():
        rng = np.random.default_rng(0)
        net = MLP((64, 50, 1), "relu", ["he_normal", last], rng=rng)
        net.b[-1][...] = bias
        seen = Snapshots([0, 1, 10, 300])
        fit(net, X, labels, "binary_cross_entropy", SGD(0.3), epochs=300, callbacks=[seen])
        rows = []
        for theta in seen.theta:
            one = net.with_theta(theta)
            loss = evaluate(one, X, labels, "binary_cross_entropy")[0]
            rows.append((loss, activations.sigmoid(one(X)).mean()))
        found[name] = dict(zip(("loss", "probability"), np.transpose(rows), strict=True))
    return found
