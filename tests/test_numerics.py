"""From the smallest float to the largest: a finite number or an honest word, no silent NaN."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logsumexp

from nnlab import losses, normalisers
from nnlab.activations import ACTIVATIONS
from nnlab.diagnostics import correlations
from nnlab.initializers import normal
from nnlab.losses import LOSSES
from nnlab.network import MLP
from nnlab.optimizers import SGD, Adam
from nnlab.training import fit

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
BATCH = 4


def matrices(dtype, shape, most=1.0):
    """Of any floats up to that part of the largest, subnormal ones too."""
    largest = float(dtype(most * np.finfo(dtype).max))
    floats = st.floats(-largest, largest, width=np.finfo(dtype).bits)
    return arrays(dtype, shape, elements=floats)


@both_dtypes
@settings(max_examples=50)
@given(data=st.data())
def test_losses_of_any_logits(dtype, data):
    """Where the sum is a float, the loss is the exact one; the gradient is finite in any case."""
    labels = data.draw(arrays(np.int64, BATCH, elements=st.integers(0, 1)))
    for part in (1 / 64, 1.0):
        Z = data.draw(matrices(dtype, (BATCH, 2), part))
        one, two = Z[:, :1], np.stack([np.zeros(BATCH), Z[:, 0]], 1)
        for loss, logits, wide in (
            (losses.binary_cross_entropy, one, two),
            (losses.softmax_cross_entropy, Z, Z.astype(np.float64)),
        ):
            with np.errstate(over="raise" if part < 1 else "ignore"):
                value, dZ = loss.value_and_gradient(logits, labels)
            assert (np.abs(dZ) <= 1 / BATCH).all()  # so none is NaN
            assert value >= 0
            if part < 1:
                wide = wide - wide.max(-1, keepdims=True)
                exact = (logsumexp(wide, -1) - wide[np.arange(BATCH), labels]).mean()
                assert value == pytest.approx(exact, rel=1e-5 if dtype == np.float32 else 1e-13)
        with np.errstate(over="ignore"):
            value, dZ = losses.mean_squared_error.value_and_gradient(Z, -Z)
        assert value >= 0
        assert not np.isnan(dZ).any()
        assert np.isfinite(dZ).all() or value == np.inf


@both_dtypes
def test_a_loss_beyond_the_largest_float_is_infinite_and_numpy_says_so(dtype):
    Z = np.full((BATCH, 1), np.finfo(dtype).max)
    for loss, y in (
        (losses.binary_cross_entropy, [0] * BATCH),
        (losses.mean_squared_error, np.zeros((BATCH, 1))),
    ):
        with pytest.warns(RuntimeWarning, match="overflow"):
            assert loss(Z, y) == np.inf


@both_dtypes
def test_logits_further_apart_than_any_float_are_as_far_apart_as_it(dtype):
    largest = np.finfo(dtype).max
    Z = np.array([[-largest, largest, -largest]])
    value, dZ = losses.softmax_cross_entropy.value_and_gradient(Z, [0])
    assert value == largest
    assert dZ.tolist() == [[-1, 1, 0]]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_logits_that_are_not_finite_classify_nothing(bad):
    Z = np.zeros((2, 3, 4))
    Z[1, 0, 0] = bad
    share = losses.softmax_cross_entropy.accuracy(Z, np.array([0, 0, 1]))
    assert share[0] == pytest.approx(2 / 3)
    assert np.isnan(share[1])


@settings(max_examples=50)
@given(data=st.data())
def test_a_fit_ends_with_finite_numbers_or_says_that_it_diverged(data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    sizes = st.floats(0, float(np.finfo(dtype).max / 4)) | st.floats(-30, 30).map(lambda x: 10**x)
    loss = data.draw(st.sampled_from(sorted(LOSSES)))
    rng, n_out = np.random.default_rng(data.draw(st.integers(0, 99))), 1 + (loss[0] == "s")
    net = MLP(
        *((2, 3, 3, n_out), data.draw(st.sampled_from(sorted(ACTIVATIONS)))),
        init=normal(
            data.draw(st.floats(-3, 18 if dtype == np.float32 else 150).map(lambda x: 10**x))
        ),
        rng=rng,
        ensemble=data.draw(st.sampled_from([(), (2,)])),
        dtype=dtype,
        normaliser=data.draw(st.sampled_from([None, *normalisers.NORMALISERS])),
    )
    X, y = rng.standard_normal((BATCH, 2)), rng.integers(0, 2, BATCH)
    if loss == "mean_squared_error":
        y = y[:, None] * data.draw(sizes)
    rule = data.draw(st.sampled_from([SGD, Adam]))(data.draw(sizes))
    history = fit(net, X, y, loss, rule, epochs=6, test=(X, y))
    lost = history.diverged
    assert np.isfinite(net.theta[~lost]).all()
    assert np.isfinite(history.loss[:, ~lost]).all()
    for k in np.argwhere(lost):
        assert np.isfinite(history.loss[(slice(history.diverged_at[*k]), *k)]).all()
        assert not np.isfinite(history.test_loss[(-1, *k)])


@pytest.mark.parametrize("normaliser", normalisers.NORMALISERS)
@both_dtypes
def test_a_variance_that_overflows_does_not_pass_for_0(normaliser, dtype):
    size = normal(1e25 if dtype == np.float32 else 1e200)
    net = MLP(
        (2, 3, 1), "relu", size, rng=np.random.default_rng(0), dtype=dtype, normaliser=normaliser
    )
    X = np.random.default_rng(1).standard_normal((BATCH, 2))
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert np.isnan(net(X)).any()
    history = fit(net, X, [0, 1, 1, 0], "binary_cross_entropy", SGD(0.1), epochs=3)
    assert history.diverged
    assert history.diverged_at == 0


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1.0, 1e200, 1e308])
def test_correlations_at_any_scale(size):
    signal = np.array([[1.0, 0.0], [1.0, 1.0]]) * size
    assert correlations([signal]) == pytest.approx(
        np.sqrt(0.5), rel=1e-3 if size < 1e-300 else 1e-15
    )


def test_a_correlation_with_infinity_is_not_known():
    assert np.isnan(correlations([[[np.inf, 0.0], [1.0, 1.0]]])).all()
