"""Every labelled equation of chapter 9, checked by SymPy or by simulation with its error."""

import math

import numpy as np
import pytest
import sympy as sp

from nnlab import initializers, losses, theory

n, q, T, V = sp.symbols("n q T V", positive=True)
share, b = sp.Symbol("pi", positive=True), sp.Symbol("b", real=True)


def within(values, expected, *, wrong):
    """The mean of ``values`` is the expected one within 4 standard errors, and not the wrong."""
    error = 4 * np.std(values, ddof=1) / math.sqrt(len(values))
    assert abs(np.mean(values) - expected) < error
    assert abs(np.mean(values) - wrong) > 3 * error


def test_eq_09_sqrt5():
    gain = sp.sqrt(2 / (1 + sp.sqrt(5) ** 2))
    assert sp.simplify(gain * sp.sqrt(3 / n) - 1 / sp.sqrt(n)) == 0
    W = initializers.he_uniform(negative_slope=math.sqrt(5))(np.random.default_rng(0), (400, 500))
    assert 0.999 / 20 < np.abs(W).max() <= 1 / 20


def test_the_default_of_pytorch_is_the_one_of_the_chapter():
    torch = pytest.importorskip("torch")
    W = torch.nn.Linear(400, 500).weight
    assert 0.999 / 20 < float(W.detach().abs().max()) < 1.000001 / 20


@pytest.mark.parametrize("alpha", [1.0, 0.2])
def test_eq_09_stream(alpha):
    # Branches of variance 1: independent of the stream, whose variance each adds to.
    depth, found = 6, []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((8, 64))
        for _ in range(2 * depth):
            u = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
            x = x + alpha * u @ rng.standard_normal((64, 64)) / 8
        found.append(np.mean(x**2))
    within(found, 1 + 2 * depth * alpha**2, wrong=1 + depth * alpha**2)


def test_the_stream_of_gpt_2_ends_at_two_at_any_depth():
    L = sp.Symbol("L", positive=True)
    assert sp.simplify(1 + 2 * L * (1 / sp.sqrt(2 * L)) ** 2) == 2


@pytest.mark.parametrize("sigma", [0.02, 0.0625])
def test_eq_09_tied(sigma):
    d, tokens, found = 256, 2000, []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        logits = rng.standard_normal((64, d)) @ (sigma * rng.standard_normal((tokens, d))).T
        target = rng.integers(0, tokens, 64)
        found.append(float(losses.get("softmax_cross_entropy")(logits, target)))
    assert d * sigma**2 < 2 * math.log(tokens)
    expected = math.log(tokens) + d * sigma**2 / 2
    error = 4 * np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - expected) < error
    assert abs(np.mean(found) - math.log(tokens) - d * sigma**2) > d * sigma**2 / 4


@pytest.mark.parametrize(("kernel", "stride", "channels"), [(3, 1, 5), (5, 2, 3), (4, 2, 4)])
def test_eq_09_conv(kernel, stride, channels):
    # One output place looks at so many input places, in one direction, away from the edge.
    places = np.arange(40)
    seen = np.sum((places - 10 * stride >= 0) & (places - 10 * stride < kernel))
    assert channels * seen**2 == kernel**2 * channels
    # Transposed: input place p feeds the outputs p · stride … p · stride + kernel − 1.
    outputs = range(30, 30 + stride)
    fed = [np.sum((out >= places * stride) & (out < places * stride + kernel)) for out in outputs]
    assert np.mean(fed) == kernel / stride
    assert channels * np.mean(fed) ** 2 == kernel**2 * channels / stride**2


def test_what_pytorch_calls_the_fan_in_of_a_transposed_convolution():
    torch = pytest.importorskip("torch")
    W = torch.nn.ConvTranspose2d(128, 3, 4, stride=2).weight
    assert W.shape == (128, 3, 4, 4)
    fan_in, _ = torch.nn.init._calculate_fan_in_and_fan_out(W)
    assert fan_in == 3 * 16


def test_eq_09_gates():
    for bias, power in ((0, -15.05), (1, -6.80)):
        gates = 1 / (1 + math.exp(-bias))
        assert abs(50 * math.log10(gates) - power) < 0.005
    product = sp.log((1 / (1 + sp.exp(-b))) ** T)
    assert sp.simplify(sp.expand_log(product, force=True) + T * sp.log(1 + sp.exp(-b))) == 0


def test_eq_09_prior():
    loss = share * sp.log(1 + sp.exp(-b)) + (1 - share) * sp.log(1 + sp.exp(b))
    best = sp.log(share / (1 - share))
    assert sp.simplify(sp.diff(loss, b).subs(b, best)) == 0
    entropy = -share * sp.log(share) - (1 - share) * sp.log(1 - share)
    for value in (0.01, 0.3):
        assert abs(float((loss.subs(b, best) - entropy).subs(share, value))) < 1e-12
    # The only minimum: the loss is convex in b.
    assert float(sp.diff(loss, b, 2).subs({share: 0.01, b: 3})) > 0


def test_eq_09_sine():
    for std in (0.3, 0.893, 2.0):
        found = theory.expectation(lambda z: np.sin(z) ** 2, std)
        assert np.isclose(2 * found, 1 - math.exp(-2 * std**2), atol=1e-9)
    fixed = float(sp.nsolve(q - 1 + sp.exp(-2 * q), 0.8))
    assert abs(math.sqrt(fixed) - 0.893) < 5e-4
    assert 2 * math.exp(-2 * fixed) < 1  # the slope of the map: stable
    limit = math.sqrt(6 / 100)
    assert np.isclose(100 * initializers.uniform(limit).variance(100, 100), 2)
