"""What the record of a soak says: executions, and how long lost tasks waited."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from tests.soak.plan import QUIET_S, TIMED, PlannedJob
from tests.soak.world import Injected


class Run(NamedTuple):
    """One call of a function, as it was recorded."""

    task: tuple[str, str, str]
    pid: int
    start: float
    end: float


@dataclass(frozen=True)
class Executions:
    """Calls that were made, those that were needed, and those that the faults may have cost."""

    made: int
    needed: int
    allowed: int

    @property
    def extra(self) -> int:
        return max(0, self.made - self.needed)


def read_runs(record: Path) -> list[Run]:
    """Returns every call of the record; one that did not end ended at infinity."""
    open_calls: dict[tuple[tuple[str, str, str], int], float] = {}
    runs = []
    for line in record.read_text().splitlines():
        event, stage, index, _attempt, pid, job, time = line.split()
        key = ((job, stage, index), int(pid))
        if event == "start":
            open_calls[key] = float(time)
        elif key in open_calls:
            runs.append(Run(*key, open_calls.pop(key), float(time)))
    return runs + [Run(*key, start, float("inf")) for key, start in open_calls.items()]


def count_executions(
    runs: Sequence[Run], jobs: Sequence[PlannedJob], faults: Sequence[Injected]
) -> Executions:
    """Compares the calls with what the jobs need and what ran when a fault came."""
    by_job = Counter(run.task[0] for run in runs)
    distinct = Counter(job for job, _, _ in {run.task for run in runs})
    needed = sum(min(by_job[job.id], distinct[job.id] + job.meant) for job in jobs)
    allowed = sum(
        run.start <= fault.at <= run.end and run.pid in fault.pids
        for fault in faults
        for run in runs
    )
    return Executions(len(runs), needed, allowed)


def recovery_times_s(runs: Sequence[Run], faults: Sequence[Injected]) -> dict[str, list[float]]:
    """Returns, by fault, the seconds until tasks that it lost were started again.

    Only faults count near which no other came: the others' time would be measured with theirs.
    """
    starts: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for run in runs:
        starts[run.task].append(run.start)
    times: dict[str, list[float]] = {kind: [] for kind in TIMED}
    for fault in faults:
        others = (other for other in faults if other is not fault)
        if fault.kind not in times or any(abs(o.at - fault.at) < QUIET_S for o in others):
            continue
        for run in runs:
            if run.pid in fault.pids and run.start <= fault.at < run.end == float("inf"):
                again = [start for start in starts[run.task] if start > fault.at]
                if again:
                    times[fault.kind].append(min(again) - fault.at)
    return times


def percentile(values: Sequence[float], percent: int) -> float:
    """Returns a percentile of at least two values, of fewer the largest."""
    if len(values) < 2:
        return max(values, default=0.0)
    return quantiles(values, n=100, method="inclusive")[percent - 1]
