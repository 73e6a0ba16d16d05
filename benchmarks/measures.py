"""The measures: each takes a running instance and yields what it found."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.bare_loop import run_bare_loop
from benchmarks.data_measures import shuffle, sort, wordcount
from benchmarks.figures import Bench, Figure, worker_pids
from benchmarks.ideal import PI_POINTS_A_MS, ideal_s
from benchmarks.peak import Peak


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
    peak = Peak(lambda: raw.info("memory")["used_memory"])
    workers = Peak(_worker_memory)
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
        points = PI_POINTS_A_MS * task_ms
        ratios = []
        for _ in range(5):
            best_s = ideal_s(points, tasks, bench.workers)
            ratios.append(best_s / _job_s(bench, "bench.pi", [points] * tasks))
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
