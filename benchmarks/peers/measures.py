"""The measures, as a host takes them: each makes one run, checks its result, gives figures."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import redis

from benchmarks.ideal import PI_POINTS_A_MS, ideal_s
from benchmarks.peak import Peak
from benchmarks.peers.corpus import Corpus
from benchmarks.peers.functions import TEXT_SIZE
from benchmarks.peers.interface import Peer
from benchmarks.peers.orders import Order
from benchmarks.peers.processes import descendants, memory_bytes

_WAIT_S = 0.1
#: Short, for a fast system needs its memory for milliseconds only.
_REDIS_EVERY_S = 0.005
_WARM_TASKS = 100
#: Seconds that all workers have to take part in a job.
_WARM_LIMIT_S = 20.0


class WrongResultError(Exception):
    """A system gave another result than the reducer's."""


class Bench:
    """A started system, and what its measures need besides it.

    Args:
        peer: the system.
        beside: process ids of what runs below this process and is not the system's.
        redis_client: of the private Redis, or None where the system uses none.
    """

    def __init__(self, peer: Peer, beside: set[int], redis_client: redis.Redis | None) -> None:
        self.peer = peer
        self.redis_client = redis_client
        self._beside = beside

    def run_s(self, mapper: str, inputs: list[Any], reducer: str, expected: Any) -> float:
        """Returns the seconds from the submit call to the reducer's result.

        Raises:
            WrongResultError: the result is not the expected one.
        """
        mapper = self.peer.functions.get(mapper, mapper)
        gc.collect()
        elapsed_s, result = self.peer.timed_map_reduce(mapper, inputs, reducer)
        if result != expected:
            raise WrongResultError(f"{mapper} and {reducer} gave {result!r}, not {expected!r}")
        return elapsed_s

    def noop_s(self, tasks: int) -> float:
        """Returns the seconds of a job of no-op tasks."""
        return self.run_s("noop", list(range(tasks)), "count", tasks)

    def warm_up(self) -> None:
        """Runs jobs until every worker has taken part in one.

        Raises:
            TimeoutError: one of them does not.
        """
        self.noop_s(_WARM_TASKS)
        workers, tasks = self.peer.place.workers, 40
        deadline = time.monotonic() + _WARM_LIMIT_S
        while self.peer.map_reduce("whoami", list(range(tasks)), "distinct") < workers:
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {_WARM_LIMIT_S:g} s not all {workers} workers take part")
            tasks *= 2

    def system_bytes(self) -> int:
        """Returns the memory of all the system's processes but the client."""
        return memory_bytes(descendants(os.getpid()) - self._beside)

    def redis_bytes(self) -> int:
        """Returns what the private Redis has allocated; 0 where there is none."""
        return self.redis_client.info("memory")["used_memory"] if self.redis_client else 0


def _startup(bench: Bench, order: Order) -> dict[str, float]:
    bench.noop_s(order.size)
    return {}


def _latency(bench: Bench, order: Order) -> dict[str, float]:
    times = sorted(1000 * bench.noop_s(1) for _ in range(order.size))
    return {"p50": times[order.size // 2], "p95": times[order.size * 95 // 100]}


def _noop(bench: Bench, order: Order) -> dict[str, float]:
    elapsed_s = bench.noop_s(order.size)
    return {"seconds": elapsed_s, "tasks_per_s": order.size / elapsed_s}


def _pi(bench: Bench, order: Order) -> dict[str, float]:
    points = order.task_ms * PI_POINTS_A_MS
    best_s = ideal_s(points, order.size, bench.peer.place.workers)
    elapsed_s = bench.run_s("pi", [points] * order.size, "count", order.size)
    return {"seconds": elapsed_s, "of_ideal": best_s / elapsed_s}


def _wait(bench: Bench, order: Order) -> dict[str, float]:
    return {"seconds": bench.run_s("wait", [_WAIT_S] * order.size, "count", order.size)}


def _fetch(bench: Bench, order: Order) -> dict[str, float]:
    return {"seconds": bench.run_s("fetch", list(range(order.size)), "distinct", order.size)}


def _outputs(bench: Bench, order: Order) -> dict[str, float]:
    seeds = list(range(order.size))
    return {"seconds": bench.run_s("text", seeds, "length", TEXT_SIZE * order.size)}


def _words(bench: Bench, _order: Order) -> dict[str, float]:
    corpus = Corpus.of_run()
    return {"seconds": bench.run_s("words", corpus.parts(), "frequencies", corpus.frequencies())}


def _memory(bench: Bench, order: Order) -> dict[str, float]:
    system_before, redis_before = bench.system_bytes(), bench.redis_bytes()
    system, stored = Peak(bench.system_bytes), Peak(bench.redis_bytes, _REDIS_EVERY_S)
    with ExitStack() as watched:
        watched.enter_context(system)
        if bench.redis_client:
            watched.enter_context(stored)
        bench.noop_s(order.size)
    system_after, redis_after = bench.system_bytes(), bench.redis_bytes()
    figures = {
        "system_before": system_before / 2**20,
        "system_peak": max(system.most, system_before, system_after) / 2**20,
    }
    if bench.redis_client:
        peak = max(stored.most, redis_before, redis_after)
        figures["redis_peak"] = (peak - redis_before) / order.size
        figures["redis_left"] = (redis_after - redis_before) / order.size
    return figures


MEASURES: dict[str, Callable[[Bench, Order], dict[str, float]]] = {
    "startup": _startup,
    "latency": _latency,
    "noop": _noop,
    "memory": _memory,
    "pi": _pi,
    "wait": _wait,
    "fetch": _fetch,
    "outputs": _outputs,
    "words": _words,
}
