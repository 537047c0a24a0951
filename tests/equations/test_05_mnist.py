"""The labelled equations of chapter 5."""

import numpy as np
import pytest

from nnlab import initializers, theory
from nnlab.activations import tanh
from nnlab.network import MLP

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
