"""Every labelled equation of chapter 6, checked by SymPy or by simulation with its error."""

import math

import numpy as np
import pytest
import sympy as sp

from nnlab import activations, initializers, theory
from nnlab.network import MLP


def layer(c, q, var_w, var_b, *, n=400, layers=400):
    """Pairs of tanh units above normal pairs: products (z₁z₁, z₁z₂), (layers, 2)."""
    rng = np.random.default_rng(0)
    net = MLP(
        (n, n),
        "identity",
        initializers.variance_scaling(var_w),
        bias_init=initializers.normal(math.sqrt(var_b)),
        rng=rng,
        ensemble=layers,
    )
    z = rng.standard_normal((2, layers, 1, n)) * math.sqrt(q)
    z[1] = c * z[0] + math.sqrt(1 - c**2) * z[1]
    first, second = (net(np.tanh(each)) for each in z)
    return np.stack([(first * first).mean((1, 2)), (first * second).mean((1, 2))], axis=1)


def assert_mean(values, expected, *, wrong):
    """The mean of ``values`` is the expected one within 4 standard errors, and not ``wrong``."""
    error = 4 * values.std(ddof=1) / math.sqrt(len(values))
    assert abs(values.mean() - expected) < error
    assert abs(values.mean() - wrong) > 3 * error


def test_eq_06_variance():
    q, var_w, var_b = 0.8, 1.7, 0.3
    expected = var_w * theory.expectation(lambda z: np.tanh(z) ** 2, math.sqrt(q)) + var_b
    assert_mean(layer(0.5, q, var_w, var_b)[:, 0], expected, wrong=expected - var_b)
    assert math.isclose(theory.MeanField("tanh", var_w, var_b).variance(q), expected)


def test_eq_06_correlation():
    field = theory.MeanField("tanh", 2.0, 0.3)
    found = layer(0.4, field.q, 2.0, 0.3)
    assert_mean(found[:, 1], field.q * field.correlation(0.4), wrong=field.q * 0.4)
    assert_mean(found[:, 0], field.q, wrong=field.q - 0.3)


@pytest.mark.parametrize("name", ["tanh", "gelu", "sigmoid"])
def test_eq_06_chi(name):
    field, phi = theory.MeanField(name, 1.6, 0.2), activations.get(name)
    slopes = theory.expectation(lambda z: phi.derivative(z) ** 2, math.sqrt(field.q))
    away = (1 - field.correlation(1 - 1e-4)) / 1e-4
    assert math.isclose(away, 1.6 * slopes, rel_tol=1e-3)


@pytest.mark.parametrize("var_w", [1.1, 1.3, 1.5])
def test_eq_06_scale(var_w):
    """Near its end the distance falls by e in ξ layers."""
    field, c = theory.MeanField("tanh", var_w, 0.05), 0.999
    start, layers = 1 - c, round(3 * field.depth_scale)
    for _ in range(layers):
        c = float(field.correlation(c))
    assert math.isclose(math.log(start / (1 - c)), layers / field.depth_scale, rel_tol=0.01)
    assert math.isclose(field.depth_scale, -1 / math.log(field.chi))


def test_eq_06_relu():
    """From E[relu(z₁) relu(z₂)] as an integral over the angle of the pair; twice, under He."""
    theta, phi = sp.symbols("theta phi", positive=True)
    # z₁ = r cos φ, z₂ = r cos(φ − θ): both are positive for φ from θ − π/2 to π/2; E[r²] = 2.
    product = sp.cos(phi) * sp.cos(phi - theta)
    mean = sp.integrate(sp.expand_trig(product), (phi, theta - sp.pi / 2, sp.pi / 2)) / sp.pi
    closed = (sp.sin(theta) + (sp.pi - theta) * sp.cos(theta)) / sp.pi
    for value in (0.3, 1.2, 2.5):
        assert math.isclose(2 * mean.subs(theta, value), closed.subs(theta, value), rel_tol=1e-12)
    c = np.linspace(-0.9, 0.9, 7)
    exact = (np.sqrt(1 - c**2) + c * (np.pi - np.arccos(c))) / np.pi
    assert np.allclose(theory.MeanField("relu", 2.0).correlation(c), exact, atol=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_eq_06_product(depth):
    """The largest of twenty products of width 400 is at the edge, up to a few per cent."""
    rng, largest = np.random.default_rng(depth), []
    for _ in range(20):
        product = np.eye(400)
        for _ in range(depth):
            product = product @ rng.normal(0, 1 / 20, (400, 400))
        largest.append(np.linalg.norm(product, 2) ** 2)
    edge = (depth + 1) ** (depth + 1) / depth**depth
    assert abs(np.mean(largest) / edge - 1) < 0.06


def test_eq_06_saxe():
    """It solves u′ = 2u(s − u), which is gradient descent on one aligned direction."""
    t, s, start = sp.symbols("t s u_0", positive=True)
    u = s * sp.exp(2 * s * t) / (sp.exp(2 * s * t) - 1 + s / start)
    assert sp.simplify(sp.diff(u, t) - 2 * u * (s - u)) == 0
    assert sp.simplify(u.subs(t, 0) - start) == 0
