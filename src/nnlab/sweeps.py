r"""Many runs of one experiment, on every core of this machine or of a cluster.

A *sweep* runs a function for every setting of a grid and every seed. joblib hands the runs out, to
processes here or, by one argument, to a Dask cluster. A run depends on its setting and its seed
alone, so the numbers are the same whoever runs it.
"""

import inspect
import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnlab import checks
from nnlab.files import whole
from nnlab.progress import bar
from nnlab.workers import one_blas_thread, usable_cores

if TYPE_CHECKING:
    from distributed import Client

Row = dict[str, Any]
Run = Callable[..., Mapping[str, Any]]


def sweep(
    run: Run,
    grid: Mapping[str, Sequence[Any]],
    *,
    seeds: int | Iterable[int],
    folder: str | os.PathLike[str] | None = None,
    cluster: "str | Client | None" = None,
    workers: int | None = None,
    progress: str | None = None,
) -> list[Row]:
    """Run an experiment for every setting of a grid and every seed.

    Parameters
    ----------
    run : callable
        Called as ``run(**setting, seed=seed)``; returns a mapping from names to results. All its
        randomness must come from the seed.
    grid : mapping of str to sequence
        The values of each argument. Every combination is a setting.
    seeds : int or iterable of int
        ``5`` means 0, 1, 2, 3 and 4.
    folder : path, optional
        Where each finished run is kept, one file a run, at once and whole or not at all. A run that
        is there already is not run again; nor is it if its worker died after it had finished. A
        cluster must see the folder under the same path on all of its machines. A run is known by
        its function's name and text, its setting and its seed; of what the function calls
        nothing is known, so begin an empty folder when that changes.
    cluster : str or object, optional
        The address of a Dask scheduler, such as ``"tcp://10.0.0.1:8786"``, or a
        ``distributed.Client``. Runs of a worker that dies are given to another one. Needs
        ``pip install 'nnlab[cluster]'``.
    workers : int, optional
        Processes on this machine: one a core, if it is not given. On a cluster, all its workers
        work. Each run has one BLAS thread.
    progress : str, optional
        Label of a progress bar; without it there is none. The bar goes away at the end.

    Returns
    -------
    list of dict
        A row a run, in the order of the grid and then of the seeds: its setting, its seed and its
        results, each under its name.

    Raises
    ------
    TypeError, ValueError
        If an argument is not valid, a run is asked for twice, or a run returns something else than
        a mapping, or a name that its setting has too.
    ImportError
        If a cluster is asked for and distributed is not installed.

    Examples
    --------
    >>> def area(width, height, seed):
    ...     return {"area": width * height}
    >>> sweep(area, {"width": [1, 2], "height": [3]}, seeds=1, workers=1)
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'width': 1, 'height': 3, 'seed': 0, 'area': 3},
     {'width': 2, 'height': 3, 'seed': 0, 'area': 6}]
    """
    if not callable(run):
        raise TypeError(f"run must be a function; got {run!r}")
    settings = [{**setting, "seed": seed} for setting in _settings(grid) for seed in _seeds(seeds)]
    shown = bar(len(settings), progress)
    workers = usable_cores() if workers is None else checks.positive_int("workers", workers)
    import joblib  # takes a while, and only sweeps need it

    name = _known_by(run)
    keys = [joblib.hash((name, setting)) for setting in settings]
    if len(set(keys)) < len(keys):
        twice = next(s for s, key in zip(settings, keys, strict=True) if keys.count(key) > 1)
        raise ValueError(f"every run must be asked for once; {twice} is there twice")
    files: list[Path | None] = [None] * len(keys)
    if folder is not None:
        if not isinstance(folder, str | os.PathLike):
            raise TypeError(f"folder must be a path; got {folder!r}")
        home = Path(folder).absolute()
        home.mkdir(parents=True, exist_ok=True)
        files = [home / f"{key}.pickle" for key in keys]

    class Parallel(joblib.Parallel):  # type: ignore[misc]
        shown = 0

        def print_progress(self) -> None:
            """Called by joblib whenever runs were completed, with any backend."""
            advance(self.n_completed_tasks - self.shown)
            self.shown = self.n_completed_tasks

    with ExitStack() as stack:
        if cluster is not None:
            client = stack.enter_context(_client(cluster))
            stack.enter_context(joblib.parallel_config("dask", client=client))
        advance = stack.enter_context(shown)
        call = joblib.delayed(_run_once)
        rows: list[Row] = Parallel(n_jobs=workers)(
            call(run, setting, file) for setting, file in zip(settings, files, strict=True)
        )
    return rows


def _settings(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    if not isinstance(grid, Mapping):
        raise TypeError(f'grid must be a dict, for example {{"lr": [0.1, 1]}}; got {grid!r}')
    for name, values in grid.items():
        if not isinstance(name, str) or not name.isidentifier() or name == "seed":
            raise ValueError(f"a name in grid must be an argument's, and not seed; got {name!r}")
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise TypeError(f"grid must give a list of values for {name}; got {values!r}")
    columns = [list(values) for values in grid.values()]
    for name, values in zip(grid, columns, strict=True):
        if not values:
            raise ValueError(f"grid must give at least one value for {name}; got none")
    return [dict(zip(grid, row, strict=True)) for row in itertools.product(*columns)]


def _seeds(seeds: int | Iterable[int]) -> list[int]:
    if not isinstance(seeds, Iterable):
        return list(range(checks.positive_int("seeds", seeds)))
    chosen = [checks.whole_number("every seed", seed) for seed in seeds]
    if not chosen:
        raise ValueError("seeds must hold at least one seed; got none")
    return chosen


def _known_by(run: Run) -> tuple[Any, ...]:
    """Return what a function is known by: its name, its text, and what is bound to it."""
    bound = []
    while isinstance(run, partial):
        bound.append((run.args, run.keywords))
        run = run.func
    name = getattr(run, "__qualname__", type(run).__qualname__)
    try:
        return name, inspect.getsource(run), bound
    except (OSError, TypeError):  # typed at a prompt, or an object
        return name, run, bound


def _client(cluster: "str | Client") -> Any:
    """Return a context that yields a client of the cluster; one that is given is left open."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError("a cluster needs Dask: pip install 'nnlab[cluster]'") from error
    if isinstance(cluster, str):
        return Client(cluster, set_as_default=False)  # type: ignore[no-untyped-call]
    if not isinstance(cluster, Client):
        raise TypeError(f"cluster must be an address or a Client; got {cluster!r}")
    return nullcontext(cluster)


def _run_once(run: Run, setting: Row, file: Path | None) -> Row:
    """Return the row of a run: from its file, or else run it, and keep it there."""
    import joblib

    if file is not None and file.exists():
        row: Row = joblib.load(file)
        return row
    with one_blas_thread():
        result = run(**setting)
    if not isinstance(result, Mapping):
        raise TypeError(f"run must return a dict of results; got {result!r}")
    if shared := result.keys() & setting.keys():
        raise ValueError(f"run must not return a result named as its setting: {sorted(shared)}")
    row = {**setting, **result}
    if file is not None:
        with whole(file) as part:
            joblib.dump(row, part)
    return row
