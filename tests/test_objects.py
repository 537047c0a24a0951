"""What the engine hands out stays whole: assigned to, copied, pickled, printed."""

import copy
import pickle
from dataclasses import fields, is_dataclass
from itertools import pairwise

import joblib
import numpy as np
import pytest

from nnlab import activations, initializers, theory
from nnlab.activations import ACTIVATIONS
from nnlab.datasets import Dataset
from nnlab.diagnostics import LayerStats, gradient_check, layer_stats
from nnlab.initializers import INITIALIZERS
from nnlab.losses import LOSSES
from nnlab.network import MLP, Signals
from nnlab.normalisers import batch_norm
from nnlab.optimizers import SGD, Adam
from nnlab.training import History, Snapshots, fit

X, Y = np.random.default_rng(0).standard_normal((5, 3)), np.array([0, 1, 1, 0, 1])
LOSS = "softmax_cross_entropy"


def mlp(activation="tanh", **kwargs):
    return MLP((3, 4, 2), activation, rng=np.random.default_rng(1), **kwargs)


def joblib_round_trip(value, folder):
    joblib.dump(value, folder / "value.joblib")
    return joblib.load(folder / "value.joblib")


COPIES = {
    "copy": lambda value, _: copy.copy(value),
    "deepcopy": lambda value, _: copy.deepcopy(value),
    "pickle": lambda value, _: pickle.loads(pickle.dumps(value)),
    "joblib": joblib_round_trip,
}
copies = pytest.mark.parametrize("how", COPIES)


# ---------------------------------------------------- no object's parts come to disagree


def check_net(net):
    """Every part says the same, and training moves what is used."""
    assert len(net.W) == len(net.b) == net.depth == len(net.sizes) - 1
    for l, (fan_in, fan_out) in enumerate(pairwise(net.sizes)):
        assert net.W[l].shape == (*net.ensemble, fan_in, fan_out)
        assert net.b[l].shape == (*net.ensemble, fan_out)
        assert np.shares_memory(net.W[l], net.theta)
        assert np.shares_memory(net.b[l], net.theta)
    assert net.dtype == net.theta.dtype == net(X).dtype
    before = [W.copy() for W in net.W]
    fit(net, X, Y, LOSS, SGD(0.1), epochs=1)
    assert all((old != W).any() for W, old in zip(net.W, before, strict=True))
    for twin in (net.copy(), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        np.testing.assert_array_equal(twin(X), net(X))
    assert gradient_check(net, X, Y, LOSS).max() < 1e-6


def check_signals(signals):
    assert signals.logits is signals.A[-1] is signals.Z[-1]
    for dW, db in zip(signals.dW, signals.db, strict=True):
        assert np.shares_memory(dW, signals.dtheta)
        assert np.shares_memory(db, signals.dtheta)


W = [np.full((3, 4), 0.3) + np.eye(3, 4), np.full((4, 2), -0.2) + np.eye(4, 2)]
WRITES = {  # what may be assigned, and what it means for theta (12 + 4 + 8 + 2)
    "W": lambda net: setattr(net, "W", W),
    "W tuple": lambda net: setattr(net, "W", tuple(W)),
    "b": lambda net: setattr(net, "b", [[1, 2, 3, 4], [5, 6]]),
    "theta": lambda net: setattr(net, "theta", np.linspace(-1, 1, 26)),
    "W[0]": lambda net: net.W.__setitem__(0, W[0]),
    "W[-1]": lambda net: net.W.__setitem__(-1, W[1]),
    "W[:]": lambda net: net.W.__setitem__(slice(None), W),
    "W[1:]": lambda net: net.W.__setitem__(slice(1, None), W[1:]),
    "a number": lambda net: net.b.__setitem__(0, 5.0),
}


@pytest.mark.parametrize("write", WRITES)
def test_what_is_assigned_is_written_into_theta(write):
    net = mlp()
    theta, before = net.theta, net.theta.copy()
    WRITES[write](net)
    assert net.theta is theta
    assert (theta != before).any()
    check_net(net)


def test_assigned_weights_are_the_ones_that_are_used():
    net = mlp()
    net.W, net.b = W, [np.arange(4), [5, 6]]
    np.testing.assert_allclose(net(X), np.tanh(X @ W[0] + np.arange(4)) @ W[1] + [5, 6])
    flat = np.concatenate([W[0].ravel(), np.arange(4), W[1].ravel(), [5, 6]])
    np.testing.assert_array_equal(net.theta, flat)


FIXED = ["sizes", "activation", "dtype", "depth", "ensemble", "anything", "_theta"]
REFUSED = {  # what is done to a network, and what the message holds
    **{f"{name} =": (lambda net, name=name: setattr(net, name, "relu"), name) for name in FIXED},
    **{
        f"del {name}": (lambda net, name=name: delattr(net, name), name)
        for name in (*FIXED, "W", "b", "theta")
    },
    "one array for W": (lambda net: setattr(net, "W", W[0]), "list of 2 arrays"),
    "a number for W": (lambda net: setattr(net, "W", 0.5), "list of 2 arrays"),
    "too many": (lambda net: setattr(net, "W", net.W * 2), "list of 2 arrays"),
    "one fits": (lambda net: setattr(net, "W", [W[0], W[1].T]), "shape (4, 2); got shape (2, 4)"),
    "transposed": (lambda net: net.W.__setitem__(0, W[0].T), "shape (3, 4); got shape (4, 3)"),
    "text": (lambda net: net.b.__setitem__(0, "zero"), "real numbers"),
    "long theta": (lambda net: setattr(net, "theta", np.zeros(27)), "shape (26,)"),
    "too long a slice": (lambda net: net.W.__setitem__(slice(1, None), W), "list of 1 arrays"),
    "append": (lambda net: net.W.append(W[0]), "append"),
    "pop": (lambda net: net.b.pop(), "pop"),
    "clear": (lambda net: net.W.clear(), "clear"),
    "del W[0]": (lambda net: net.W.__delitem__(0), "__delitem__"),
    "W += ": (lambda net: setattr(net, "W", (*net.W, W[0])), "list of 2 arrays"),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_does_not_fit_is_refused_and_changes_nothing(wrong):
    net = mlp()
    before = net.theta.copy()
    call, part = REFUSED[wrong]
    with pytest.raises((AttributeError, TypeError, ValueError)) as caught:
        call(net)
    assert part in str(caught.value)
    np.testing.assert_array_equal(net.theta, before)
    check_net(net)


def test_signals_cannot_be_taken_apart():
    signals = mlp().gradient(X, Y, LOSS)[1]
    dtheta = signals.dtheta
    signals.dW = W
    np.testing.assert_array_equal(dtheta[:12], W[0].ravel())
    signals.dtheta = np.arange(26)
    np.testing.assert_array_equal(signals.db[1], [24, 25])
    signals.A[-1] = np.ones((5, 2))
    assert (signals.logits == 1).all()
    for name in ("X", "logits", "anything"):
        with pytest.raises(AttributeError, match=name):
            setattr(signals, name, X)
    check_signals(signals)


def test_a_history_and_snapshots_cannot_be_taken_apart():
    kept = Snapshots([0, 2])
    history = fit(mlp(), X, Y, LOSS, SGD(0.1), epochs=3, callbacks=[kept])
    with pytest.raises(AttributeError):
        history.loss = history.loss[:1]
    kept.steps.append(7)
    kept.theta.clear()
    assert (kept.steps, len(kept.theta)) == ([0, 2], 2)
    fit(mlp(), X, Y, LOSS, SGD(0.1), epochs=3, callbacks=[kept])
    assert kept.steps == [0, 2]  # of the last fit, not of both


def test_a_learning_rate_that_changes_later_changes_nothing():
    net, lr = mlp(), np.full(26, 0.1)
    step, before = SGD(lr).start(net.theta), net.theta.copy()
    lr[:] = 0
    step(np.ones(26))
    np.testing.assert_allclose(net.theta, before - 0.1)


# ------------------------------------------------------------------------- copies and pickles

TRAINED = fit(mlp(ensemble=2), X, Y, LOSS, Adam(0.1), epochs=2, test=(X, Y))
OBJECTS = {
    **{f"activation {name}": each for name, each in ACTIVATIONS.items()},
    "leaky_relu(0.3)": activations.leaky_relu(0.3),
    **{f"init {name}": each() for name, each in INITIALIZERS.items() if name != "constant"},
    "constant": initializers.constant(0.5),
    **{f"loss {name}": each for name, each in LOSSES.items()},
    "SGD": SGD(0.1, momentum=0.5),
    "Adam": Adam(),
    "MLP": mlp(),
    "ensemble": mlp(ensemble=(2, 3), dtype="float32"),
    "Signals": mlp(ensemble=2).gradient(X, Y, LOSS)[1],
    "History": TRAINED,
    "Snapshots": Snapshots([0, 5]),
    "LayerStats": layer_stats([X], "tanh"),
    "Prediction": theory.predict((3, 4, 2), "tanh", "he_normal"),
    "MeanField": theory.MeanField("tanh", 1.2, 0.05),
    "batch_norm": batch_norm,
    "Dataset": Dataset(X, Y, X, Y, name="rows", source="here"),
    "gradient_check": gradient_check(mlp("relu"), X, Y, LOSS),
}


HOLDERS = MLP, Signals, History, Snapshots, LayerStats, theory.Prediction, Dataset


def parts(value):
    """Everything an object holds, arrays as bytes."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, list | tuple):
        return [parts(each) for each in value]
    if isinstance(value, HOLDERS):
        return {name: parts(each) for name, each in vars(value).items()}
    return value


@copies
@pytest.mark.parametrize("name", OBJECTS)
def test_everything_survives_a_copy(name, how, tmp_path):
    original = OBJECTS[name]
    twin = COPIES[how](original, tmp_path)
    assert type(twin) is type(original)
    assert parts(twin) == parts(original)


@pytest.mark.parametrize("name", [key for key, each in OBJECTS.items() if is_dataclass(each)])
def test_a_recipe_is_what_it_says_and_a_result_is_itself(name):
    """Neither can be changed. Results hold arrays, which have no one answer to ``==``."""
    value = OBJECTS[name]
    for attribute in (*(field.name for field in fields(value)), "remark"):
        with pytest.raises(AttributeError):
            setattr(value, attribute, None)
    assert (copy.copy(value) == value) is not isinstance(value, HOLDERS)
    assert hash(value) == hash(value)


@copies
@pytest.mark.parametrize("activation", [*ACTIVATIONS, activations.leaky_relu(0.3)], ids=str)
def test_a_copied_network_works(activation, how, tmp_path):
    net = mlp(activation, ensemble=2)
    twin = COPIES[how](net, tmp_path)
    np.testing.assert_array_equal(
        twin.gradient(X, Y, LOSS)[1].dtheta, net.gradient(X, Y, LOSS)[1].dtheta
    )
    check_net(twin)


@copies
def test_copied_signals_are_still_views(how, tmp_path):
    signals = mlp().gradient(X, Y, LOSS)[1]
    twin = COPIES[how](signals, tmp_path)
    check_signals(twin)
    assert np.shares_memory(twin.dtheta, signals.dtheta) == (how == "copy")


def test_a_worker_of_joblib_can_train():
    job = joblib.delayed(fit)(mlp("leaky_relu"), X, Y, LOSS, SGD(0.1), epochs=3)
    there, here = joblib.Parallel(n_jobs=2)([job, job])
    np.testing.assert_array_equal(there.loss, here.loss)


# --------------------------------------------------------------------------------- printing


@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_printed_fits_any_console(name):
    assert str(OBJECTS[name]).isascii()
    assert repr(OBJECTS[name]).isascii()
