"""The labelled equations of chapter 5, and the checklist's lines of PyTorch."""

import math
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from nnlab import diagnostics, initializers, theory
from nnlab.activations import tanh
from nnlab.network import MLP

CHAPTER = Path(__file__).parents[2] / "book" / "05_mnist.ipynb"

SIZES = (40, 300, 200, 30)
INIT = initializers.normal(0.08)


@pytest.fixture(scope="module")
def measured():
    """Signals of 60 networks, and E[x²] of their inputs."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, SIZES[0])) * 2
    net = MLP(SIZES, "tanh", INIT, rng=rng, ensemble=60)
    signals = net.forward(X)
    net.backward(signals, rng.standard_normal(signals.logits.shape))
    return signals, np.square(X).mean()


def test_eq_05_forward(measured):
    """Var(z) = n Var(w) E[a²] of the layer below, and E[a²] = E[φ(z)²] over a normal z."""
    signals, mean_square = measured
    for l, (Z, A) in enumerate(zip(signals.Z[:-1], signals.A[:-1], strict=True)):
        var_z = SIZES[l] * INIT.variance(SIZES[l], SIZES[l + 1]) * mean_square
        assert np.square(Z).mean() == pytest.approx(var_z, rel=0.03)
        expected = theory.expectation(lambda z: tanh(z) ** 2, np.sqrt(var_z))
        mean_square = np.square(A).mean()
        assert mean_square == pytest.approx(expected, rel=0.03)


def test_eq_05_backward(measured):
    """E[dz²] = χ E[dz²] of the layer above, χ = n_out Var(w) E[φ′²], n_out of that layer."""
    signals, _ = measured
    for l in range(2):
        slope = tanh.derivative(signals.Z[l])
        chi = SIZES[l + 2] * INIT.variance(*SIZES[l + 1 : l + 3]) * np.square(slope).mean()
        ratio = np.square(signals.dZ[l]).mean() / np.square(signals.dZ[l + 1]).mean()
        assert ratio == pytest.approx(chi, rel=0.03)
        wrong = SIZES[l + 1] / SIZES[l + 2] * chi  # with n_in in place of n_out
        assert ratio != pytest.approx(wrong, rel=0.2)


def in_pytorch(torch, net, X, y, lr):
    """Run the lines of the page on a PyTorch copy of ``net``; return what they print."""
    prose = "\n".join(cell.source for cell in nbformat.read(CHAPTER, as_version=4).cells)
    code = re.search(r"```python\n(# PyTorch: model and .*?)```", prose, re.DOTALL)[1]
    linear = [torch.nn.Linear(*sizes) for sizes in zip(net.sizes, net.sizes[1:], strict=False)]
    for layer, W, b in zip(linear, net.W, net.b, strict=True):
        layer.weight.data, layer.bias.data = torch.from_numpy(W.T.copy()), torch.from_numpy(b)
    X, y, hidden = torch.from_numpy(X), torch.from_numpy(y), []

    def model(out):
        for layer in linear[:-1]:
            out = torch.tanh(layer(out))
            hidden.append(out)
        return linear[-1](out)

    F = torch.nn.functional
    F.cross_entropy(model(X), y).backward()
    weights, printed = [layer.weight for layer in linear], []
    names = {"F": F, "math": math, "model": model, "X": X, "y": y, "K": net.sizes[-1], "lr": lr}
    names |= {"hidden": hidden, "weights": weights, "print": lambda *each: printed.append(each)}
    exec(code, names)
    return printed


@pytest.mark.parametrize("init", [initializers.xavier_uniform(), initializers.constant(0.2)])
def test_the_checklist_in_pytorch_says_what_the_engine_says(init):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    net = MLP((20, 15, 10, 4), "tanh", init, rng=rng)
    X, y = 3 * rng.standard_normal((30, 20)), rng.integers(4, size=30)
    loss, signals = net.gradient(X, y, "softmax_cross_entropy")
    first, saturated, ratios, twins, over_width = in_pytorch(torch, net, X, y, lr=0.1)
    assert first[0].item() == pytest.approx(loss)
    assert first[1] == math.log(4)
    stats = diagnostics.layer_stats(signals.A[:-1], "tanh")
    assert [share.item() for share in saturated[0][:2]] == pytest.approx(stats.saturated.tolist())
    after = net.theta - 0.1 * signals.dtheta
    expected = diagnostics.update_ratio(net.theta, after, net)
    assert [ratio.item() for ratio in ratios[0]] == pytest.approx(expected.tolist())
    copies = [n - len(diagnostics.twins(net, l)) for l, n in enumerate(net.sizes[1:-1])]
    assert twins[0][:-1] == copies
    assert over_width == (pytest.approx(1 / 15 + 1 / 10),)
