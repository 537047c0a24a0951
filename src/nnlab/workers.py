"""Work that is done side by side: a worker a core, each with matrix products of its own.

NumPy lets go of Python's lock while it computes, so threads are enough. Meanwhile BLAS is held to
one thread: its own threads would wait for each other at every product, and wait busily.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from types import TracebackType
from typing import Any

import numpy as np

#: Whether Python can start threads. In a browser it cannot.
THREADS = sys.platform != "emscripten"


def usable_cores() -> int:
    """Return how many cores this process may use; 1 where Python cannot start threads.

    Returns
    -------
    int

    Examples
    --------
    >>> usable_cores() >= 1
    True
    """
    if not THREADS:
        return 1
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_lock, _users = threading.Lock(), 0
_limit: Any = None  # what puts BLAS's own number of threads back


@cache  # finding the libraries takes a while
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _hold() -> Any:
    return _controller().limit(limits=1, user_api="blas")


def _take_control() -> None:
    """Let this thread set OpenBLAS's threads: threadpoolctl lets only one, the first, by itself."""
    for library in _controller().lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread meanwhile, in the whole process.

    Whoever is first sets the limit and whoever is last takes it away, so several threads may do
    this at once.

    Examples
    --------
    >>> with one_blas_thread():
    ...     product = np.ones((2, 3)) @ np.ones((3, 2))
    """
    global _users, _limit
    if not THREADS:  # BLAS has one, too
        yield
        return
    with _lock:
        if _users == 0:
            _take_control()
            _limit = _hold()
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _take_control()
                _limit.restore_original_limits()
                _take_control()  # And leave it to whoever comes next.


class Crew:
    """Workers, each a thread; one of them is no thread of its own, but does the work itself.

    Parameters
    ----------
    workers : int
        How many. Where Python cannot start threads, one does all the work.

    Examples
    --------
    >>> with Crew(2) as crew:
    ...     len(crew.side_by_side([iter([False, True]), iter([])]))
    1
    """

    def __init__(self, workers: int) -> None:
        self._workers, self._stack = (workers if THREADS else 1), ExitStack()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> "Crew":
        if self._workers > 1:
            self._stack.enter_context(one_blas_thread())
            # Where BLAS counts its threads for each of ours, every worker has a limit to set.
            pool = ThreadPoolExecutor(self._workers, initializer=_hold)
            self._pool = self._stack.enter_context(pool)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def side_by_side(self, runs: Sequence[Iterator[bool]]) -> list[Iterator[bool]]:
        """Let every run go on until it comes to a meeting, or to its end.

        A run is an iterator. It yields True at a meeting, and False now and then between meetings:
        then it may have to wait, so that all runs come forward alike even where there are more of
        them than workers. Floating-point errors give no warnings.

        Parameters
        ----------
        runs : sequence of iterator
            What is to be done.

        Returns
        -------
        list of iterator
            Those that are at a meeting, in the order of ``runs``; the others are over.
        """
        waiting, met, stop = deque(runs), set(), threading.Event()

        def work() -> None:
            while waiting and not stop.is_set():
                try:
                    run = waiting.popleft()
                except IndexError:  # Another worker was faster.
                    return
                try:
                    with np.errstate(all="ignore"):
                        state = next(run, None)
                except BaseException:
                    stop.set()
                    raise
                if state:
                    met.add(run)
                elif state is not None:
                    waiting.append(run)

        if self._pool is None or len(runs) == 1:
            work()
        else:
            futures = [self._pool.submit(work) for _ in range(min(self._workers, len(runs)))]
            try:
                for future in futures:
                    future.result()
            finally:
                stop.set()  # Whoever is still at work has been left alone by an error.
        return [run for run in runs if run in met]
