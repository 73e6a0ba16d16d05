"""Takes the measures of systems, one system and one process at a time."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from benchmarks.peers.functions import ENDPOINT_VARIABLE
from benchmarks.peers.hosts import Host, PeerError, TimeLimitError
from benchmarks.peers.interface import ROOT
from benchmarks.peers.limits import Figures, Growth
from benchmarks.peers.orders import Order

#: Seconds that a system has until all its workers have taken part in a job.
_START_LIMIT_S = 90.0

#: A line of the figures: a measure's, or a system's description.
Line = dict[str, Any]


class Runner:
    """Takes the measures of systems.

    Args:
        environment: variables that all processes of the run get.
        limit_s: seconds that one run of a measure may take.
        spared: processes of the run that serve all systems.
    """

    def __init__(self, environment: Mapping[str, str], limit_s: float, spared: set[int]) -> None:
        self._environment = environment
        self._limit_s = limit_s
        self._spared = spared

    def lines(self, peer: str, orders: Sequence[Order]) -> Iterator[Line]:
        """Yields what ``peer`` is, and what each measure gives that its set-up is meant for."""
        try:
            with self._host(peer) as host:
                found = host.ask({"do": "describe"}, _START_LIMIT_S)
        except (PeerError, TimeLimitError) as error:
            yield {"peer": peer, "failed": _reason(error, _START_LIMIT_S)}
            return
        workloads = found.pop("workloads")
        yield {"peer": peer, **found}
        wanted = [order for order in orders if order.workload in workloads]
        for workload, group in groupby(wanted, key=lambda order: order.workload):
            take = self._startup if workload == "startup" else self._group
            for line in take(peer, list(group)):
                yield {"peer": peer, "versions": found["versions"], **line}

    def _startup(self, peer: str, orders: Sequence[Order]) -> Iterator[Line]:
        """A new process for each run: from its beginning to its first result."""
        for order in orders:
            runs = []
            try:
                for _ in range(order.runs):
                    with self._host(peer) as host:
                        _start(host, order.workload, warm=False)
                        host.ask({"do": "measure", "order": order.asdict()}, self._limit_s)
                        runs.append({"seconds": time.perf_counter() - host.started_at})
            except (PeerError, TimeLimitError) as error:
                yield _unmeasured(order, error, self._limit_s)
                continue
            yield from _measured(order, runs)

    def _group(self, peer: str, orders: Sequence[Order]) -> Iterator[Line]:
        """One process for all sizes of a workload; a new one after a failure."""
        growth = Growth(self._limit_s)
        left = list(orders)
        while left:
            if objection := growth.objection(left[0]):
                yield {**left.pop(0).key(), "not_run": objection}
                continue
            with self._host(peer) as host:
                try:
                    _start(host, left[0].workload, warm=True)
                    while left and not growth.objection(left[0]):
                        runs = self._runs(host, left[0])
                        growth.keep(left[0], runs)
                        yield from _measured(left.pop(0), runs)
                except (PeerError, TimeLimitError) as error:
                    growth.keep(left[0], None)
                    yield _unmeasured(left.pop(0), error, self._limit_s)

    def _runs(self, host: Host, order: Order) -> list[Figures]:
        request = {"do": "measure", "order": order.asdict()}
        return [host.ask(request, self._limit_s)["figures"] for _ in range(order.runs)]

    def _host(self, peer: str) -> Host:
        return Host.of_peer(peer, self._environment, self._spared)


@contextmanager
def local_endpoint() -> Iterator[tuple[int, dict[str, str]]]:
    """Runs the local HTTP server; gives its process id and the variable that names it."""
    command = [sys.executable, "-m", "benchmarks.peers.endpoint"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield process.pid, {ENDPOINT_VARIABLE: process.stdout.readline().strip()}
        finally:
            process.kill()


def _start(host: Host, workload: str, *, warm: bool) -> None:
    try:
        host.ask({"do": "start", "workload": workload, "warm": warm}, _START_LIMIT_S)
    except TimeLimitError:
        raise PeerError(f"it was not ready within {_START_LIMIT_S:g} s") from None


def _measured(order: Order, runs: Sequence[Figures]) -> Iterator[Line]:
    """Yields a line for each figure: the median of its runs, and how far they spread."""
    for figure in runs[0]:
        values = [run[figure] for run in runs]
        yield {
            **order.key(),
            "figure": figure,
            "median": statistics.median(values),
            "low": min(values),
            "high": max(values),
            "runs": len(values),
        }


def _unmeasured(order: Order, error: Exception, limit_s: float) -> Line:
    kind = "not_run" if isinstance(error, TimeLimitError) else "failed"
    return {**order.key(), kind: _reason(error, limit_s)}


def _reason(error: Exception, limit_s: float) -> str:
    return f"more than {limit_s:g} s" if isinstance(error, TimeLimitError) else str(error)
