"""One flat vector, seen as layers; one pass, for any number of networks; every gradient right."""

import copy
import pickle

import numpy as np
import pytest
from references import assert_close, peak_memory

from nnlab import initializers, losses
from nnlab.activations import ACTIVATIONS
from nnlab.diagnostics import gradient_check
from nnlab.losses import LOSSES
from nnlab.network import MLP, Signals

OUTPUTS = {"binary_cross_entropy": 1, "softmax_cross_entropy": 3, "mean_squared_error": 2}
BATCH = 5


def rng(seed=0):
    return np.random.default_rng(seed)


def problem(activation="tanh", loss="softmax_cross_entropy", ensemble=(), *, own_X=False, **kwargs):
    """A network of three layers, or an ensemble; inputs (shared or one set a member); targets."""
    sizes = (3, 4, 5, OUTPUTS[loss])
    net = MLP(
        sizes,
        activation,
        initializers.normal(0.7),
        bias_init=initializers.normal(0.3),
        rng=rng(1),
        ensemble=ensemble,
        **kwargs,
    )
    lead = ensemble if own_X else ()
    X = rng(2).standard_normal((*lead, BATCH, 3)).astype(net.dtype)
    if loss == "mean_squared_error":
        return net, X, rng(3).standard_normal((*lead, BATCH, 2))
    return net, X, rng(3).integers(0, max(2, sizes[-1]), (*lead, BATCH))


def all_arrays(value):
    """Every array that an object holds, in lists or directly."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, list | tuple):
        return [array for each in value for array in all_arrays(each)]
    return all_arrays(list(vars(value).values())) if isinstance(value, Signals) else []


# ---------------------------------------------------------------------------------- gradients


SHAPES = [((), False), ((3,), False), ((3,), True), ((2, 3), False), ((2, 3), True)]
shapes = pytest.mark.parametrize(
    ("ensemble", "own_X"), SHAPES, ids=[f"{s}{'-own X' * own}" for s, own in SHAPES]
)


@shapes
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_by_finite_differences(activation, loss, ensemble, own_X):
    net, X, y = problem(activation, loss, ensemble, own_X=own_X)
    assert gradient_check(net, X, y, loss).max() < 1e-7


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_gradient_agrees_with_torch(activation, loss):
    torch = pytest.importorskip("torch")
    net, X, y = problem(activation, loss)
    W, b = ([torch.tensor(each, requires_grad=True) for each in part] for part in (net.W, net.b))
    A, y_torch, functional = torch.tensor(X), torch.tensor(y), torch.nn.functional
    for l in range(net.depth):
        Z = A @ W[l] + b[l]
        A = getattr(functional, activation)(Z) if activation != "tanh" else torch.tanh(Z)
    if loss == "binary_cross_entropy":
        value = functional.binary_cross_entropy_with_logits(Z[:, 0], y_torch.double())
    else:
        value = {"softmax_cross_entropy": functional.cross_entropy}.get(loss, functional.mse_loss)(
            Z, y_torch
        )
    value.backward()
    ours, signals = net.gradient(X, y, loss)
    assert_close(ours, value.detach().numpy(), 1e-12)
    for l in range(net.depth):
        assert_close(signals.dW[l], W[l].grad.numpy(), 1e-12)
        assert_close(signals.db[l], b[l].grad.numpy(), 1e-12)


# ------------------------------------------------------------------------------- one flat vector


def test_W_i_j_leads_from_input_i_to_unit_j():
    net = MLP((3, 2), init="zeros", rng=rng())
    net.W[0][1, 0], net.b[0][1] = 5, 7
    assert net(np.eye(3)).tolist() == [[0, 7], [5, 7], [0, 7]]
    assert net.theta.tolist() == [0, 0, 5, 0, 0, 0, 0, 7]


def test_a_layer_is_XW_plus_b():
    net, X, _ = problem("relu")
    signals, A = net.forward(X), X
    assert signals.X is X
    for l in range(net.depth):
        Z = np.array(
            [[sum(a * net.W[l][:, j]) + net.b[l][j] for j in range(len(net.b[l]))] for a in A]
        )
        assert_close(signals.Z[l], Z, 1e-14)
        A = np.maximum(Z, 0) if l < net.depth - 1 else Z
        assert_close(signals.A[l], A, 1e-14)
    assert signals.logits is signals.Z[-1] is signals.A[-1]
    np.testing.assert_array_equal(net(X), signals.logits)


def strided(net):
    """The same network on every other entry of a longer vector."""
    theta = np.zeros((*net.ensemble, 2 * net.theta.shape[-1]))[..., ::2]
    theta[...] = net.theta
    return net.with_theta(theta)


@pytest.mark.parametrize("ensemble", [(), (3,), (2, 3)], ids=str)
@pytest.mark.parametrize(
    "remake",
    [
        lambda net: net,
        MLP.copy,
        copy.copy,
        copy.deepcopy,
        lambda net: pickle.loads(pickle.dumps(net)),
        lambda net: net.with_theta(np.asfortranarray(net.theta)),
        strided,
    ],
    ids=["itself", "copy", "copy.copy", "deepcopy", "pickle", "fortran", "strided"],
)
def test_views_are_views(remake, ensemble):
    original, X, y = problem(ensemble=ensemble)
    net = remake(original)
    assert repr(net) == repr(original)
    np.testing.assert_array_equal(net.theta, original.theta)
    assert_close(net(X), original(X), 1e-14)
    n = 0
    for l in range(net.depth):
        for view in (net.W[l], net.b[l]):
            size = view[(0,) * len(ensemble)].size
            net.theta[..., n : n + size] = l + 1
            assert (view == l + 1).all()
            view[...] = -1
            assert (net.theta[..., n : n + size] == -1).all()
            n += size
    assert n == net.theta.shape[-1]
    signals = net.gradient(X, y, "softmax_cross_entropy")[1]
    for view in (*signals.dW, *signals.db):
        assert np.shares_memory(view, signals.dtheta)


def test_a_copy_is_independent_and_with_theta_is_not():
    net = problem()[0]
    before = net.theta.copy()
    for other in (net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        other.theta += 1
        np.testing.assert_array_equal(net.theta, before)
    theta = np.zeros((4, 7, before.size))
    other = net.with_theta(theta)
    assert other.theta is theta
    assert other.ensemble == (4, 7)
    assert other.W[0].shape == (4, 7, 3, 4)


def test_parameters_are_drawn_as_asked():
    inits = [initializers.constant(1), "zeros", initializers.constant(3)]
    net = MLP((2, 3, 4, 1), init=inits, bias_init=inits[::-1], rng=rng())
    assert [set(W.ravel()) for W in net.W] == [{1}, {0}, {3}]
    assert [set(b.ravel()) for b in net.b] == [{3}, {0}, {1}]
    default = MLP((400, 300, 200), rng=rng())
    for W, b in zip(default.W, default.b, strict=True):
        assert_close(W.var(), 2 / sum(W.shape), 0.02)  # Xavier
        assert not b.any()


def test_repr_counts():
    assert repr(MLP((2, 3, 1), "relu", rng=rng())) == "MLP(2-3-1, relu, 13 parameters, float64)"
    net = MLP((2, 1), "gelu", ensemble=(2, 5), rng=rng(), dtype="float32")
    assert repr(net) == "MLP(2 x 5 x 2-1, gelu, 3 parameters, float32)"
    assert net.depth == 1
    assert MLP((2, 1), ensemble=3, rng=rng()).ensemble == (3,)


# ------------------------------------------------------------------------------------- ensembles


def test_members_differ():
    net, X, _ = problem(ensemble=(2, 3))
    assert len({logits.tobytes() for logits in net(X).reshape(6, -1)}) == 6


# ------------------------------------------------------------- determinism, dtype, memory


@pytest.mark.parametrize("ensemble", [(), (3,)], ids=str)
def test_the_same_seed_gives_the_same_bits(ensemble):
    one, two = (problem(ensemble=ensemble) for _ in range(2))
    assert one[0].theta.tobytes() == two[0].theta.tobytes()
    gradients = [net.gradient(X, y, "softmax_cross_entropy")[1].dtheta for net, X, y in (one, two)]
    assert gradients[0].tobytes() == gradients[1].tobytes()
    other = MLP((3, 4, 5, 3), rng=rng(1)).theta, MLP((3, 4, 5, 3), rng=rng(2)).theta
    assert other[0].tobytes() != other[1].tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_signal_has_the_dtype_of_the_network(activation, loss, dtype):
    net, X, y = problem(activation, loss, (2,), dtype=dtype)
    assert net.dtype == net.theta.dtype == dtype
    for given_X in (X, X.astype(np.float64), X.tolist()):
        value, signals = net.gradient(given_X, y, loss)
        assert {each.dtype for each in (value, *all_arrays(signals))} == {np.dtype(dtype)}
    dtypes = {each.dtype for each in (*net.W, *net.b, *signals.dW, *signals.db)}
    assert dtypes == {np.dtype(dtype)}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("ensemble", [(), (3,)], ids=str)
def test_buffers_are_used_again_and_what_is_in_them_does_no_harm(activation, ensemble):
    net, X, y = problem(activation, ensemble=ensemble)
    loss = losses.get("softmax_cross_entropy")
    fresh = net.gradient(X, y, loss)[1]
    used = Signals(net, ensemble, BATCH)
    buffers = all_arrays(used)
    for buffer in buffers:
        buffer[...] = np.nan
    assert net.forward_into(used, X) is used
    assert net.backward(used, loss.value_and_gradient(used.logits, y)[1]) is used
    for ours, theirs in zip(all_arrays(used), all_arrays(fresh), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    kept = {id(array) for array in all_arrays(used)} - {id(X)}
    assert kept == {id(buffer) for buffer in buffers}


@pytest.mark.parametrize("activation", ["identity", "tanh", "relu", "leaky_relu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pass_allocates_nothing_of_the_size_of_a_layer(activation, dtype):
    net = MLP((50, 200, 200, 10), activation, rng=rng(), dtype=dtype)
    X, dlogits = (rng().standard_normal((1000, n)).astype(dtype) for n in (50, 10))
    signals = net.forward(X)
    peak = peak_memory(lambda: net.backward(net.forward_into(signals, X), dlogits))
    assert peak < signals.A[0].nbytes / 2  # a mask is a quarter, a float32 the whole


def test_assigning_to_parameters_writes_into_theta():
    net = MLP((2, 3, 1), "tanh", "zeros", rng=np.random.default_rng(0))
    theta = net.theta
    net.W[0] = np.ones((2, 3))
    net.b[1] = 5.0
    net.theta += 1.0
    assert net.theta is theta
    assert theta.tolist() == [2.0] * 6 + [1.0] * 3 + [1.0] * 3 + [6.0]
    net.theta = np.zeros(13)
    assert net.theta is theta
    assert not net.W[0].any()
