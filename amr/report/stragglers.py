"""Stragglers: tasks of a job that workers hold much longer than its other tasks take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from amr.report.workers import Telling
from amr.store.fleet import Fleet, Held
from amr.store.inspect import Inspector
from amr.task import Stage, Task, place_of

#: Times the 95th percentile of the stage's tasks; what ``backup.lua`` gives a second execution.
SLOWER_THAN = 3

#: Milliseconds that a worker has a task at least, before it gives those behind it to others.
LEAST_MS = 1000.0

#: Entries that are looked at: those that workers hold longest, and of which the tasks are read.
_HELD_MOST = 2000
_READ_MOST = 256


@dataclass(frozen=True, slots=True)
class Straggler:
    """A task that a worker has held for more than a second and three times what most tasks take.

    Attributes:
        stage: ``map``, ``merge`` or ``reduce``.
        index: position of the input; of a reduce task its partition, of a merge its node.
        attempt: 1 for the first attempt.
        worker: that holds it.
        held_s: for how many seconds, to a tenth. Where its trigger told that the worker runs just
            this task, since it was seen to begin. Of calls that run beside others, and since the
            trigger's last heartbeat, it is the time since the worker took the task; it may have
            begun a little later.
        backup: another execution of it was begun.
    """

    stage: Stage
    index: int
    attempt: int
    worker: str
    held_s: float
    backup: bool

    @property
    def place(self) -> str:
        """What to call it: ``map[3]``, ``merge[1.0]``, ``reduce``, ``reduce[2]``."""
        return place_of(self.stage, self.index)


class Suspect(NamedTuple):
    """An entry that a worker may be running for too long, and for how many seconds."""

    entry: bytes
    worker: str
    held_s: float


def slow_ms(p95_us: float) -> float:
    """Returns the milliseconds from which a task of a stage straggles.

    Args:
        p95_us: 95th percentile of what the stage's tasks take, in microseconds.
    """
    return max(LEAST_MS, SLOWER_THAN * p95_us / 1000)


def suspects_of(
    held: Sequence[Held], tellings: Sequence[Telling], least_ms: float
) -> list[Suspect]:
    """Returns the entries that workers seem to have run for at least so long, the longest first.

    The tasks of a batch come into a worker's hand together. One that the trigger told to be
    running something else at its last heartbeat has not begun what it held then.

    Args:
        held: entries that workers hold.
        tellings: what triggers told of their workers.
        least_ms: milliseconds.
    """
    told = {telling.worker: telling for telling in tellings}
    found = {}
    for one in held:
        telling = told.get(one.worker)
        if telling is None or _may_run(one, telling):
            found[one.entry] = Suspect(one.entry, one.worker, one.held_ms / 1000)
    for telling in tellings:
        if telling.entry and telling.running_s * 1000 >= least_ms:
            found[telling.entry] = Suspect(telling.entry, telling.worker, telling.running_s)
        else:
            found.pop(telling.entry, None)
    return sorted(found.values(), key=lambda suspect: suspect.held_s, reverse=True)


def find_stragglers(
    job: str, p95_us: float, tellings: Sequence[Telling], fleet: Fleet, inspector: Inspector
) -> list[Straggler]:
    """Returns tasks of the job that straggle, each once, the longest first.

    Of all that workers hold, some thousands are looked at, and some hundreds read.

    Args:
        job: job id.
        p95_us: 95th percentile of what the tasks of its stage take, in microseconds.
        tellings: what triggers told of their workers.
        fleet: of the stream.
        inspector: of the stream.
    """
    least_ms = slow_ms(p95_us)
    suspects = suspects_of(fleet.held_for(least_ms, _HELD_MOST), tellings, least_ms)
    by_entry = {suspect.entry: suspect for suspect in suspects[:_READ_MOST]}
    mine = [task for task in fleet.tasks_of(list(by_entry)).values() if task.job == job]
    if not mine:
        return []
    entries = inspector.entries_of(job, [task.field for task in mine])
    found: dict[str, Straggler] = {}
    for task, own in zip(mine, entries, strict=True):
        # The suspects come in the order of their time: of two executions the first one stands.
        if task.entry_id in own and task.field not in found:
            found[task.field] = _straggler(task, by_entry[task.entry_id], own)
    return list(found.values())


def _may_run(held: Held, telling: Telling) -> bool:
    taken_since = held.held_ms <= telling.told_s * 1000
    return taken_since or not telling.is_told or telling.calls > 0


def _straggler(task: Task, suspect: Suspect, entries: Sequence[bytes]) -> Straggler:
    # Only a backup leaves the entry before it in its worker's hands: all else settles that.
    has_newer = entries[0] != task.entry_id
    held_s = round(suspect.held_s, 1)
    return Straggler(task.stage, task.index, task.attempt, suspect.worker, held_s, has_newer)
