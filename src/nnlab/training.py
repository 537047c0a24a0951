"""Train a network and keep a record of what happened."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from types import EllipsisType

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from nnlab import checks, losses
from nnlab.checks import Floats
from nnlab.datasets import batches
from nnlab.losses import Loss
from nnlab.network import MANY, MLP, Signals, many_small
from nnlab.normalisers import batch_norm
from nnlab.optimizers import SGD, Adam, for_members
from nnlab.progress import Advance, bar
from nnlab.workers import Crew, one_blas_thread, usable_cores

Part = slice | EllipsisType
Callback = Callable[[int, MLP, Signals | None], object]


@dataclass(frozen=True, eq=False)
class History:
    """What :func:`fit` saw.

    Every array has the number of steps or of evaluations first, then the ensemble's axes.

    Attributes
    ----------
    loss : ndarray (steps, ...)
        Loss of each step's batch, before the step; NaN after a network diverged.
    evaluated : ndarray (evaluations,)
        Steps taken when the test set was looked at.
    test_loss, test_accuracy : ndarray (evaluations, ...)
        On the whole test set; empty where none was given (accuracy: where the loss has none).
    diverged_at : ndarray (...)
        The number of steps taken when that was seen; −1 where it never was.
    """

    loss: Floats
    evaluated: NDArray[np.int_]
    test_loss: Floats
    test_accuracy: Floats
    diverged_at: NDArray[np.int_]

    @property
    def diverged(self) -> NDArray[np.bool]:
        """Whether each network's loss or parameters stopped being finite: ndarray (...)."""
        return self.diverged_at >= 0

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return len(self.loss)


def evaluate(
    net: MLP, X: ArrayLike, y: ArrayLike, loss: str | Loss, *, chunk: int = 2000
) -> tuple[Floats, Floats | None]:
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
        Examples at once: bounds the memory, changes nothing else. Batch normalisation takes all
        examples at once, so that mean and variance are those of the set.

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
    return _evaluate(net, X, y, loss, chunk)


def _evaluate(
    net: MLP, X: Floats, y: np.ndarray, loss: Loss, chunk: int = 2000
) -> tuple[Floats, Floats | None]:
    per_output = () if loss.is_classifier else (slice(None),)
    total: Floats | float = 0.0
    correct: Floats | float = 0.0
    n = X.shape[-2]
    if net.normaliser == batch_norm:
        chunk = n
    buffers: dict[int, Signals] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, n, chunk):
            part = slice(start, min(start + chunk, n))
            size = part.stop - start
            if size not in buffers:
                buffers[size] = Signals(net, net.ensemble, size)
            logits = net.forward_into(buffers[size], X[..., part, :]).logits
            targets = y[(..., part, *per_output)]
            total += size / n * loss(logits, targets)
            if loss.is_classifier:
                correct += size / n * loss.accuracy(logits, targets)
    return np.asarray(total), np.asarray(correct) if loss.is_classifier else None


# After so many steps a run lets another one go on, if there are more of them than workers.
TURN = 16


@dataclass(frozen=True)
class _Job:
    """What :func:`fit` was asked for, checked."""

    X: Floats
    y: np.ndarray
    loss: Loss
    optimizer: SGD | Adam
    epochs: int
    batch_size: int | None
    rng: np.random.Generator | None
    test: tuple[Floats, np.ndarray] | None
    evaluate_every: int
    callbacks: Sequence[Callback]
    advance: Advance

    def wanted_by(self, step: int) -> list[Callback]:
        """The callbacks that are called at that step."""
        return [each for each in self.callbacks if step in getattr(each, "at", (step,))]


class _Run:
    """Some members of an ensemble on their way through a fit, at a pace of their own.

    What they measure is written into their part of ``values`` and ``diverged_at``.
    """

    def __init__(
        self,
        job: _Job,
        net: MLP,
        part: Part,
        whole: dict[int, Signals],
        values: Floats,
        diverged_at: NDArray[np.int_],
    ) -> None:
        self.job, self.net = job, net.with_theta(net.theta[part])
        self.optimizer = for_members(job.optimizer, net.theta, part)
        self.rng = copy.deepcopy(job.rng)  # every run shuffles alike
        self.values, self.diverged_at = values[:, part], diverged_at[part]
        self.signals = {size: signals.members(part) for size, signals in whole.items()}
        self.taken, self.size = 0, 0
        self.looks: dict[int, tuple[Floats, Floats | None]] = {}
        if job.test is not None:
            X, y = job.test
            self.test = (
                X if X.ndim == 2 else X[part],
                y if y.ndim == 1 + (not job.loss.is_classifier) else y[part],
            )

    def __iter__(self) -> Iterator[bool]:
        """Take all steps; yield whether a callback wants to see the whole ensemble now."""
        job, theta, every = self.job, self.net.theta, self.job.evaluate_every
        step = self.optimizer.start(theta)
        gradients = {size: job.loss.start_(each.logits) for size, each in self.signals.items()}
        self._look()
        if job.wanted_by(0):
            yield True
        for X, y in self._batches():
            self.size = len(X)
            signals = self.net.forward_into(self.signals[self.size], X)
            value = self.values[self.taken, ...]
            gradients[self.size](signals.logits, y, value, signals.dZ[-1])
            self.net.backward_into(signals)
            step(signals.dtheta)
            if not np.isfinite(value).all():
                self._give_up(~np.isfinite(value))
            self.taken += 1
            job.advance(1)
            if job.callbacks and job.wanted_by(self.taken):
                yield True
            if (self.diverged_at >= 0).all():
                break
            if self.taken % every == 0 and self.taken < len(self.values):
                self._look()
            if self.taken % TURN == 0:
                yield False
        self._give_up(~np.isfinite(theta).all(-1))
        self._look()

    def _give_up(self, lost: np.ndarray | np.bool) -> None:
        """Note which networks diverged now. They stay NaN, alone as well as among others."""
        self.diverged_at[lost & (self.diverged_at < 0)] = self.taken
        self.net.theta[lost] = np.nan

    def _look(self) -> None:
        if self.job.test is not None:
            self.looks[self.taken] = _evaluate(self.net, *self.test, self.job.loss)

    def _batches(self) -> Iterator[tuple[Floats, np.ndarray]]:
        job, n = self.job, len(self.job.X)
        # In the loop, arrays are filled and not made.
        room = {
            size: [np.empty((size, *each.shape[1:]), each.dtype) for each in (job.X, job.y)]
            for size in self.signals
        }
        for _ in range(job.epochs):
            if job.batch_size is None:
                yield job.X, job.y
                continue
            for index in batches(checks.generator(self.rng), n, job.batch_size):
                X, y = room[len(index)]
                np.take(job.X, index, axis=0, out=X, mode="clip")  # "raise" would make a copy
                np.take(job.y, index, axis=0, out=y, mode="clip")
                yield X, y


def _parts(net: MLP, batch_size: int) -> Sequence[Part]:
    """Return the slices of the ensemble's first axis that are trained one beside the other.

    A step of a part must be worth its while, for workers wait for each other's turns in Python: the
    entries of its signals are counted. Large networks are trained by themselves, whose weights
    then stay in the processor's cache.
    """
    if not net.ensemble:
        return [...]
    rows = net.ensemble[0]
    in_a_row = math.prod(net.ensemble[1:])
    entries = rows * in_a_row * batch_size * sum(net.sizes[1:])
    count = max(entries >> 16, 1)
    most = rows
    if many_small(net.ensemble, net.sizes):
        most = rows // -(-MANY // in_a_row)  # each part is still many
    edges = np.linspace(0, rows, min(count, most) + 1).astype(int)
    return [slice(*pair) for pair in pairwise(edges.tolist())]


def fit(
    net: MLP,
    X: ArrayLike,
    y: ArrayLike,
    loss: str | Loss,
    optimizer: SGD | Adam,
    *,
    epochs: int,
    batch_size: int | None = None,
    rng: np.random.Generator | None = None,
    test: tuple[ArrayLike, ArrayLike] | None = None,
    evaluate_every: int | None = None,
    callbacks: Sequence[Callback] = (),
    progress: str | None = None,
    workers: int | None = None,
) -> History:
    """Train a network, or all networks of an ensemble side by side, in place.

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
        ``signals`` None) and after every step, with the signals that step was made from. One that
        has an attribute ``at``, a container of steps, is called at these only: between them, the
        networks of an ensemble need not wait for each other.
    progress : str, optional
        Label of a progress bar; without it there is none. The bar goes away at the end.
    workers : int, optional
        How many networks, or groups of them, are trained at once, each on a core: all cores that
        the process may use, if it is not given. Has no influence on the results. BLAS is held to
        one thread meanwhile; only a single network leaves the cores to BLAS.

    Returns
    -------
    History
        A network whose loss or parameters stop being finite is given up: it is reported in
        ``diverged``, without a warning, and its parameters and its losses are NaN from then on.
        Training ends when all of them did.

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
    if not loss.is_classifier:
        y = checks.finite("y", checks.array("y", y, net.dtype))
    epochs = checks.positive_int("epochs", epochs)
    n = len(X)
    full_batch = batch_size is None
    batch_size = n if full_batch else min(n, checks.positive_int("batch_size", batch_size))
    if not full_batch:
        checks.generator(rng)
    if net.normaliser == batch_norm and 1 in (batch_size, n % batch_size):
        raise ValueError(
            "batch_size must leave no batch of one example for batch_norm; "
            f"got {batch_size} of {n} examples"
        )
    if not isinstance(optimizer, SGD | Adam):
        raise TypeError(f"optimizer must be SGD(...) or Adam(...); got {optimizer!r}")
    if test is not None and not (isinstance(test, list | tuple) and len(test) == 2):
        raise TypeError(f"test must be a pair (X, y); got {type(test).__name__}")
    if not isinstance(callbacks, list | tuple) or not all(map(callable, callbacks)):
        raise TypeError(f"callbacks must be a list of functions, [f]; got {callbacks!r}")
    if test is not None:
        X_test = net.check_inputs(test[0])
        test = X_test, loss.check((*X_test.shape[:-1], net.sizes[-1]), test[1])
    workers = usable_cores() if workers is None else checks.positive_int("workers", workers)
    per_epoch = -(-n // batch_size)
    every = (
        per_epoch
        if evaluate_every is None
        else checks.positive_int("evaluate_every", evaluate_every)
    )
    steps, parts = epochs * per_epoch, _parts(net, batch_size)

    limit = one_blas_thread() if net.ensemble else nullcontext()
    crew = Crew(min(workers, len(parts)))
    with bar(steps * len(parts), progress) as advance, limit, crew:
        job = _Job(
            *(X, y, loss, optimizer, epochs),
            batch_size=None if full_batch else batch_size,
            rng=rng,
            test=test,
            evaluate_every=every,
            callbacks=callbacks,
            advance=advance,
        )
        values = np.full((steps, *net.ensemble), np.nan, net.dtype)
        diverged_at = np.full(net.ensemble, -1)
        sizes = {batch_size, n % batch_size} - {0}
        whole = {size: Signals(net, net.ensemble, size) for size in sizes}
        runs = [_Run(job, net, part, whole, values, diverged_at) for part in parts]
        going = [iter(run) for run in runs]
        while going := crew.side_by_side(going):
            first = max(runs, key=lambda run: run.taken)
            signals = whole.get(first.size)
            if signals is not None:
                vars(signals)["X"] = first.signals[first.size].X
            with np.errstate(all="ignore"):
                for callback in job.wanted_by(first.taken):
                    callback(first.taken, net, signals)

    last = max(runs, key=lambda run: run.taken)  # the others diverged before
    if rng is not None and last.rng is not None:
        rng.bit_generator.state = last.rng.bit_generator.state
    evaluated = list(last.looks)

    def gathered(which: int, dtype: DTypeLike) -> Floats:
        found = np.full((len(evaluated), *net.ensemble), np.nan, dtype)
        for run, part in zip(runs, parts, strict=True):
            for i, step in enumerate(evaluated):
                if step in run.looks:
                    found[i, part] = run.looks[step][which]
        return found if evaluated else np.array([])

    return History(
        loss=values[: last.taken],
        evaluated=np.array(evaluated, dtype=int),
        test_loss=gathered(0, net.dtype),
        test_accuracy=gathered(1, np.float64) if loss.is_classifier else np.array([]),
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

    def __init__(self, steps: Iterable[int]) -> None:
        if not isinstance(steps, Iterable):
            raise TypeError(f"steps must be whole numbers, for example range(10); got {steps!r}")
        self._wanted = {checks.whole_number("every step in steps", step) for step in steps}
        self.at = {0, *self._wanted}  # At 0, a fit begins.
        self._kept: list[tuple[int, Floats]] = []

    def __repr__(self) -> str:
        return f"Snapshots({len(self._kept)} of {len(self._wanted)} steps)"

    def __call__(self, step: int, net: MLP, signals: Signals | None) -> None:
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
    def theta(self) -> list[Floats]:
        """The copies (..., n_parameters), in the order of :attr:`steps`."""
        return [theta for _, theta in self._kept]
