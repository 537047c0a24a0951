"""Bad input is turned away at the door: the message names the argument and says what is valid.

Warnings are errors here, so the message is also all that the reader sees.
"""

import re

import numpy as np
import pytest

from nnlab import activations, diagnostics, initializers, losses, theory
from nnlab.diagnostics import gradient_check, layer_stats
from nnlab.network import MLP
from nnlab.optimizers import SGD, Adam
from nnlab.training import Snapshots, evaluate, fit

X, Y = np.arange(12.0).reshape(4, 3), np.array([0, 1, 1, 0])
NAN, INF = float("nan"), float("inf")


def mlp(sizes=(3, 4, 2), **kwargs):
    return MLP(sizes, **({"rng": np.random.default_rng(0)} | kwargs))


def train(X=X, y=Y, loss="softmax_cross_entropy", optimizer=None, net=None, **kwargs):
    return fit(net or mlp(), X, y, loss, optimizer or SGD(0.1), **({"epochs": 1} | kwargs))


def draw(init, shape=(3, 2), rng=None, dtype=np.float64):
    return init(rng or np.random.default_rng(0), shape, dtype)


def put(value, place=(1, 2)):
    """X with one bad value."""
    bad = X.copy()
    bad[place] = value
    return bad


def softmax(y, Z=np.zeros((4, 3))):  # noqa: B008 (it is not changed)
    return losses.softmax_cross_entropy(Z, y)


def binary(y, Z=np.zeros((4, 1))):  # noqa: B008
    return losses.binary_cross_entropy(Z, y)


def squared(y, Z=np.zeros((4, 1))):  # noqa: B008
    return losses.mean_squared_error(Z, y)


def overflowing_jacobian():
    net = mlp(activation="relu", init=initializers.normal(1e200))
    with np.errstate(all="ignore"):
        diagnostics.singular_values(net, [1.0, 1.0, 1.0])


BAD = [  # call, error, what the message holds
    # Names: the message lists the valid ones.
    (lambda: activations.get("rleu"), ValueError, ["activation must be", "relu", "'rleu'"]),
    (lambda: activations.get(None), ValueError, ["activation must be", "relu", "None"]),
    (lambda: initializers.get("xaver"), ValueError, ["init must be", "xavier_normal", "'xaver'"]),
    (lambda: losses.get("cross"), ValueError, ["loss must be", *losses.LOSSES, "'cross'"]),
    (lambda: mlp(activation="rleu"), ValueError, ["activation", *activations.ACTIVATIONS]),
    (lambda: mlp(init="xaver"), ValueError, ["init must be", *initializers.INITIALIZERS]),
    (lambda: mlp(init=initializers.he_normal), ValueError, ["init must be one of", "he_normal"]),
    (lambda: mlp(init=None), ValueError, ["init must be one of", "got None"]),
    (lambda: mlp(bias_init="zeroes"), ValueError, ["one of", "zeros", "'zeroes'"]),
    (lambda: train(loss="mse"), ValueError, ["loss must be one of", "mean_squared_error", "'mse'"]),
    (lambda: train(optimizer="sgd"), TypeError, ["optimizer must be SGD(...) or Adam(...)", "sgd"]),
    (lambda: evaluate(mlp(), X, Y, "mse"), ValueError, ["loss must be one of", "'mse'"]),
    (lambda: mlp().gradient(X, Y, "mse"), ValueError, ["loss must be one of", "'mse'"]),
    (lambda: gradient_check(mlp(), X, Y, "mse"), ValueError, ["loss must be one of", "'mse'"]),
    (lambda: theory.predict((3, 2), "rleu", "zeros"), ValueError, ["activation must be one of"]),
    (lambda: theory.predict((3, 2), "relu", "zeroes"), ValueError, ["init must be one of"]),
    # Sizes.
    (lambda: mlp(5), ValueError, ["sizes must list the widths", "(784, 500, 10)", "got 5"]),
    (lambda: mlp("784"), ValueError, ["sizes must list the widths", "got '784'"]),
    (lambda: mlp((5,)), ValueError, ["sizes must list the widths", "got (5,)"]),
    (lambda: mlp(()), ValueError, ["sizes must list the widths", "got ()"]),
    (lambda: mlp((3, 0, 2)), ValueError, ["size in sizes must be at least 1", "got 0"]),
    (lambda: mlp((3, -4, 2)), ValueError, ["size in sizes must be at least 1", "got -4"]),
    (lambda: mlp((3, 4.0, 2)), TypeError, ["size in sizes must be a whole number", "4.0 (float)"]),
    (lambda: mlp(ensemble=0), ValueError, ["ensemble must be at least 1", "got 0"]),
    (lambda: mlp(ensemble=(2, -1)), ValueError, ["ensemble must be at least 1", "got -1"]),
    (lambda: mlp(ensemble=2.5), TypeError, ["ensemble must be a whole number", "2.5"]),
    (
        lambda: mlp(init=["zeros"] * 3),
        ValueError,
        ["init must be one, or one a layer (2)", "got 3"],
    ),
    (lambda: theory.predict((3,), "relu", "zeros"), ValueError, ["sizes must list the widths"]),
    (lambda: theory.predict((3, 0), "relu", "zeros"), ValueError, ["size in sizes", "got 0"]),
    # Randomness and dtype.
    (lambda: mlp(rng=0), TypeError, ["rng must be a numpy Generator", "default_rng(0)", "0 (int)"]),
    (lambda: mlp(rng=None, init="zeros"), TypeError, ["rng must be a numpy Generator", "None"]),
    (lambda: mlp(rng=np.random), TypeError, ["rng must be a numpy Generator", "(module)"]),
    (lambda: train(batch_size=2), TypeError, ["rng must be a numpy Generator", "None"]),
    (lambda: train(batch_size=2, rng=7), TypeError, ["rng must be a numpy Generator", "7 (int)"]),
    (lambda: mlp(dtype=int), ValueError, ["dtype must be float32 or float64", "<class 'int'>"]),
    (lambda: mlp(dtype="flaot32"), ValueError, ["dtype must be float32 or float64", "'flaot32'"]),
    # Inputs.
    (lambda: mlp()(X[:, :2]), ValueError, ["X must be (batch, 3)", "got shape (4, 2)"]),
    (lambda: mlp()(X[0]), ValueError, ["X must be (batch, 3)", "got shape (3,)"]),
    (lambda: mlp()(X[None]), ValueError, ["X must be (batch, 3)", "got shape (1, 4, 3)"]),
    (
        lambda: mlp(ensemble=(2, 5))(np.zeros((5, 4, 3))),
        ValueError,
        ["X must be (batch, 3) or (2, 5, batch, 3)", "got shape (5, 4, 3)"],
    ),
    (lambda: mlp()(X[:0]), ValueError, ["X must hold at least one example", "empty batch"]),
    (lambda: mlp()(put(NAN)), ValueError, ["X must be finite", "X[1, 2] is nan"]),
    (lambda: mlp()(put(-INF)), ValueError, ["X must be finite", "X[1, 2] is -inf"]),
    (lambda: mlp()(put([INF, -INF], (2, [0, 1]))), ValueError, ["X must be finite", "X[2, 0]"]),
    (lambda: mlp(dtype="float32")(put(1e300)), ValueError, ["X must be finite", "X[1, 2] is inf"]),
    (lambda: mlp()([["a", "b", "c"]]), TypeError, ["X must hold real numbers", "<U1"]),
    (lambda: mlp()(X * 1j), TypeError, ["X must hold real numbers", "complex128"]),
    (lambda: mlp()(None), TypeError, ["X must hold real numbers", "object"]),
    (lambda: mlp()([[1, 2, 3], [4]]), ValueError, ["X must be an array", "rows differ in length"]),
    (lambda: train(put(NAN)), ValueError, ["X must be finite", "X[1, 2] is nan"]),
    (lambda: train(X[:0], Y[:0]), ValueError, ["X must hold at least one example"]),
    (lambda: train(X[:, 1:]), ValueError, ["X must be (batch, 3)", "got shape (4, 2)"]),
    (
        lambda: train(np.zeros((2, 4, 3)), net=mlp(ensemble=2)),
        ValueError,
        ["X must be (n, 3) to be trained on", "got shape (2, 4, 3)"],
    ),
    (lambda: train(test=(put(INF), Y)), ValueError, ["X must be finite", "X[1, 2] is inf"]),
    (lambda: train(test=(X, Y[1:])), ValueError, ["y must be labels of shape (4,)", "(3,)"]),
    (lambda: train(test=X), TypeError, ["test must be a pair (X, y)", "ndarray"]),
    (lambda: evaluate(mlp(), put(NAN), Y, "softmax_cross_entropy"), ValueError, ["X[1, 2] is nan"]),
    # Targets.
    (lambda: train(y=Y[1:]), ValueError, ["y must be labels of shape (4,)", "got shape (3,)"]),
    (lambda: train(y=Y[:, None]), ValueError, ["y must be labels of shape (4,)", "shape (4, 1)"]),
    (lambda: train(y=Y + 1), ValueError, ["y must hold whole-number labels from 0 to 1", "got 2"]),
    (lambda: softmax([0, 1, 2, 3]), ValueError, ["labels from 0 to 2", "got 3"]),
    (lambda: softmax([0, -1, 2, 0]), ValueError, ["labels from 0 to 2", "got -1"]),
    (lambda: softmax([0, 0.5, 2, 0]), ValueError, ["whole-number labels", "got 0.5"]),
    (lambda: softmax([0, NAN, 2, 0]), ValueError, ["whole-number labels", "got nan"]),
    (lambda: softmax([0, INF, 2, 0]), ValueError, ["whole-number labels", "got inf"]),
    (lambda: softmax(["a", "b", "c", "d"]), TypeError, ["y must hold real numbers", "<U1"]),
    (lambda: softmax([0, 1]), ValueError, ["y must be labels of shape (4,)", "got shape (2,)"]),
    (lambda: softmax(Y, np.zeros((4, 1))), ValueError, ["at least 2 outputs, not 1"]),
    (lambda: softmax(Y, np.zeros(4)), ValueError, ["logits must be", "got shape (4,)"]),
    (lambda: softmax([], np.zeros((0, 2))), ValueError, ["batch ≥ 1", "got shape (0, 2)"]),
    (lambda: softmax(Y, [["a", "b"]]), TypeError, ["logits must hold real numbers"]),
    (lambda: binary(Y + 1), ValueError, ["labels from 0 to 1", "got 2"]),
    (lambda: binary(Y, np.zeros((4, 2))), ValueError, ["needs 1 output, not 2"]),
    (lambda: binary([], np.zeros((0, 1))), ValueError, ["batch ≥ 1", "got shape (0, 1)"]),
    (lambda: squared(Y), ValueError, ["y must be targets of shape (4, 1)", "got shape (4,)"]),
    (lambda: squared(np.full((4, 1), NAN)), ValueError, ["y must be finite", "y[0, 0] is nan"]),
    (lambda: squared(np.full((4, 1), "a")), TypeError, ["y must hold real numbers"]),
    (
        lambda: losses.binary_cross_entropy.accuracy(np.zeros((4, 1)), [0, 1, 2, 0]),
        ValueError,
        ["labels from 0 to 1", "got 2"],
    ),
    # Training.
    (lambda: train(epochs=0), ValueError, ["epochs must be at least 1", "got 0"]),
    (lambda: train(epochs=1.5), TypeError, ["epochs must be a whole number", "1.5"]),
    (lambda: train(batch_size=0), ValueError, ["batch_size must be at least 1", "got 0"]),
    (lambda: train(batch_size=-2), ValueError, ["batch_size must be at least 1", "got -2"]),
    (lambda: train(evaluate_every=0), ValueError, ["evaluate_every must be at least 1", "got 0"]),
    (
        lambda: evaluate(mlp(), X, Y, "softmax_cross_entropy", chunk=0),
        ValueError,
        ["chunk must be at least 1", "got 0"],
    ),
    *((lambda kind=kind: kind(-1), ValueError, ["lr must be at least 0"]) for kind in (SGD, Adam)),
    *((lambda kind=kind: kind(NAN), ValueError, ["lr must be finite"]) for kind in (SGD, Adam)),
    *((lambda kind=kind: kind("1"), TypeError, ["lr must be a number"]) for kind in (SGD, Adam)),
    (lambda: SGD(np.array([0.1, -1])), ValueError, ["lr must be a number of at least 0"]),
    (lambda: SGD(np.array([0.1, NAN])), ValueError, ["lr must be finite", "lr[1] is nan"]),
    (
        lambda: train(optimizer=SGD(np.ones(3))),
        ValueError,
        ["lr must broadcast to theta's shape (26,)", "got shape (3,)"],
    ),
    (lambda: SGD(0.1, momentum=1), ValueError, ["momentum must be less than 1", "got 1"]),
    (lambda: SGD(0.1, momentum=-0.1), ValueError, ["momentum must be at least 0", "got -0.1"]),
    (lambda: Adam(beta1=1), ValueError, ["beta1 must be less than 1", "got 1"]),
    (lambda: Adam(beta2=-1), ValueError, ["beta2 must be at least 0", "got -1"]),
    (lambda: Adam(epsilon=0), ValueError, ["epsilon must be greater than 0", "got 0"]),
    # Initialisers.
    (lambda: draw(initializers.normal(), rng=5), TypeError, ["rng must be a numpy Generator"]),
    (lambda: draw(initializers.zeros(), rng=5), TypeError, ["rng must be a numpy Generator"]),
    (lambda: draw(initializers.normal(), dtype="int8"), ValueError, ["dtype must be float32 or"]),
    (lambda: draw(initializers.normal(), (3, 0)), ValueError, ["every size in shape", "got 0"]),
    (lambda: draw(initializers.normal(), (3, -1)), ValueError, ["every size in shape", "got -1"]),
    (lambda: draw(initializers.normal(), (3, 1.5)), TypeError, ["every size in shape", "1.5"]),
    (lambda: draw(initializers.normal(), 3), ValueError, ["shape must be a tuple", "got 3"]),
    (lambda: draw(initializers.he_normal(), (3,)), ValueError, ["shape must be (..., fan_in, fan"]),
    (lambda: draw(initializers.orthogonal(), (3,)), ValueError, ["Orthogonal(gain=1.0)", "(3,)"]),
    (lambda: mlp(bias_init="he_normal"), ValueError, ["bias_init must not depend on fans"]),
    (lambda: initializers.normal(-1), ValueError, ["spread must be at least 0", "got -1"]),
    (lambda: initializers.uniform(NAN), ValueError, ["spread must be finite", "got nan"]),
    (lambda: initializers.constant("0"), TypeError, ["value must be a number", "'0'"]),
    (lambda: initializers.variance_scaling(0), ValueError, ["scale must be greater than 0"]),
    (
        lambda: initializers.variance_scaling(1, "fan"),
        ValueError,
        ["mode must be one of", *initializers.MODES, "'fan'"],
    ),
    (
        lambda: initializers.variance_scaling(1, "fan_in", "gauss"),
        ValueError,
        ["distribution must be one of", *initializers.DISTRIBUTIONS, "'gauss'"],
    ),
    (lambda: initializers.xavier_normal(-1), ValueError, ["gain must be greater than 0", "-1"]),
    (lambda: initializers.xavier_uniform("1"), TypeError, ["gain must be a number", "'1'"]),
    (lambda: initializers.orthogonal(0), ValueError, ["gain must be greater than 0", "got 0"]),
    (lambda: initializers.he_normal(NAN), ValueError, ["negative_slope must be finite"]),
    (lambda: initializers.he_uniform("0"), TypeError, ["negative_slope must be a number"]),
    (lambda: initializers.truncated_std(0), ValueError, ["cut must be greater than 0", "got 0"]),
    # Normalisers and shortcuts.
    (
        lambda: mlp(normaliser="batchnorm"),
        ValueError,
        ["normaliser must be one of", "batch_norm", "layer_norm"],
    ),
    (lambda: mlp(normaliser=1), ValueError, ["normaliser must be one of", "got 1"]),
    (lambda: mlp((3, 2), normaliser="layer_norm"), ValueError, ["normaliser needs a hidden layer"]),
    (lambda: mlp((3, 4, 4, 2), shortcut="1"), TypeError, ["shortcut must be a number", "'1'"]),
    (lambda: mlp((3, 4, 4, 2), shortcut=True), TypeError, ["shortcut must be a number", "True"]),
    (lambda: mlp((3, 4, 4, 2), shortcut=np.inf), ValueError, ["shortcut must be finite"]),
    *(
        (lambda s=s: mlp(s, shortcut=1), ValueError, ["shortcut needs two hidden layers", str(s)])
        for s in [(3, 4, 5, 2), (4, 4, 2), (3, 4, 4), (4, 4)]
    ),
    (lambda: theory.predict((3, 2), "relu", "zeros", shortcut=1), ValueError, ["shortcut needs"]),
    (
        lambda: theory.predict((3, 2), "relu", "zeros", normaliser="x"),
        ValueError,
        ["normaliser must be one of"],
    ),
    (
        lambda: mlp((3, 4, 4, 2), normaliser="batch_norm")(X[:1]),
        ValueError,
        ["X must hold", "two examples"],
    ),
    (
        lambda: train(
            X[:3],
            Y[:3],
            net=mlp(normaliser="batch_norm"),
            batch_size=2,
            rng=np.random.default_rng(0),
        ),
        ValueError,
        ["batch_size must leave no batch of one example", "got 2 of 3 examples"],
    ),
    (
        lambda: diagnostics.twins(mlp((3, 4, 4, 2), shortcut=1), 0),
        ValueError,
        ["twins needs a network without a shortcut"],
    ),
    (lambda: setattr(mlp(), "normaliser", "layer_norm"), AttributeError, ["normaliser cannot"]),
    # Numbers that are too large, or too small.
    (lambda: SGD(10**400), ValueError, ["lr must be finite", "got inf"]),
    (
        lambda: SGD(1e300).start(np.zeros(3, np.float32)),
        ValueError,
        ["lr must be finite in float32"],
    ),
    (
        lambda: train(net=mlp(dtype="float32"), optimizer=SGD(np.full(26, 1e300))),
        ValueError,
        ["lr must be finite", "lr[0] is inf"],
    ),
    (
        lambda: train(net=mlp(dtype="float32"), optimizer=Adam(epsilon=1e-300)),
        ValueError,
        ["epsilon must not be 0 in float32", "got 1e-300"],
    ),
    (
        lambda: train(
            y=np.full((4, 2), 1e300), loss="mean_squared_error", net=mlp(dtype="float32")
        ),
        ValueError,
        ["y must be finite", "y[0, 0] is inf"],
    ),
    *(
        (
            lambda init=init: draw(init, dtype=np.float32),
            ValueError,
            [f"{name} must be finite in float32"],
        )
        for name, init in {
            "value": initializers.constant(1e300),
            "spread": initializers.normal(1e300),
            "std": initializers.variance_scaling(1e300),
            "gain": initializers.orthogonal(1e300),
        }.items()
    ),
    (lambda: initializers.xavier_normal(1e300), ValueError, ["gain must have a finite square"]),
    (lambda: initializers.xavier_uniform(1e-300), ValueError, ["square above 0", "got 1e-300"]),
    (
        lambda: initializers.he_normal(1e300),
        ValueError,
        ["negative_slope must have a finite square"],
    ),
    (
        lambda: theory.predict((3, 2, 1), "relu", initializers.normal(1e300)),
        ValueError,
        ["std must be finite", "inf"],
    ),
    (overflowing_jacobian, ValueError, ["the Jacobian must be finite"]),
    # And the rest.
    (lambda: activations.leaky_relu("a"), TypeError, ["negative_slope must be a number", "'a'"]),
    (lambda: mlp().with_theta(np.zeros(5)), ValueError, ["theta must be", "(..., 26)", "(5,)"]),
    (lambda: mlp().with_theta([0.0] * 26), ValueError, ["theta must be an ndarray", "[0.0"]),
    (lambda: mlp().with_theta(np.zeros(26, int)), ValueError, ["float32 or float64", "int64"]),
    (lambda: gradient_check(mlp(), X, Y, "mean_squared_error"), ValueError, ["y must be targets"]),
    (
        lambda: gradient_check(mlp(), X, Y, "softmax_cross_entropy", epsilon=0),
        ValueError,
        ["epsilon must be greater than 0"],
    ),
    (lambda: layer_stats([]), ValueError, ["layers must hold at least one signal"]),
    (lambda: theory.expectation(np.tanh, -1), ValueError, ["std must be finite and at least 0"]),
    (lambda: theory.expectation(np.tanh, NAN), ValueError, ["std must be finite", "nan"]),
    (
        lambda: theory.predict((3, 2), "relu", "zeros", -1.0),
        ValueError,
        ["mean_square_x must be at least 0", "-1.0"],
    ),
    (
        lambda: theory.predict((3, 2), "relu", "zeros", [1, INF]),
        ValueError,
        ["mean_square_x must be finite", "mean_square_x[1] is inf"],
    ),
]


@pytest.mark.parametrize(("call", "error", "parts"), BAD, ids=[" ".join(row[2]) for row in BAD])
def test_the_message_names_what_is_wrong(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


def test_a_refused_fit_changes_nothing():
    net = mlp()
    before = net.theta.copy()
    for wrong in ({"X": put(NAN)}, {"y": Y + 1}, {"epochs": 0}, {"test": (X, Y + 1)}):
        with pytest.raises(ValueError):
            train(net=net, **wrong)
        np.testing.assert_array_equal(net.theta, before)


# -------------------------------------------------------------- whatever is put in at the door

WRONG = {
    "None": None,
    "text": "x",
    "number": -1.5,
    "whole": -1,
    "function": lambda *args: None,
    "class": SGD,
    "object": object(),
    "ragged": [[1.0], [1.0, 2.0]],
    "empty": [],
    "array": np.zeros((2, 2, 2, 2)),
    "bool": True,
    "module": np,
}
SOFTMAX = losses.softmax_cross_entropy
DOORS = {  # each function, and arguments that it takes; each in turn is exchanged for what is wrong
    "MLP": (
        MLP,
        {"sizes": (3, 2), "activation": "tanh", "init": "zeros", "bias_init": "zeros"}
        | {"rng": np.random.default_rng(0), "ensemble": 2, "dtype": np.float64}
        | {"normaliser": None, "shortcut": None},
    ),
    "MLP.with_theta": (mlp().with_theta, {"theta": np.zeros(26)}),
    "MLP.check_inputs": (mlp().check_inputs, {"X": X}),
    "MLP.__call__": (mlp(), {"X": X}),
    "MLP.forward": (mlp().forward, {"X": X}),
    "MLP.backward": (
        mlp().backward,
        {"signals": mlp().forward(X), "dlogits": np.zeros((4, 2))},
    ),
    "MLP.gradient": (mlp().gradient, {"X": X, "y": Y, "loss": "softmax_cross_entropy"}),
    "evaluate": (evaluate, {"net": mlp(), "X": X, "y": Y, "loss": SOFTMAX, "chunk": 2}),
    "fit": (
        fit,
        {"net": mlp(), "X": X, "y": Y, "loss": SOFTMAX, "optimizer": SGD(0.1), "epochs": 1}
        | {"batch_size": 2, "rng": np.random.default_rng(0), "test": (X, Y), "evaluate_every": 1}
        | {"callbacks": [print], "progress": None},
    ),
    "Snapshots": (Snapshots, {"steps": [0, 1]}),
    "layer_stats": (layer_stats, {"layers": [X], "activation": "tanh"}),
    "histogram": (diagnostics.histogram, {"signal": X, "edges": [0, 1, 2]}),
    "update_ratio": (
        diagnostics.update_ratio,
        {"before": np.ones(26), "after": np.ones(26), "net": mlp()},
    ),
    "twins": (diagnostics.twins, {"net": mlp(), "layer": 0}),
    "gradient_check": (
        gradient_check,
        {"net": mlp(), "X": X, "y": Y, "loss": SOFTMAX, "epsilon": 1e-6},
    ),
    "SGD": (SGD, {"lr": 0.1, "momentum": 0.5}),
    "SGD.start": (SGD(0.1).start, {"theta": np.zeros(3)}),
    "Adam": (Adam, {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8}),
    "Adam.start": (Adam(0.1).start, {"theta": np.zeros(3)}),
    "Loss.__call__": (SOFTMAX, {"Z": np.zeros((4, 2)), "y": Y}),
    "Loss.value_and_gradient": (SOFTMAX.value_and_gradient, {"Z": np.zeros((4, 2)), "y": Y}),
    "Loss.accuracy": (SOFTMAX.accuracy, {"Z": np.zeros((4, 2)), "y": Y}),
    "losses.get": (losses.get, {"loss": SOFTMAX}),
    "Activation.__call__": (activations.tanh, {"Z": X, "out": np.zeros((4, 3))}),
    "Activation.derivative": (activations.tanh.derivative, {"Z": X, "A": X, "out": 0 * X}),
    "activations.get": (activations.get, {"activation": "relu"}),
    "leaky_relu": (activations.leaky_relu, {"negative_slope": 0.1}),
    "initializer": (
        initializers.he_normal(),
        {"rng": np.random.default_rng(0), "shape": (3, 2), "dtype": np.float64},
    ),
    "variance": (initializers.he_normal().variance, {"fan_in": 3, "fan_out": 2}),
    "std": (initializers.he_normal().std, {"fan_in": 3, "fan_out": 2}),
    "initializers.get": (initializers.get, {"init": "zeros"}),
    "one_a_layer": (initializers.one_a_layer, {"name": "init", "init": "zeros", "depth": 2}),
    "constant": (initializers.constant, {"value": 1}),
    "normal": (initializers.normal, {"std": 1}),
    "uniform": (initializers.uniform, {"limit": 1}),
    "truncated_normal": (initializers.truncated_normal, {"std": 1}),
    "truncated_std": (initializers.truncated_std, {"cut": 2}),
    "variance_scaling": (
        initializers.variance_scaling,
        {"scale": 1, "mode": "fan_in", "distribution": "normal"},
    ),
    "he_normal": (initializers.he_normal, {"negative_slope": 0.1}),
    "he_uniform": (initializers.he_uniform, {"negative_slope": 0.1}),
    "xavier_normal": (initializers.xavier_normal, {"gain": 1}),
    "xavier_uniform": (initializers.xavier_uniform, {"gain": 1}),
    "orthogonal": (initializers.orthogonal, {"gain": 1}),
    "gain": (theory.gain, {"activation": "relu"}),
    "expectation": (theory.expectation, {"f": np.tanh, "std": 1.0}),
    "predict": (
        theory.predict,
        {"sizes": (3, 2), "activation": "relu", "init": "zeros", "mean_square_x": 1.0}
        | {"normaliser": None, "shortcut": None},
    ),
}
# What a message calls an argument whose public name is another.
CALLED = {
    **{"Z": "logits|Z|y|A|out", "test": "test|X|y", "f": "f|lr|unsupported operand"},
    **{"std": "std|spread", "limit": "spread", "name": "must"},
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    ("door", "argument"),
    [(door, argument) for door, (_, arguments) in DOORS.items() for argument in arguments],
)
def test_whatever_is_put_in_the_message_names_the_argument(door, argument, wrong, capsys):
    """It is taken, or it is refused in a sentence about it: no error from further inside."""
    call, arguments = DOORS[door]
    try:
        call(**arguments | {argument: WRONG[wrong]})
    except (TypeError, ValueError) as error:
        assert re.search(
            rf"^({CALLED.get(argument, argument)})\b|every \w+ in {argument}\b", str(error)
        ), error
