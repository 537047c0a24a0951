"""Every φ and every φ′ is the right function, for every float, in the dtype it was given."""

import functools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from references import ACTIVATIONS as IN_JAX
from references import assert_close, assert_nothing_is_upcast
from scipy import special, stats

from nnlab import activations, theory
from nnlab.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE, leaky_relu

KINKED = ("relu", "leaky_relu", "elu", "selu")  # elu: in its second derivative
SMOOTH = ("identity", "sigmoid", "tanh", "gelu", "silu")
# By definition, with none of the engine's rearrangements.
IN_SCIPY = {
    "identity": lambda z: z,
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "relu": lambda z: np.where(z > 0, z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "selu": lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(z)),
    "gelu": lambda z: z * stats.norm.cdf(z),
    "silu": lambda z: z * special.expit(z),
}
# name: φ(−huge), φ(+huge), φ′(−huge), φ′(0) from the left, φ′(+huge); huge itself as np.inf
LIMITS = {
    "identity": (-np.inf, np.inf, 1, 1, 1),
    "sigmoid": (0, 1, 0, 0.25, 0),
    "tanh": (-1, 1, 0, 1, 0),
    "relu": (0, np.inf, 0, 0, 1),
    "leaky_relu": (-np.inf, np.inf, 0.01, 0.01, 1),
    "elu": (-1, np.inf, 0, 1, 1),
    "selu": (-SELU_SCALE * SELU_ALPHA, np.inf, 0, SELU_SCALE * SELU_ALPHA, SELU_SCALE),
    "gelu": (0, np.inf, 0, 0.5, 1),
    "silu": (0, np.inf, 0, 0.5, 1),
}
GRID = np.linspace(-30, 30, 2400)  # without 0
every = pytest.mark.parametrize("name", ACTIVATIONS)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def test_every_activation_is_in_every_table():
    for table in (IN_SCIPY, IN_JAX, LIMITS, (*KINKED, *SMOOTH)):
        assert set(table) == set(ACTIVATIONS)


@every
@pytest.mark.parametrize("reference", [IN_SCIPY, IN_JAX], ids=["scipy", "jax"])
def test_value(name, reference):
    np.testing.assert_allclose(ACTIVATIONS[name](GRID), reference[name](GRID), rtol=1e-12)


@every
def test_derivative(name):
    expected = jax.vmap(jax.grad(IN_JAX[name]))(GRID)
    found = ACTIVATIONS[name].derivative(GRID)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@every
def test_derivative_is_the_slope_of_the_value(name):
    phi, h = ACTIVATIONS[name], 1e-6
    slope = (phi(GRID + h) - phi(GRID - h)) / (2 * h)
    np.testing.assert_allclose(phi.derivative(GRID), slope, rtol=0, atol=1e-8)


@every
@both_dtypes
def test_limits(name, dtype):
    phi = ACTIVATIONS[name]
    huge = np.finfo(dtype).max / 1.1  # SELU is steeper than 1
    Z = np.array([-huge, 0, huge], dtype)
    low, high, *slopes = LIMITS[name]
    values = phi(Z)
    assert values[1] == (0.5 if name == "sigmoid" else 0)
    for value, limit in ((values[0], low), (values[2], high)):
        assert abs(value) > 1e-3 * huge if np.isinf(limit) else value == dtype(limit)
    np.testing.assert_allclose(phi.derivative(Z), slopes, rtol=1e-6, atol=0)


@every
@both_dtypes
@settings(max_examples=30)
@given(data=st.data())
def test_any_float_gives_a_finite_float_of_its_dtype(name, dtype, data):
    phi, largest = ACTIVATIONS[name], float(dtype(np.finfo(dtype).max / 1.1))
    floats = st.floats(-largest, largest, width=np.finfo(dtype).bits)
    Z = data.draw(arrays(dtype, array_shapes(max_dims=3), elements=floats))
    before = Z.copy()
    A, slope = phi(Z), phi.derivative(Z)
    assert A.dtype == slope.dtype == dtype
    assert A.shape == slope.shape == Z.shape
    assert np.isfinite(A).all() and np.isfinite(slope).all()
    # float32 may round the infimum of GELU and SiLU by a digit.
    assert (phi.bounds[0] * 1.000001 <= A).all() and (phi.bounds[1] >= A).all()
    np.testing.assert_array_equal(Z, before)


@every
def test_float32_is_float64_rounded(name):
    phi, Z = ACTIVATIONS[name], GRID.astype(np.float32)
    for f in (phi, phi.derivative):
        np.testing.assert_allclose(f(Z), f(Z.astype(np.float64)), rtol=1e-5, atol=1e-6)


@every
def test_nothing_is_upcast(name):
    phi, Z = ACTIVATIONS[name], np.tile(GRID, 200)
    for f in (phi, phi.derivative):
        assert_nothing_is_upcast(lambda dtype, f=f: functools.partial(f, Z.astype(dtype)))


@every
@pytest.mark.parametrize("Z", [[-2, 0, 3], [True, False], 1, 0.5], ids=str)
def test_anything_else_becomes_float64(name, Z):
    phi, exact = ACTIVATIONS[name], np.asarray(Z, np.float64)
    for f in (phi, phi.derivative):
        assert f(Z).dtype == np.float64
        np.testing.assert_array_equal(f(Z), f(exact))


@every
@both_dtypes
def test_results_go_where_they_are_told(name, dtype):
    phi, Z = ACTIVATIONS[name], GRID.astype(dtype)
    A, slope = np.full_like(Z, np.nan), np.full_like(Z, np.nan)
    assert phi(Z, out=A) is A
    assert phi.derivative(Z, A, out=slope) is slope
    np.testing.assert_array_equal(A, phi(Z))
    np.testing.assert_array_equal(slope, phi.derivative(Z))
    np.testing.assert_array_equal(Z, GRID.astype(dtype))


@every
def test_nan_stays_nan(name):
    assert np.isnan(ACTIVATIONS[name](np.array([np.nan, 1.0]))).tolist() == [True, False]


@every
def test_bounds_are_reached_and_not_passed(name):
    A, (low, high) = ACTIVATIONS[name](np.linspace(-40, 40, 800_001)), ACTIVATIONS[name].bounds
    for found, bound in ((A.min(), low), (A.max(), high)):
        assert abs(found) > 0.3 if np.isinf(bound) else found == pytest.approx(bound, abs=1e-9)


def test_selu_has_mean_0_and_variance_1_as_a_fixed_point():
    assert_close(theory.expectation(ACTIVATIONS["selu"], 1.0) + 1, 1.0, 1e-14)
    assert_close(theory.expectation(lambda z: ACTIVATIONS["selu"](z) ** 2, 1.0), 1.0, 1e-14)


@given(st.floats(-3, 3), st.floats(1e-6, 1e6))
def test_leaky_relu_has_the_slope_it_is_given(alpha, z):
    phi = leaky_relu(alpha)
    np.testing.assert_allclose(phi([-z, 0, z]), [-alpha * z, 0, z], rtol=1e-15)
    np.testing.assert_array_equal(phi.derivative([-z, 0.0, z]), [alpha, alpha, 1])


def test_get():
    for name, phi in ACTIVATIONS.items():
        assert activations.get(name) is activations.get(phi) is phi
        assert phi.name.startswith(name)
        assert repr(phi) == f"Activation(name={phi.name!r}, bounds={phi.bounds})"
    assert leaky_relu(0.3).name == "leaky_relu(0.3)"
