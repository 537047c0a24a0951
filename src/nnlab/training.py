"""Train a network and keep a record of what happened."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from nnlab import checks, losses
from nnlab.datasets import batches
from nnlab.network import MLP, Signals
from nnlab.optimizers import SGD, Adam


@dataclass(frozen=True, eq=False)
class History:
    """What :func:`fit` saw.

    Every array has the number of steps or of evaluations first, then the ensemble's axes.

    Attributes
    ----------
    loss : ndarray (steps, ...)
        Loss of each step's batch, before the step.
    evaluated : ndarray (evaluations,)
        Steps taken when the test set was looked at.
    test_loss, test_accuracy : ndarray (evaluations, ...)
        On the whole test set; empty where none was given (accuracy: where the loss has none).
    diverged_at : ndarray (...)
        The number of steps taken when that was seen; −1 where it never was.
    """

    loss: np.ndarray
    evaluated: np.ndarray
    test_loss: np.ndarray
    test_accuracy: np.ndarray
    diverged_at: np.ndarray

    @property
    def diverged(self) -> np.ndarray:
        """Whether each network's loss or parameters stopped being finite: ndarray (...)."""
        return self.diverged_at >= 0

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return len(self.loss)


def evaluate(net: MLP, X, y, loss, *, chunk: int = 2000) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the mean loss and the accuracy over a whole set, a chunk at a time.

    Parameters
    ----------
    net : MLP
        One network, or an ensemble with axes ``...``.
    X : ndarray (n, fan_in)
        Examples.
    y : ndarray
        As the loss wants it.
    loss : str or Loss
        Its name, or the object.
    chunk : int
        Examples at once: bounds the memory, changes nothing else.

    Returns
    -------
    loss : ndarray (...)
        The mean over all examples.
    accuracy : ndarray (...) or None
        The share that is classified correctly; None where the loss is not over classes.

    Raises
    ------
    TypeError, ValueError
        If the examples or the targets do not fit.

    Examples
    --------
    >>> from nnlab.datasets import xor
    >>> net = MLP((2, 1), init="zeros", rng=np.random.default_rng(0))
    >>> loss, accuracy = evaluate(net, *xor(), "binary_cross_entropy")
    >>> float(loss.round(4)), float(accuracy)
    (0.6931, 0.5)
    """
    checks.instance("net", net, MLP)
    loss = losses.get(loss)
    X, chunk = net.check_inputs(X), checks.positive_int("chunk", chunk)
    y = loss.check((*X.shape[:-1], net.sizes[-1]), y)
    per_output = () if loss.is_classifier else (slice(None),)
    total, correct, n = 0.0, 0.0, X.shape[-2]
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, n, chunk):
            part = slice(start, start + chunk)
            logits, targets = net(X[..., part, :]), y[(..., part, *per_output)]
            share = logits.shape[-2] / n
            total += share * loss(logits, targets)
            if loss.is_classifier:
                correct += share * loss.accuracy(logits, targets)
    return np.asarray(total), np.asarray(correct) if loss.is_classifier else None


def fit(
    net: MLP,
    X,
    y,
    loss,
    optimizer,
    *,
    epochs: int,
    batch_size: int | None = None,
    rng: np.random.Generator | None = None,
    test: tuple | None = None,
    evaluate_every: int | None = None,
    callbacks: Sequence[Callable] = (),
    progress: str | None = None,
) -> History:
    """Train a network, or all networks of an ensemble at once, in place.

    Parameters
    ----------
    net : MLP
        Its ``theta`` is moved in place.
    X : ndarray (n, fan_in)
        All training examples.
    y : ndarray
        As the loss wants it.
    loss : str or Loss
        Its name, or the object.
    optimizer : SGD or Adam
        A fresh start is made: no memory is kept from an earlier fit.
    epochs : int
        How often to go through the examples.
    batch_size : int, optional
        Examples a step; all of them (full-batch) if it is not given. Every epoch shuffles.
    rng : numpy.random.Generator, optional
        For the shuffles; needed with ``batch_size``.
    test : tuple of (X, y), optional
        A set to look at every ``evaluate_every`` steps, before the first and after the last.
    evaluate_every : int, optional
        Steps between two looks; one epoch if it is not given.
    callbacks : sequence of callable
        Each is called as ``callback(step, net, signals)``: once before the first step (``step`` 0,
        ``signals`` None) and after every step, with the signals that step was made from.
    progress : str, optional
        Label of a progress bar; without it there is none. The bar goes away at the end.

    Returns
    -------
    History
        A network that stops being finite is reported in ``diverged``, without a warning;
        training ends when all of them did.

    Raises
    ------
    ValueError, TypeError
        If shapes, labels, sizes or names do not fit, or inputs are not finite.

    Examples
    --------
    >>> from nnlab.datasets import xor
    >>> from nnlab.optimizers import SGD
    >>> net = MLP((2, 8, 1), "tanh", "xavier_uniform", rng=np.random.default_rng(0))
    >>> history = fit(net, *xor(), "binary_cross_entropy", SGD(lr=1.0), epochs=500)
    >>> history.steps, bool(history.loss[-1] < 0.05)
    (500, True)
    """
    checks.instance("net", net, MLP)
    loss = losses.get(loss)
    X = net.check_inputs(X)
    if X.ndim != 2:
        raise ValueError(f"X must be (n, {net.sizes[0]}) to be trained on; got shape {X.shape}")
    y = loss.check((len(X), net.sizes[-1]), y)
    epochs = checks.positive_int("epochs", epochs)
    n = len(X)
    full_batch = batch_size is None
    batch_size = n if full_batch else min(n, checks.positive_int("batch_size", batch_size))
    if not full_batch:
        checks.generator(rng)
    if not isinstance(optimizer, SGD | Adam):
        raise TypeError(f"optimizer must be SGD(...) or Adam(...); got {optimizer!r}")
    if test is not None and not (isinstance(test, list | tuple) and len(test) == 2):
        raise TypeError(f"test must be a pair (X, y); got {type(test).__name__}")
    if not isinstance(callbacks, list | tuple) or not all(map(callable, callbacks)):
        raise TypeError(f"callbacks must be a list of functions, [f]; got {callbacks!r}")
    if not isinstance(progress, str | None):
        raise TypeError(f"progress must be the label of the bar; got {progress!r}")
    per_epoch = -(-n // batch_size)
    every = (
        per_epoch
        if evaluate_every is None
        else checks.positive_int("evaluate_every", evaluate_every)
    )

    buffers = {}
    step = optimizer.start(net.theta)
    values = np.empty((epochs * per_epoch, *net.ensemble), net.dtype)
    diverged_at = np.full(net.ensemble, -1)
    evaluated, tested = [], []

    def look(taken):
        if test is not None:
            evaluated.append(taken)
            tested.append(evaluate(net, *test, loss))

    def order():
        for _ in range(epochs):
            if full_batch:
                yield X, y
            else:
                for index in batches(rng, n, batch_size):
                    yield X[index], y[index]

    look(0)
    for callback in callbacks:
        callback(0, net, None)
    taken = 0
    steps = order()
    if progress is not None:
        # tqdm's notebook bar ignores TQDM_DISABLE by itself, and would be saved with the outputs.
        quiet = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
        steps = tqdm(steps, total=len(values), desc=progress, leave=False, disable=quiet)
    # A network that explodes is reported once, in the history; NumPy would warn at every step.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for X_batch, y_batch in steps:
            if len(X_batch) not in buffers:
                buffers[len(X_batch)] = Signals(net, net.ensemble, len(X_batch))
            signals = net.forward_into(buffers[len(X_batch)], X_batch)
            values[taken], dlogits = loss.value_and_gradient_(signals.logits, y_batch)
            net.backward(signals, dlogits)
            step(signals.dtheta)
            lost = not np.isfinite(values[taken]).all()
            if lost:
                diverged_at[~np.isfinite(values[taken]) & (diverged_at < 0)] = taken
            taken += 1
            for callback in callbacks:
                callback(taken, net, signals)
            if lost and (diverged_at >= 0).all():
                break
            if taken % every == 0 and taken < len(values):
                look(taken)
        lost = ~np.isfinite(net.theta).all(-1) & (diverged_at < 0)
        diverged_at[lost] = taken
    look(taken)
    if progress is not None:
        steps.close()
    test_loss = np.array([each[0] for each in tested])
    test_accuracy = np.array([each[1] for each in tested if each[1] is not None])
    return History(
        loss=values[:taken],
        evaluated=np.array(evaluated, dtype=int),
        test_loss=test_loss,
        test_accuracy=test_accuracy,
        diverged_at=diverged_at,
    )


class Snapshots:
    """A callback for :func:`fit` that keeps copies of the parameters at chosen steps.

    Every fit begins anew, and drops what was kept before.

    Parameters
    ----------
    steps : iterable of int
        At which steps to copy; 0 is the start.

    Raises
    ------
    TypeError, ValueError
        If a step is not a whole number of at least 0.

    Examples
    --------
    >>> from nnlab.datasets import xor
    >>> from nnlab.optimizers import SGD
    >>> net = MLP((2, 1), init="zeros", rng=np.random.default_rng(0))
    >>> kept = Snapshots([0, 10])
    >>> _ = fit(net, *xor(), "binary_cross_entropy", SGD(0.1), epochs=10, callbacks=[kept])
    >>> kept.steps, len(kept.theta)
    ([0, 10], 2)
    """

    def __init__(self, steps: Iterable[int]):
        if not isinstance(steps, Iterable):
            raise TypeError(f"steps must be whole numbers, for example range(10); got {steps!r}")
        self._wanted = {checks.whole_number("every step in steps", step) for step in steps}
        self._kept = []

    def __repr__(self) -> str:
        return f"Snapshots({len(self._kept)} of {len(self._wanted)} steps)"

    def __call__(self, step, net, signals):
        """Copy the parameters if ``step`` is one of those asked for."""
        if step == 0:
            self._kept = []
        if step in self._wanted:
            self._kept.append((step, net.theta.copy()))

    @property
    def steps(self) -> list[int]:
        """The steps that were reached."""
        return [step for step, _ in self._kept]

    @property
    def theta(self) -> list[np.ndarray]:
        """The copies (..., n_parameters), in the order of :attr:`steps`."""
        return [theta for _, theta in self._kept]
