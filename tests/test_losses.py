"""The losses are what their names say, whatever the logits; the gradients are theirs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from references import LOSSES as IN_JAX
from references import assert_close, assert_nothing_is_upcast
from scipy.special import expit, logsumexp

from nnlab import losses
from nnlab.losses import (
    LOSSES,
    binary_cross_entropy,
    mean_squared_error,
    softmax_cross_entropy,
)

LEADS = [(), (3,), (2, 3)]
BATCH, CLASSES = 6, 4
# By definition, for one network; right for moderate logits only.
NAIVE = {
    "binary_cross_entropy": lambda Z, y: (
        -np.mean(y * np.log(expit(Z[:, 0])) + (1 - y) * np.log(1 - expit(Z[:, 0])))
    ),
    "softmax_cross_entropy": lambda Z, y: np.mean(logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]),
    "mean_squared_error": lambda Z, y: np.sum((Z - y) ** 2) / y.size,
}
every = pytest.mark.parametrize("name", LOSSES)
leads = pytest.mark.parametrize("lead", LEADS, ids=str)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def example(name, lead=(), seed=0):
    """Random logits and targets that fit, the targets one set a member."""
    rng = np.random.default_rng(seed)
    outputs = 1 if name == "binary_cross_entropy" else CLASSES
    Z = 3 * rng.standard_normal((*lead, BATCH, outputs))
    if name == "mean_squared_error":
        return Z, rng.standard_normal(Z.shape)
    return Z, rng.integers(0, max(2, outputs), Z.shape[:-1])


def test_every_loss_is_in_every_table():
    assert set(NAIVE) == set(IN_JAX) == set(LOSSES)


@every
@leads
@pytest.mark.parametrize("reference", [NAIVE, IN_JAX], ids=["naive", "jax"])
def test_value_of_every_member(name, lead, reference):
    Z, y = example(name, lead)
    found = LOSSES[name](Z, y)
    assert found.shape == lead
    for k in np.ndindex(lead):
        assert_close(found[k], reference[name](Z[k], y[k]), 1e-12)
        # Members may share their targets.
        assert_close(LOSSES[name](Z, y[k])[k], found[k], 1e-15)


@every
@leads
def test_gradient_by_finite_differences(name, lead):
    Z, y = example(name, lead)
    value, dZ = LOSSES[name].value_and_gradient(Z, y)
    np.testing.assert_array_equal(value, LOSSES[name](Z, y))
    numeric, h = np.empty_like(Z), 1e-5
    for place in np.ndindex(Z.shape[-2:]):
        step = np.zeros(Z.shape[-2:])
        step[place] = h
        numeric[..., *place] = (LOSSES[name](Z + step, y) - LOSSES[name](Z - step, y)) / (2 * h)
    np.testing.assert_allclose(dZ, numeric, rtol=0, atol=1e-9)


@every
def test_the_mean_does_not_grow_with_the_batch(name):
    Z, y = example(name)
    value, dZ = LOSSES[name].value_and_gradient(Z, y)
    twice, dZ_twice = LOSSES[name].value_and_gradient(np.tile(Z, (2, 1)), np.concatenate([y, y]))
    assert_close(twice, value, 1e-14)
    assert_close(dZ_twice, np.tile(dZ / 2, (2, 1)), 1e-14)


@every
@both_dtypes
def test_dtype_and_arguments_are_left_alone(name, dtype):
    Z, y = example(name)
    Z = Z.astype(dtype)
    before = Z.copy(), y.copy()
    for result in LOSSES[name].value_and_gradient(Z, y):
        assert result.dtype == dtype
    np.testing.assert_array_equal(Z, before[0])
    np.testing.assert_array_equal(y, before[1])


@every
def test_nothing_is_upcast(name):
    Z, y = example(name)
    Z, y = np.tile(Z, (20_000, 1)), np.concatenate([y] * 20_000)

    def prepare(dtype):
        Z_given = Z.astype(dtype)
        y_given = y.astype(dtype) if name == "mean_squared_error" else y
        return lambda: LOSSES[name].value_and_gradient(Z_given, y_given)

    assert_nothing_is_upcast(prepare)


@every
def test_what_is_in_the_arrays_of_a_step_does_no_harm(name):
    Z, y = example(name)
    expected = LOSSES[name].value_and_gradient(Z, y)
    step = LOSSES[name].start_(Z)
    for _ in range(2):
        value, dZ = np.array(np.nan), np.full(Z.shape, np.nan)
        step(Z, y, value, dZ)
        np.testing.assert_array_equal(value, expected[0])
        np.testing.assert_array_equal(dZ, expected[1])


@pytest.mark.parametrize(
    ("loss", "Z", "y", "value", "dZ"),
    [
        (binary_cross_entropy, [[0], [0]], [0, 1], math.log(2), [[0.25], [-0.25]]),
        (binary_cross_entropy, [[math.log(3)]], [1], math.log(4 / 3), [[-0.25]]),
        (softmax_cross_entropy, [[0, 0, 0, 0]], [2], math.log(4), [[0.25, 0.25, -0.75, 0.25]]),
        (softmax_cross_entropy, [[5, 5 + math.log(3)]], [0], math.log(4), [[-0.75, 0.75]]),
        (mean_squared_error, [[1, 2], [3, 4]], [[1, 0], [3, 6]], 2, [[0, 1], [0, -1]]),
    ],
)
def test_worked_by_hand(loss, Z, y, value, dZ):
    found = loss.value_and_gradient(Z, y)
    assert_close(found[0], value, 1e-14)
    assert_close(found[1], np.array(dZ, float), 1e-14)


@both_dtypes
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30, None])
def test_huge_logits(size, dtype):
    huge = dtype(size or np.finfo(dtype).max / 4)
    Z = np.array([[-huge], [huge], [-huge], [huge]])
    value, dZ = binary_cross_entropy.value_and_gradient(Z / 2, [0, 1, 1, 0])  # two right of four
    assert value == pytest.approx(float(huge) / 4, rel=1e-6)
    np.testing.assert_allclose(dZ, [[0], [0], [-0.25], [0.25]], atol=1e-20)
    Z = np.array([[huge, 0, -huge], [huge, 0, -huge]])
    value, dZ = softmax_cross_entropy.value_and_gradient(Z, [0, 2])
    assert value == pytest.approx(huge, rel=1e-6)
    np.testing.assert_allclose(dZ, [[0, 0, 0], [0.5, 0, -0.5]], atol=1e-20)


@given(st.floats(-1e300, 1e300), st.floats(-700, 700))
def test_softmax_over_two_is_the_binary_loss_of_the_difference(level, z):
    two = softmax_cross_entropy(np.array([[0, z], [0, z]]), [0, 1])
    one = binary_cross_entropy(np.array([[z], [z]]), [0, 1])
    assert two == pytest.approx(one, rel=1e-14)
    # Only differences count, as far as they survive the rounding.
    same = softmax_cross_entropy(np.array([[level, level]]), [1])
    assert same == pytest.approx(math.log(2), rel=1e-14)


@pytest.mark.parametrize("labels", [int, np.int8, np.uint8, np.float32, bool, list])
@pytest.mark.parametrize(
    "loss", [binary_cross_entropy, softmax_cross_entropy], ids=lambda loss: loss.name
)
def test_labels_of_any_kind(loss, labels):
    Z = np.array([[-1.0], [0.5], [2.0]])
    Z = Z if loss is binary_cross_entropy else np.concatenate([0 * Z, Z], axis=1)
    y = np.array([0, 1, 1])
    given_y = y.tolist() if labels is list else y.astype(labels)
    assert loss(Z, given_y) == loss(Z, y)
    assert loss.accuracy(Z, given_y) == 1


def test_accuracy():
    Z = np.array([[-1.0], [-2.0], [3.0], [4.0]])
    assert binary_cross_entropy.accuracy(Z, [0, 1, 1, 1]) == 0.75
    assert binary_cross_entropy.accuracy(0 * Z, [0, 1, 1, 1]) == 0.25  # undecided is class 0
    Z = np.array([[[1, 2, 0], [5, 0, 0]], [[1, 0, 2], [5, 0, 6]]])
    assert softmax_cross_entropy.accuracy(Z, [1, 0]).tolist() == [1, 0]
    assert softmax_cross_entropy.accuracy(Z, [[1, 2], [2, 0]]).tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="mean_squared_error has none"):
        mean_squared_error.accuracy(Z, Z)


def test_get():
    for name, loss in LOSSES.items():
        assert losses.get(name) is losses.get(loss) is loss
        assert loss.name == name
