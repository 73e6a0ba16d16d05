"""The ideal of computation: plain processes that make the same calls and do nothing else."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.synchronize import Barrier
from typing import Any

from benchmarks.functions.bench import pi

#: Points that ``pi`` draws in about a millisecond.
PI_POINTS_A_MS = 11_400


def ideal_s(points: int, tasks: int, workers: int) -> float:
    """Returns the seconds in which plain processes make the same calls.

    They share nothing but a counter of the calls that are left, so that none waits for another.
    Like workers they are fresh interpreters that have made a call before.
    """
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(workers + 1)
    end = context.Barrier(workers + 1)
    left = context.Value("i", tasks)
    processes = [
        context.Process(target=_compute, args=(points, left, start, end)) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    start.wait()
    started = time.perf_counter()
    end.wait()
    elapsed_s = time.perf_counter() - started
    for process in processes:
        process.join()
    return elapsed_s


def _compute(points: int, left: Any, start: Barrier, end: Barrier) -> None:
    pi(points)
    start.wait()
    while True:
        with left.get_lock():
            mine = left.value > 0
            left.value -= mine
        if not mine:
            break
        pi(points)
    end.wait()
