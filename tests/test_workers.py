"""Workers share the work fairly, stop when one fails, and leave BLAS as it was."""

import os
import threading
import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nnlab.workers import Crew, one_blas_thread, usable_cores


def blas_threads():
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def side_by_side(runs, workers):
    with Crew(workers) as crew:
        return crew.side_by_side(runs)


@pytest.fixture(autouse=True)
def two_blas_threads():
    with threadpool_limits(2, user_api="blas"):
        yield
        assert blas_threads() == {2}


def test_blas_is_held_and_given_back():
    with one_blas_thread():
        assert blas_threads() == {1}
        with one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {1}  # whoever is inside leaves it to whoever is outside
    assert blas_threads() == {2}
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert blas_threads() == {2}


def test_whoever_is_last_gives_blas_back():
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    seen = {}

    def first():
        with one_blas_thread():
            first_in.set()
            assert second_in.wait(10)
        first_out.set()

    def second():
        assert first_in.wait(10)
        with one_blas_thread():
            second_in.set()
            assert first_out.wait(10)
            seen["after the first left"] = blas_threads()

    threads = [threading.Thread(target=each) for each in (first, second)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert seen == {"after the first left": {1}}
    assert blas_threads() == {2}


def test_cores_are_those_that_may_be_used(monkeypatch):
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 4, 5}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1
    monkeypatch.setattr(os, "process_cpu_count", lambda: 7, raising=False)
    assert usable_cores() == 7


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_run_comes_to_its_meeting(workers):
    done = []

    def run(name, states):
        for state in states:
            done.append((name, state))
            yield state

    plans = {"a": [False, False, True, True], "b": [True], "c": [], "d": [False]}
    runs = [run(name, states) for name, states in plans.items()]
    with Crew(workers) as crew:
        met = crew.side_by_side(runs)
        assert met == runs[:2]
    assert {name: [s for n, s in done if n == name] for name in plans} == {
        "a": [False, False, True],  # and not what comes after the meeting
        "b": [True],
        "c": [],
        "d": [False],
    }
    assert side_by_side(met, workers) == runs[:1]
    assert side_by_side(runs[:1], workers) == []


def test_more_runs_than_workers_take_turns():
    """With three runs for two workers, none is left for the end."""
    taken = dict.fromkeys("abc", 0)
    ahead = []

    def run(name):
        for _ in range(100):
            taken[name] += 1
            ahead.append(max(taken.values()) - min(taken.values()))
            yield False

    side_by_side([run(name) for name in taken], 1)
    assert set(taken.values()) == {100}
    assert max(ahead) == 1


def test_workers_work_at_the_same_time_with_one_blas_thread_each():
    both, seen = threading.Barrier(2), []

    def run():
        seen.append(blas_threads())
        both.wait(10)  # breaks unless the other one arrives
        yield True

    assert len(side_by_side([run(), run()], 2)) == 2
    assert seen == [{1}, {1}]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_stops_the_others(workers):
    def endless():
        while True:
            yield False

    def wrong():
        yield False
        raise ZeroDivisionError("in a run")

    with pytest.raises(ZeroDivisionError, match="in a run"):
        side_by_side([endless(), wrong(), endless()], workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_explodes_does_so_without_a_warning(workers):
    def run():
        np.exp(np.array([1e5])) * np.array([0.0])
        yield True

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(side_by_side([run(), run()], workers)) == 2
