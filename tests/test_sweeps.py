"""Sweeps: the same rows whoever runs them, and nothing lost or done twice when one dies."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
import tqdm.auto
from threadpoolctl import threadpool_info, threadpool_limits

from nnlab.datasets import xor
from nnlab.network import MLP
from nnlab.optimizers import SGD
from nnlab.sweeps import sweep
from nnlab.training import fit

GRID = {"width": [2, 3], "lr": [0.1, 1.0]}


def train(width, lr, seed):
    net = MLP((2, width, 1), rng=np.random.default_rng(seed))
    history = fit(net, *xor(), "binary_cross_entropy", SGD(lr), epochs=20, workers=1)
    return {"loss": float(history.loss[-1])}


def mark(x, seed, *, log, stuck=None):
    """Leave a mark in the file ``log`` at the start and at the end, and wait in between.

    The first run of ``x == stuck`` waits for its end.
    """
    note(log, f"begin {x} {os.getpid()}")
    first = [each for each, _ in marks(log, "begin")].count(x) == 1
    time.sleep(120 if x == stuck and first else 0.3)
    note(log, f"end {x} {os.getpid()}")
    return {"square": x * x}


def note(log, line):
    with Path(log).open("a") as file:  # a line is written at once
        file.write(line + "\n")


def marks(log, kind):
    lines = [line.split() for line in Path(log).read_text().splitlines()]
    return [(int(x), int(pid)) for each, x, pid in lines if each == kind]


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_a_row_a_run_in_the_order_of_grid_and_seeds():
    rows = sweep(train, GRID, seeds=[3, 1], workers=1)
    order = [(w, lr, s) for w in (2, 3) for lr in (0.1, 1.0) for s in (3, 1)]
    assert [(row["width"], row["lr"], row["seed"]) for row in rows] == order
    for row, (width, lr, seed) in zip(rows, order, strict=True):
        assert row["loss"] == train(width, lr, seed)["loss"]
    assert len({row["loss"] for row in rows}) == len(rows)


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(processes=True, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(2, timeout=60)
        yield client


def test_the_same_numbers_whatever_runs_it(client):
    here = sweep(train, GRID, seeds=2, workers=1)
    assert sweep(train, GRID, seeds=2, workers=2) == here
    assert sweep(train, GRID, seeds=2, cluster=client) == here
    assert sweep(train, GRID, seeds=2, cluster=client.scheduler.address) == here
    assert client.status == "running"  # a client that was given is left open


def blas_threads(seed):
    found = [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
    return {"threads": max(found, default=1), "process": os.getpid()}


def two_threads():
    threadpool_limits(2)


def test_one_blas_thread_a_worker(client):
    client.run(two_threads)
    for options in ({"workers": 1}, {"workers": 2}, {"cluster": client}):
        with threadpool_limits(2):
            rows = sweep(blas_threads, {}, seeds=4, **options)
        assert {row["threads"] for row in rows} == {1}
        away = options != {"workers": 1}
        assert all((row["process"] != os.getpid()) == away for row in rows)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of the process that is killed
def test_a_killed_worker_loses_nothing_and_nothing_is_done_twice(client, tmp_path):
    log, folder = tmp_path / "log", tmp_path / "kept"
    log.touch()
    run = partial(mark, log=log, stuck=5)
    killer = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_sweeps import marks, wait_for
at_work = lambda: dict(marks({str(log)!r}, "begin"))
wait_for(lambda: len(marks({str(log)!r}, "end")) >= 6 and 5 in at_work())
os.kill(at_work()[5], signal.SIGKILL)
"""
    with subprocess.Popen([sys.executable, "-c", killer]) as process:
        rows = sweep(run, {"x": range(16)}, seeds=1, folder=folder, cluster=client)
        process.wait(timeout=60)
    assert process.returncode == 0
    assert rows == [{"x": x, "seed": 0, "square": x * x} for x in range(16)]
    assert sorted(x for x, _ in marks(log, "end")) == list(range(16))  # each once
    begun = [x for x, _ in marks(log, "begin")]
    assert sorted(begun) == sorted([*range(16), 5])  # what was under way began again, no other
    assert len(list(folder.glob("*.pickle"))) == 16


def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path):
    log, folder = tmp_path / "log", tmp_path / "kept"
    log.touch()
    script = f"""
import sys
from functools import partial
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_sweeps import mark
from nnlab.sweeps import sweep
sweep(partial(mark, log={str(log)!r}), {{"x": range(8)}}, seeds=1, workers=1,
      folder={str(folder)!r})
"""
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        wait_for(lambda: len(marks(log, "end")) >= 3)
        process.kill()
    done = len(list(folder.glob("*.pickle")))
    assert 2 <= done < 8
    before = len(marks(log, "end"))
    run = partial(mark, log=str(log))
    rows = sweep(run, {"x": range(8)}, seeds=1, workers=1, folder=folder)
    assert [row["square"] for row in rows] == [x * x for x in range(8)]
    assert len(marks(log, "end")) - before == 8 - done
    assert sweep(run, {"x": range(8)}, seeds=1, workers=1, folder=folder) == rows
    assert len(marks(log, "end")) - before == 8 - done
    # A larger sweep runs what is new.
    sweep(run, {"x": range(9)}, seeds=1, workers=1, folder=folder)
    assert len(marks(log, "end")) - before == 9 - done


def test_a_run_that_is_cut_off_while_it_is_written_is_not_kept(tmp_path, monkeypatch):
    def full(row, file):
        file.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(joblib, "dump", full)
    with pytest.raises(OSError, match="no space"):
        sweep(train, {"width": [2], "lr": [1.0]}, seeds=1, workers=1, folder=tmp_path)
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.pickle"))
    rows = sweep(train, {"width": [2], "lr": [1.0]}, seeds=1, workers=1, folder=tmp_path)
    assert rows[0]["loss"] == train(2, 1.0, 0)["loss"]


def test_another_function_is_another_experiment(tmp_path):
    def first(x, seed):
        return {"y": x}

    def second(x, seed):
        return {"y": -x}

    second.__qualname__ = first.__qualname__
    for run, y in ((first, 1), (second, -1), (first, 1)):
        assert sweep(run, {"x": [1]}, seeds=1, workers=1, folder=tmp_path)[0]["y"] == y
    assert len(list(tmp_path.iterdir())) == 2
    # Neither are two that differ in what is bound to them.
    for factor in (2, 3):
        run = partial(scaled, factor=factor)
        row = sweep(run, {"x": [1]}, seeds=1, workers=1, folder=tmp_path)[0]
        assert row["y"] == factor


def scaled(x, seed, *, factor):
    return {"y": factor * x}


def fail(x, seed):
    if x == 2:
        raise RuntimeError("x is 2")
    return {}


def test_an_error_of_a_run_is_raised_and_what_was_done_is_kept(tmp_path):
    with pytest.raises(RuntimeError, match="x is 2"):
        sweep(fail, {"x": [0, 1, 2]}, seeds=1, workers=1, folder=tmp_path)
    assert len(list(tmp_path.glob("*.pickle"))) == 2


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"run": "train"}, TypeError, "run must be a function; got 'train'"),
        ({"run": lambda width, lr, seed: 3}, TypeError, "must return a dict of results; got 3"),
        (
            {"run": lambda width, lr, seed: {"lr": 3}},
            ValueError,
            r"named as its setting: \['lr'\]",
        ),
        ({"grid": [1]}, TypeError, "grid must be a dict"),
        ({"grid": {"lr": 0.1}}, TypeError, "list of values for lr; got 0.1"),
        ({"grid": {"lr": "abc"}}, TypeError, "list of values for lr; got 'abc'"),
        ({"grid": {"lr": []}}, ValueError, "at least one value for lr"),
        ({"grid": {"seed": [1]}}, ValueError, "not seed; got 'seed'"),
        ({"grid": {3: [1]}}, ValueError, "must be an argument's.*got 3"),
        ({"grid": {"width": [2, 2], "lr": [1.0]}}, ValueError, "asked for once.*'width': 2"),
        ({"seeds": 0}, ValueError, "seeds must be at least 1"),
        ({"seeds": []}, ValueError, "at least one seed"),
        ({"seeds": [0.5]}, TypeError, "every seed must be a whole number"),
        ({"seeds": [1, 1]}, ValueError, "asked for once"),
        ({"workers": 0}, ValueError, "workers must be at least 1"),
        ({"cluster": 8786}, TypeError, "cluster must be an address or a Client; got 8786"),
        ({"folder": 3}, TypeError, "folder must be a path; got 3"),
        ({"progress": True}, TypeError, "progress must be the label of the bar; got True"),
    ],
)
def test_bad_input(change, error, message):
    good = {"run": train, "grid": {"width": [2], "lr": [1.0]}, "seeds": 1, "workers": 1}
    arguments = good | change
    run, grid = arguments.pop("run"), arguments.pop("grid")
    with pytest.raises(error, match=message):
        sweep(run, grid, **arguments)


def test_a_cluster_without_dask_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'nnlab\[cluster\]'"):
        sweep(train, GRID, seeds=1, cluster="tcp://127.0.0.1:1")


def test_the_bar_counts_runs_and_goes_away(monkeypatch, capsys):
    seen = []

    class Bar(tqdm.auto.tqdm):
        def update(self, n=1):
            seen.append(n)
            return super().update(n)

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    sweep(train, GRID, seeds=1, workers=1, progress="training")
    assert sum(seen) == 4 and "training" in capsys.readouterr().err
    monkeypatch.setenv("TQDM_DISABLE", "1")
    sweep(train, GRID, seeds=1, workers=1, progress="training")
    assert capsys.readouterr().err == ""
