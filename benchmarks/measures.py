"""The measures: each takes a running instance and yields what it found."""

from __future__ import annotations

import gc
import multiprocessing
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks.bare_loop import run_bare_loop
from benchmarks.data_measures import shuffle, sort, wordcount
from benchmarks.figures import Bench, Figure, worker_pids
from benchmarks.functions.bench import pi

_PI_POINTS_A_MS = 11_400


def noop(bench: Bench, tasks: int = 100_000, runs: int = 3) -> Iterator[Figure]:
    """No-op tasks from the submit call to the reducer's result, against the bare loop."""
    rates, bare = [], []
    for _ in range(runs):
        rates.append(tasks / _job_s(bench, "bench.noop", range(tasks)))
        bare.append(tasks / run_bare_loop(str(bench.instance.target.path), tasks, bench.workers))
    yield Figure(f"no-op, {tasks:,} tasks", statistics.median(rates), "tasks/s")
    yield Figure(f"bare loop, {tasks:,} tasks", statistics.median(bare), "tasks/s")
    ratios = [ours / limit for ours, limit in zip(rates, bare, strict=True)]
    yield Figure("of the bare loop", statistics.median(ratios), "ratio")


def million(bench: Bench, tasks: int = 1_000_000) -> Iterator[Figure]:
    """A million no-op tasks: rate, Redis memory beyond the outputs, worker memory."""
    raw = bench.raw()
    before = raw.info("memory")["used_memory"]
    peak = _Peak(lambda: raw.info("memory")["used_memory"])
    workers = _Peak(_worker_memory)
    first = _worker_memory()
    with peak, workers:
        started = time.perf_counter()
        job = bench.client.invoke({"mapper": "bench.noop", "inputs": []}, inputs=range(tasks))
        yield Figure(f"submit {tasks:,} inputs", time.perf_counter() - started, "s")
        job.wait()
        elapsed_s = time.perf_counter() - started
    outputs = raw.memory_usage(f"amr:{{inputs}}:job:{job.id}:outputs", samples=0)
    yield Figure(f"no-op, {tasks:,} tasks, map only", tasks / elapsed_s, "tasks/s")
    yield Figure("stored outputs", outputs / tasks, "bytes/task")
    beyond = (peak.most - before - outputs) / tasks
    yield Figure("Redis at the peak beyond the outputs", beyond, "bytes/task")
    yield Figure("largest worker before", first / 2**20, "MiB")
    yield Figure("largest worker at its peak", workers.most / 2**20, "MiB")
    raw.delete(*raw.keys(f"*job:{job.id}*"))


def latency(bench: Bench, runs: int = 300) -> Iterator[Figure]:
    """One-task jobs, from the submit call to the reducer's result."""
    times = sorted(1000 * _job_s(bench, "bench.noop", [1]) for _ in range(runs))
    yield Figure("one-task job p50", times[runs // 2], "ms")
    yield Figure("one-task job p95", times[runs * 95 // 100], "ms")


def efficiency(bench: Bench) -> Iterator[Figure]:
    """CPU-bound tasks against two plain processes that share the same calls between them."""
    for task_ms, tasks in ((2, 200), (50, 40), (200, 20)):
        points = _PI_POINTS_A_MS * task_ms
        ratios = []
        for _ in range(5):
            ideal_s = _ideal_s(points, tasks, bench.workers)
            ratios.append(ideal_s / _job_s(bench, "bench.pi", [points] * tasks))
        name = f"Pi, {tasks} tasks of about {task_ms} ms: of {bench.workers} ideal cores"
        yield Figure(name, statistics.median(ratios), "ratio")
        yield Figure("    the best of 5", max(ratios), "ratio")


def waits(bench: Bench) -> Iterator[Figure]:
    """1,000 async calls of 100 ms each."""
    times = [_job_s(bench, "bench.wait", [0.1] * 1000) for _ in range(3)]
    yield Figure("1,000 waits of 100 ms", statistics.median(times), "s")


def startup(_bench: Bench) -> Iterator[Figure]:
    """``amr run`` of a one-task job, from the command to its end."""
    job = Path(__file__).parent / "one.json"
    functions = Path(__file__).parent / "functions"
    command = [sys.executable, "-m", "amr.cli.app", "run", str(job), "--functions", str(functions)]
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    yield Figure("amr run of one task, whole command", statistics.median(times), "s")


MEASURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "noop": noop,
    "latency": latency,
    "efficiency": efficiency,
    "waits": waits,
    "million": million,
    "startup": startup,
    "wordcount": wordcount,
    "sort": sort,
    "shuffle": shuffle,
}


def _job_s(bench: Bench, mapper: str, inputs: Any) -> float:
    """Returns the seconds from the submit call to the result of a job that counts its outputs."""
    values = list(inputs)
    gc.collect()
    started = time.perf_counter()
    job = {"mapper": mapper, "reducer": "bench.count", "inputs": values, "ttl": "10s"}
    assert bench.client.invoke(job).result() == len(values)
    return time.perf_counter() - started


def _ideal_s(points: int, tasks: int, workers: int) -> float:
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


def _worker_memory() -> int:
    """Returns the resident bytes of the largest worker."""
    sizes = [0]
    for pid in worker_pids():
        try:
            status = Path(f"/proc/{pid}/statm").read_text()
        except OSError:
            continue
        sizes.append(int(status.split()[1]) * 4096)
    return max(sizes)


class _Peak:
    """Reads a figure five times a second while its block runs, and keeps the largest."""

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most = 0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            self.most = max(self.most, self._read())
