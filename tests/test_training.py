"""Training takes the right steps, tells what happened, and tells it of explosions too."""

import functools
import math
import threading
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import references
from references import assert_close, value_and_grad
from threadpoolctl import threadpool_info

from nnlab import initializers, training
from nnlab.datasets import batches, xor
from nnlab.losses import LOSSES
from nnlab.network import MANY, MLP
from nnlab.optimizers import SGD, Adam
from nnlab.training import Snapshots, evaluate, fit

SIZES = {"binary_cross_entropy": (3, 6, 5, 1), "softmax_cross_entropy": (3, 6, 5, 4)}
N, BATCH = 36, 8  # four batches of 8 and one of 4, so 10 epochs are 50 steps
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
ensembles = pytest.mark.parametrize("ensemble", [(), (3,), (2, 3)], ids=str)


def rng(seed=0):
    return np.random.default_rng(seed)


def problem(loss="softmax_cross_entropy", activation="tanh", n=N, **kwargs):
    """A small network, and random examples for it."""
    sizes = SIZES.get(loss, (3, 6, 5, 2))
    net = MLP(sizes, activation, "xavier_uniform", rng=rng(1), **kwargs)
    X = rng(2).standard_normal((n, sizes[0])).astype(net.dtype)
    if loss == "mean_squared_error":
        return net, X, rng(3).standard_normal((n, 2)).astype(net.dtype)
    return net, X, rng(3).integers(0, max(2, sizes[-1]), n)


def blas_threads():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


# -------------------------------------------------------------------------------- trajectories

RULES = {  # ours; name and arguments in references.py; the same in torch.optim
    SGD(0.2): ("SGD", {}, {}),
    SGD(0.05, momentum=0.9): ("SGD", {"momentum": 0.9}, {"momentum": 0.9}),
    Adam(0.01): ("Adam", {}, {}),
}
TASKS = [
    ("softmax_cross_entropy", "tanh", ()),
    ("binary_cross_entropy", "gelu", ()),
    ("mean_squared_error", "selu", (2,)),
]
rules = pytest.mark.parametrize("rule", RULES, ids=str)


def fifty_steps(rule, loss, activation, ensemble):
    """Our parameters before every step and after the last, the losses, and the batches."""
    net, X, y = problem(loss, activation, ensemble=ensemble)
    snapshots = Snapshots(range(51))
    history = fit(
        net, X, y, loss, rule, epochs=10, batch_size=BATCH, rng=rng(4), callbacks=[snapshots]
    )
    assert snapshots.steps == list(range(51))
    shuffle = rng(4)
    order = [index for _ in range(10) for index in batches(shuffle, N, BATCH)]
    return np.array(snapshots.theta), history.loss, [(X[index], y[index]) for index in order]


@rules
@pytest.mark.parametrize(("loss", "activation", "ensemble"), TASKS)
def test_fifty_steps_agree_with_jax(rule, loss, activation, ensemble):
    path, losses, steps = fifty_steps(rule, loss, activation, ensemble)
    reference = value_and_grad(SIZES.get(loss, (3, 6, 5, 2)), activation, loss)
    name, arguments, _ = RULES[rule]
    update = functools.partial(references.OPTIMIZERS[name], lr=rule.lr, **arguments)
    for k in np.ndindex(ensemble):
        theta, memory = path[(0, *k)], {}
        for taken, (X, y) in enumerate(steps):
            value, gradient = reference(theta, X, y)
            assert_close(losses[(taken, *k)], value, 1e-9)
            theta, memory = update(theta, gradient, memory)
            assert_close(path[(taken + 1, *k)], theta, 1e-9)


@rules
def test_fifty_steps_agree_with_torch(rule):
    torch = pytest.importorskip("torch")
    path, losses, steps = fifty_steps(rule, *TASKS[0])
    net = problem()[0].with_theta(path[0].copy())
    layers = []
    for W, b in zip(net.W, net.b, strict=True):
        linear = torch.nn.Linear(*W.shape, dtype=torch.float64)
        linear.weight.data, linear.bias.data = torch.tensor(W.T.copy()), torch.tensor(b)
        layers += [linear, torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    name, _, arguments = RULES[rule]
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=rule.lr, **arguments)
    for taken, (X, y) in enumerate(steps):
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y))
        value.backward()
        optimizer.step()
        assert_close(losses[taken], value.item(), 1e-9)
        theirs = [p.detach().numpy().T.ravel() for p in model.parameters()]
        assert_close(path[taken + 1], np.concatenate(theirs), 1e-9)


# --------------------------------------------------------------------------------- what it does


@both_dtypes
@pytest.mark.parametrize("loss", LOSSES)
@rules
def test_the_loss_falls_and_the_dtype_stays(rule, loss, dtype):
    net, X, y = problem(loss, dtype=dtype)
    before = evaluate(net, X, y, loss)[0]
    history = fit(net, X, y, loss, rule, epochs=40, batch_size=BATCH, rng=rng())
    assert evaluate(net, X, y, loss)[0] < 0.9 * before
    assert history.loss[-10:].mean() < history.loss[:10].mean()
    assert net.theta.dtype == history.loss.dtype == dtype
    assert not history.diverged


@pytest.mark.parametrize("batch_size", [None, BATCH])
@ensembles
def test_the_same_seed_gives_the_same_bits(ensemble, batch_size):
    results = []
    for seed in (4, 4, 5):
        net, X, y = problem(ensemble=ensemble)
        history = fit(
            *(net, X, y, "softmax_cross_entropy", Adam(0.01)),
            epochs=3,
            batch_size=batch_size,
            rng=rng(seed),
            test=(X, y),
        )
        arrays = net.theta, history.loss, history.test_loss, history.test_accuracy
        results.append([each.tobytes() for each in arrays])
    assert results[0] == results[1]
    assert (results[0] == results[2]) == (batch_size is None)  # nothing to shuffle


@ensembles
def test_a_member_trains_as_if_alone(ensemble):
    net, X, y = problem(ensemble=ensemble)
    start = net.theta.copy()
    settings = {"epochs": 3, "batch_size": BATCH, "test": (X, y)}
    arguments = X, y, "softmax_cross_entropy", SGD(0.1, momentum=0.5)
    together = fit(net, *arguments, rng=rng(), **settings)
    for k in np.ndindex(ensemble):
        single = net.with_theta(start[k].copy())
        alone = fit(single, *arguments, rng=rng(), **settings)
        assert_close(net.theta[k], single.theta, 1e-12)
        assert_close(together.loss[:, *k], alone.loss, 1e-12)
        assert_close(together.test_loss[:, *k], alone.test_loss, 1e-12)
        assert_close(together.test_accuracy[:, *k], alone.test_accuracy, 1e-12)


@pytest.mark.parametrize("batch_size", [1, BATCH, N, 10 * N, None])
def test_every_epoch_goes_through_every_example_once(batch_size):
    net, X, y = problem()
    seen = []
    history = fit(
        *(net, X, y, "softmax_cross_entropy", SGD(0.1)),
        epochs=3,
        batch_size=batch_size,
        rng=rng(),
        callbacks=[lambda step, net, signals: step and seen.append(signals.X.copy())],
    )
    size = min(N, batch_size or N)
    assert [len(batch) for batch in seen] == 3 * (
        [size] * (N // size) + [N % size] * (N % size > 0)
    )
    assert history.steps == len(seen)
    epochs = np.concatenate(seen).reshape(3, N, -1)
    for epoch in epochs:
        assert sorted(epoch.tolist()) == sorted(X.tolist())
    if batch_size is None:
        np.testing.assert_array_equal(epochs, [X] * 3)
    else:
        assert len({epoch.tobytes() for epoch in epochs}) == 3  # each shuffled afresh


def test_a_fit_starts_afresh():
    """No momentum is kept from an earlier fit."""
    net, X, y = problem()
    rule = SGD(0.1, momentum=0.9)
    fit(net, X, y, "softmax_cross_entropy", rule, epochs=5)
    before = net.theta.copy()
    gradient = net.gradient(X, y, "softmax_cross_entropy")[1].dtheta
    fit(net, X, y, "softmax_cross_entropy", rule, epochs=1)
    assert_close(net.theta, before - 0.1 * gradient, 1e-14)


def test_most_members_solve_xor():
    X, y = xor(centred=True)
    net = MLP((2, 4, 1), "tanh", "xavier_normal", rng=rng(), ensemble=200)
    history = fit(net, X, y, "binary_cross_entropy", SGD(1.0), epochs=500, test=(X, y))
    accuracy = history.test_accuracy[[0, -1]]
    assert (accuracy[0] == 1).mean() < 0.1
    assert (accuracy[1] == 1).mean() > 0.9
    # The same network without its hidden layer cannot.
    line = MLP((2, 1), rng=rng(), ensemble=200)
    history = fit(line, X, y, "binary_cross_entropy", SGD(1.0), epochs=500, test=(X, y))
    assert history.test_accuracy.max() <= 0.75


# ---------------------------------------------------------------------------------- what it tells


@pytest.mark.parametrize(
    ("every", "evaluated"), [(None, [0, 5, 10]), (4, [0, 4, 8, 10]), (100, [0, 10])]
)
@pytest.mark.parametrize("loss", LOSSES)
@ensembles
def test_shapes_of_the_history(ensemble, loss, every, evaluated):
    net, X, y = problem(loss, ensemble=ensemble)
    settings = {"epochs": 2, "batch_size": BATCH, "rng": rng(), "evaluate_every": every}
    X_test, y_test = X[:7], y[:7]
    snapshots = Snapshots(evaluated)
    history = fit(
        net, X, y, loss, SGD(0.1), test=(X_test, y_test), callbacks=[snapshots], **settings
    )
    assert history.steps == 10
    assert history.loss.shape == (10, *ensemble)
    assert history.evaluated.tolist() == evaluated
    assert history.test_loss.shape == (len(evaluated), *ensemble)
    assert history.diverged.shape == history.diverged_at.shape == ensemble
    assert not np.any(history.diverged)
    for i, theta in enumerate(snapshots.theta):
        value, accuracy = evaluate(net.with_theta(theta), X_test, y_test, loss)
        np.testing.assert_array_equal(history.test_loss[i], value)
        if loss != "mean_squared_error":
            assert history.test_accuracy.shape == history.test_loss.shape
            np.testing.assert_array_equal(history.test_accuracy[i], accuracy)
    if loss == "mean_squared_error":
        assert history.test_accuracy.size == 0
    untested = fit(net, X, y, loss, SGD(0.1), **settings)
    assert untested.evaluated.size == untested.test_loss.size == untested.test_accuracy.size == 0


def test_the_loss_recorded_is_that_of_the_batch_before_the_step():
    net, X, y = problem()
    before = net.copy()
    history = fit(net, X, y, "softmax_cross_entropy", SGD(0.1), epochs=1)
    assert history.loss[0] == LOSSES["softmax_cross_entropy"](before(X), y)


def test_callbacks_are_called_in_order_with_the_signals_of_the_step():
    net, X, y = problem()
    calls, states = [], []

    def first(step, given_net, signals):
        assert given_net is net
        calls.append(("first", step))
        states.append((net.theta.copy(), None if signals is None else signals.dtheta.copy()))

    def second(step, given_net, signals):
        calls.append(("second", step))

    fit(net, X, y, "softmax_cross_entropy", SGD(0.1), epochs=3, callbacks=[first, second])
    assert calls == [(name, step) for step in range(4) for name in ("first", "second")]
    assert states[0][1] is None
    for (before, _), (after, gradient) in pairwise(states):
        assert_close(after, before - 0.1 * gradient, 1e-14)


@ensembles
def test_snapshots(ensemble):
    net, X, y = problem(ensemble=ensemble)
    start = net.theta.copy()
    snapshots, every = Snapshots([3, 0, 99]), Snapshots(range(5))
    fit(net, X, y, "softmax_cross_entropy", SGD(0.1), epochs=4, callbacks=[snapshots, every])
    assert snapshots.steps == [0, 3]
    np.testing.assert_array_equal(snapshots.theta[0], start)
    np.testing.assert_array_equal(snapshots.theta[1], every.theta[3])
    np.testing.assert_array_equal(every.theta[4], net.theta)
    assert len({theta.tobytes() for theta in every.theta}) == 5


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("own", [False, True], ids=["shared", "one set a member"])
@ensembles
def test_evaluate_does_not_depend_on_the_chunk(ensemble, own, loss):
    net, X, y = problem(loss, ensemble=ensemble)
    if own:
        X = rng(5).standard_normal((*ensemble, *X.shape))
        y = rng(6).permuted(np.broadcast_to(y, (*ensemble, *y.shape)), axis=len(ensemble))
    expected = LOSSES[loss](net(X), y)
    for chunk in (1, 5, N - 1, N, 10 * N):
        value, accuracy = evaluate(net, X, y, loss, chunk=chunk)
        assert_close(value, expected, 1e-13)
        if loss == "mean_squared_error":
            assert accuracy is None
        else:
            assert_close(accuracy, LOSSES[loss].accuracy(net(X), y), 1e-13)


@pytest.mark.parametrize("shown", [True, False])
def test_the_progress_bar_stays_out_of_stdout_and_changes_nothing(shown, capfd, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "0" if shown else "1")
    losses = []
    for progress in (None, "Training"):
        net, X, y = problem()
        history = fit(net, X, y, "softmax_cross_entropy", SGD(0.1), epochs=20, progress=progress)
        losses.append(history.loss.tobytes())
        out, err = capfd.readouterr()
        assert out == ""
        assert ("Training" in err) == (shown and progress is not None)
    assert losses[0] == losses[1]
    if shown:
        assert err.rsplit("\r", 2)[-2:] == [" " * len(err.rsplit("\r", 2)[-2]), ""]  # wiped out


# ---------------------------------------------------------------------------------- side by side

# Ensembles that are cut into parts in different ways: by twos, one by one, many small ones.
CUTS = {
    "few": ((3, 120, 100, 4), (5,), "tanh"),
    "large": ((30, 400, 300, 4), (3,), "relu"),
    "two axes": ((3, 80, 60, 4), (4, 3), "sigmoid"),
    "many small": ((3, 4, 4), (1001,), "tanh"),
    "many small, two axes": ((3, 4, 4), (9, 101), "selu"),
}


@both_dtypes
@pytest.mark.parametrize("rule", [SGD(0.1, momentum=0.5), Adam(0.01)], ids=str)
@pytest.mark.parametrize("cut", CUTS)
def test_the_number_of_workers_changes_no_bit(cut, rule, dtype):
    sizes, ensemble, activation = CUTS[cut]
    X, y = rng(2).standard_normal((300, sizes[0])), rng(3).integers(0, 4, 300)
    results, parts = [], []
    for workers in (1, 2, 3, 16):
        net = MLP(sizes, activation, rng=rng(1), ensemble=ensemble, dtype=dtype)
        shuffle, kept, seen = rng(4), Snapshots([1, 3]), []
        history = fit(
            *(net, X, y, "softmax_cross_entropy", rule),
            epochs=2,
            batch_size=128,
            rng=shuffle,
            test=(X[:50], y[:50]),
            callbacks=[kept, lambda *args, seen=seen: seen.append(args[2] and args[2].X.copy())],
            workers=workers,
        )
        arrays = net.theta, history.loss, history.test_loss, history.test_accuracy, *kept.theta
        results.append([each.tobytes() for each in (*arrays, *seen[1:])])
        results[-1].append(str(shuffle.bit_generator.state))
        parts.append(len(training._parts(net, 128)))
    assert all(result == results[0] for result in results)
    assert parts[-1] > 1  # the test is one of several parts


def test_parts_of_many_small_networks_are_many():
    """A part of fewer would be multiplied in another way, which rounds in another way."""
    for ensemble in ((1001,), (150,), (9, 101), (7, 30), (300, 2), (100,), (2, 99)):
        net = MLP((2, 2, 1), rng=rng(), ensemble=ensemble)
        parts = training._parts(net, 10_000)
        assert all(net.theta[part].size / 9 >= MANY for part in parts)
        assert sum(net.theta[part].size for part in parts) == net.theta.size


@pytest.mark.parametrize("workers", [1, 2])
def test_networks_that_need_not_wait_do_not(workers):
    """A callback that names its steps is called at these; one that does not, after each."""
    sizes, ensemble, _ = CUTS["large"]
    X, y = rng(2).standard_normal((128, sizes[0])), rng(3).integers(0, 4, 128)
    net, calls = MLP(sizes, rng=rng(1), ensemble=ensemble), []

    class At:
        at = frozenset((0, 3))

        def __call__(self, step, net, signals):
            calls.append((step, signals is None))

    settings = {"epochs": 5, "workers": workers}
    fit(net, X, y, "softmax_cross_entropy", SGD(0.1), callbacks=[At()], **settings)
    assert calls == [(0, True), (3, False)]


def test_one_that_diverged_leaves_the_others_to_train_on():
    """In a part of its own; its history is filled up with NaN."""
    sizes, ensemble, _ = CUTS["large"]
    X, y = rng(2).standard_normal((128, sizes[0])), rng(3).standard_normal((128, 4))
    net = MLP(sizes, "relu", rng=rng(1), ensemble=ensemble)
    lr, steps = np.array([[1e-3], [1e9], [1e-3]]), []
    assert len(training._parts(net, 128)) == 3
    history = fit(
        *(net, X, y, "mean_squared_error", SGD(lr)),
        epochs=40,
        test=(X, y),
        evaluate_every=10,
        callbacks=[lambda step, net, signals: steps.append(step)],
        workers=3,
    )
    assert history.diverged.tolist() == [False, True, False]
    assert 0 < history.diverged_at[1] < 39
    assert steps == list(range(41))
    assert history.evaluated.tolist() == [0, 10, 20, 30, 40]
    assert np.isfinite(history.loss[:, [0, 2]]).all()
    assert np.isfinite(history.test_loss[:, [0, 2]]).all()
    assert np.isnan(history.loss[history.diverged_at[1] + 1 :, 1]).all()
    assert np.isnan(history.test_loss[1:, 1]).all()


def test_a_test_set_for_each_member():
    net, X, y = problem(ensemble=(300,))
    own_X, own_y = rng(5).standard_normal((300, 7, 3)), rng(6).integers(0, 4, (300, 7))
    history = fit(
        *(net, X, y, "softmax_cross_entropy", SGD(0.1)),
        epochs=2,
        test=(own_X, own_y),
        workers=2,
    )
    np.testing.assert_array_equal(
        history.test_loss[-1], evaluate(net, own_X, own_y, "softmax_cross_entropy")[0]
    )


def test_an_error_in_a_callback_ends_the_fit():
    net, X, y = problem(ensemble=(300,))

    def interrupt(step, net, signals):
        if step == 3:
            raise KeyboardInterrupt

    before, threads = blas_threads(), threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        fit(
            *(net, X, y, "softmax_cross_entropy", SGD(0.1)),
            epochs=9,
            callbacks=[interrupt],
            workers=2,
        )
    assert blas_threads() == before
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("activation", "loss", "rule"),
    [
        ("tanh", "softmax_cross_entropy", SGD(0.1)),
        ("relu", "softmax_cross_entropy", Adam(0.01)),
        ("sigmoid", "binary_cross_entropy", SGD(0.1, momentum=0.9)),
        ("identity", "mean_squared_error", Adam(0.01)),
    ],
)
@pytest.mark.parametrize("ensemble", [(), (2,), (256,)], ids=str)
def test_a_step_allocates_nothing(ensemble, activation, loss, rule):
    """After the first, all arrays are there already.

    What is seen is less than one number an example and network: NumPy's own chunks of 8192.
    """
    sizes = (4, 5, 5, SIZES.get(loss, (2,))[-1])
    net = MLP(sizes, activation, rng=rng(), ensemble=ensemble, dtype="float32")
    batch = 2**17 // math.prod(ensemble)
    X, y = rng(2).standard_normal((3 * batch, 4)), rng(3).integers(0, 2, 3 * batch)
    if loss == "mean_squared_error":
        y = rng(3).standard_normal((3 * batch, 2))
    peaks, held = [], 0

    def watch(step, net, signals):
        nonlocal held
        peaks.append(tracemalloc.get_traced_memory()[1] - held)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()

    tracemalloc.start()
    try:
        settings = {"epochs": 1, "batch_size": batch, "rng": rng(), "workers": 1}
        fit(net, X, y, loss, rule, callbacks=[watch], **settings)
    finally:
        tracemalloc.stop()
    assert len(peaks) == 4
    assert max(peaks[2:]) < 4 * 2**17 / 2


# ------------------------------------------------------------------------------------ explosions


@both_dtypes
@pytest.mark.parametrize("rule", [SGD(1e3), SGD(1e30), SGD(1e3, momentum=0.9)], ids=str)
def test_an_explosion_is_recorded_without_a_warning(rule, dtype):
    net, X, y = problem("mean_squared_error", "relu", dtype=dtype)
    history = fit(net, X, y, "mean_squared_error", rule, epochs=200, test=(X, y), evaluate_every=1)
    assert history.diverged
    at = int(history.diverged_at)
    assert 0 < at < 199
    assert np.isfinite(history.loss[:at]).all()
    assert not np.isfinite(history.loss[at])
    assert history.steps == at + 1  # no use going on
    assert history.evaluated.tolist() == list(range(history.steps + 1))
    assert not np.isfinite(history.test_loss[-1])


@both_dtypes
def test_an_explosion_in_the_last_step_is_seen_in_the_parameters(dtype):
    net, X, y = problem("mean_squared_error", dtype=dtype)
    lr = np.finfo(dtype).max
    net.theta *= 10
    history = fit(net, X, y, "mean_squared_error", SGD(float(lr)), epochs=1)
    assert np.isfinite(history.loss).all()
    assert not np.isfinite(net.theta).all()
    assert history.diverged
    assert history.diverged_at == history.steps == 1


@both_dtypes
def test_one_that_explodes_does_not_stop_the_others(dtype):
    net, X, y = problem("mean_squared_error", "relu", ensemble=(3,), dtype=dtype)
    start = net.theta.copy()
    settings = {"epochs": 100, "test": (X, y)}
    lr = np.array([[0.1], [1e9], [0.05]])
    history = fit(net, X, y, "mean_squared_error", SGD(lr), **settings)
    assert history.diverged.tolist() == [False, True, False]
    assert history.diverged_at[[0, 2]].tolist() == [-1, -1]
    assert history.steps == 100
    for k in (0, 2):
        single = net.with_theta(start[k].copy())
        alone = fit(single, X, y, "mean_squared_error", SGD(float(lr[k, 0])), **settings)
        rtol = 1e-12 if dtype == np.float64 else 1e-4
        assert_close(history.loss[:, k], alone.loss, rtol)
        assert_close(net.theta[k], single.theta, rtol)
    at = history.diverged_at[1]
    assert np.isfinite(history.loss[:at, 1]).all()
    assert not np.isfinite(history.loss[at:, 1]).any()
    assert not np.isfinite(history.test_loss[-1, 1])


@pytest.mark.parametrize("ensemble", [(), (1,), (3,), (120,)], ids=str)
def test_one_that_would_come_back_is_given_up_alone_and_among_others(ensemble):
    """The square of the error overflows, its slope does not, and one step would mend it."""
    net = MLP((1, 1), "identity", "zeros", rng=rng(), ensemble=ensemble, dtype="float32")
    first = (0,) * len(ensemble)
    net.W[0][first] = 1e20
    arguments = [[1.0]], [[0.0]], "mean_squared_error", SGD(0.5)
    history = fit(net, *arguments, epochs=5, test=([[1.0]], [[0.0]]))
    assert history.diverged[first]
    assert history.diverged_at[first] == 0
    assert np.isinf(history.loss[(0, *first)])
    assert np.isnan(history.loss[(slice(1, None), *first)]).all()
    assert np.isnan(history.test_loss[(-1, *first)])
    assert np.isnan(net.theta[first]).all()
    assert history.diverged.sum() == 1
    if history.diverged.size > 1:
        assert np.isfinite(net.theta[1:]).all()
        assert history.steps == 5


def test_a_network_that_starts_in_overflow_is_reported():
    net = MLP((3, 6, 5, 2), "relu", initializers.normal(1e150), rng=rng())
    _, X, y = problem("mean_squared_error")
    history = fit(net, X, y, "mean_squared_error", SGD(0.1), epochs=9, test=(X, y))
    assert (history.diverged_at, history.steps) == (0, 1)
