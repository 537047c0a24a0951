"""The same functions, networks and optimisers once more, in JAX: what the engine is held against.

Nothing here is shared with the engine, and every gradient comes from automatic differentiation.
"""

import tracemalloc
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": partial(jax.nn.leaky_relu, negative_slope=0.01),
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "silu": jax.nn.silu,
}
LOSSES = {
    "binary_cross_entropy": lambda z, y: (jnp.logaddexp(0, z[:, 0]) - y * z[:, 0]).mean(),
    "softmax_cross_entropy": lambda z, y: (
        -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1).mean()
    ),
    "mean_squared_error": lambda z, y: ((z - y) ** 2).mean(),
}


def logits(theta, sizes, activation, X, norm_axis=None, alpha=None):
    """The outputs of one network, from its flat parameters W[0], b[0], W[1], b[1], …, γ[0], …

    ``norm_axis`` is the axis of Z over which it is normalised; ``alpha`` strengthens the branches.
    """
    start, A, below = 0, X, None
    start_gamma = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        is_last = layer == len(sizes) - 2
        W = theta[start : start + fan_in * fan_out].reshape(fan_in, fan_out)
        start += fan_in * fan_out
        b = theta[start : start + fan_out]
        start += fan_out
        Z = A @ W
        if norm_axis is None or is_last:
            Z = Z + b
        if alpha is not None and not is_last and below is not None and below.shape == Z.shape:
            Z = below + alpha * Z
        if is_last:
            return Z
        below = H = Z
        if norm_axis is not None:
            gamma = theta[start_gamma : start_gamma + fan_out]
            start_gamma += fan_out
            mean, variance = Z.mean(norm_axis, keepdims=True), Z.var(norm_axis, keepdims=True)
            H = gamma * (Z - mean) / jnp.sqrt(variance + 1e-5) + b
        A = ACTIVATIONS[activation](H)


def value_and_grad(sizes, activation, loss, norm_axis=None, alpha=None):
    """A function (theta, X, y) → (loss, gradient), for one network."""

    def value(theta, X, y):
        return LOSSES[loss](logits(theta, sizes, activation, X, norm_axis, alpha), y)

    return jax.jit(jax.value_and_grad(value))


def _sgd(theta, gradient, memory, lr, momentum=0.0):
    velocity = momentum * memory.get("velocity", 0.0) + gradient
    return theta - lr * velocity, {"velocity": velocity}


def _adam(theta, gradient, memory, lr, beta1=0.9, beta2=0.999, epsilon=1e-8):
    t = memory.get("t", 0) + 1
    m = beta1 * memory.get("m", 0.0) + (1 - beta1) * gradient
    v = beta2 * memory.get("v", 0.0) + (1 - beta2) * gradient**2
    step = lr * (m / (1 - beta1**t)) / (jnp.sqrt(v / (1 - beta2**t)) + epsilon)
    return theta - step, {"t": t, "m": m, "v": v}


OPTIMIZERS = {"SGD": _sgd, "Adam": _adam}


def assert_close(ours, theirs, rtol: float) -> None:
    """Everything finite, of the same shape, and equal relative to the largest entry."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.isfinite(theirs).all()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=rtol * np.abs(theirs).max())


def peak_memory(call) -> int:
    """How many bytes a call holds at once, of what it allocates; warmed up before."""
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def assert_nothing_is_upcast(prepare) -> None:
    """``prepare(dtype)`` returns a call on arrays of at least a megabyte; half is half."""
    half, whole = (peak_memory(prepare(dtype)) for dtype in (np.float32, np.float64))
    assert half < 0.6 * whole + 100_000  # NumPy's own chunks, and masks, are the same
