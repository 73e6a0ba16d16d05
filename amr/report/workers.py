"""What the workers of a stream run, as their triggers told at their last heartbeats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from amr.store.fleet import Fleet, TriggerFacts
from amr.task import Stage, Task, place_of

WorkerState = Literal["running", "busy", "idle", "unknown"]


@dataclass(frozen=True, slots=True)
class RunningTask:
    """A task that a worker runs.

    Attributes:
        job: job id.
        stage: ``source``, ``map``, ``merge`` or ``reduce``.
        index: position of the input; of a reduce task its partition, of a merge its node.
        attempt: 1 for the first attempt.
        running_s: seconds since it began, to a tenth.
    """

    job: str
    stage: Stage
    index: int
    attempt: int
    running_s: float

    @property
    def place(self) -> str:
        """What to call it: ``map[3]``, ``merge[1.0]``, ``reduce``, ``reduce[2]``, ``source``."""
        return place_of(self.stage, self.index)


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What a worker did at the last heartbeat of its trigger, which is a few seconds ago.

    Attributes:
        worker: its name.
        stream: that it works on.
        trigger: id of its trigger.
        name: of the trigger in amr.toml, or an empty string.
        host: that it runs on.
        state: ``running`` a task or calls; ``busy`` with a task that has ended since; ``idle``; or
            ``unknown``, where the trigger is of a version that does not tell.
        task: that runs on the worker's main thread, or is its only call; None where there is none.
        calls: async and HTTP calls that run. Of several it is not told which tasks they are.
        told_s: seconds since that heartbeat.
    """

    worker: str
    stream: str
    trigger: str
    name: str
    host: str
    state: WorkerState
    task: RunningTask | None
    calls: int
    told_s: float


class Telling(NamedTuple):
    """What a trigger told of one of its workers.

    Attributes:
        worker: its name.
        trigger: what else that trigger told.
        is_told: whether it told of this worker at all.
        entry: of the task that ran on its main thread or alone, or empty.
        running_s: seconds for which that runs by now, if it still does.
        calls: async and HTTP calls that ran.
        told_s: seconds since it was told.
    """

    worker: str
    trigger: TriggerFacts
    is_told: bool
    entry: bytes
    running_s: float
    calls: int
    told_s: float


#: What Redis takes for the id of an entry. A slot may be read while it is written.
_ENTRY_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}", re.ASCII)


def tellings_of(triggers: Sequence[TriggerFacts], now_ms: int) -> Iterator[Telling]:
    """Yields what triggers told of each of their workers.

    Args:
        triggers: those that live.
        now_ms: the time of Redis, in milliseconds since the epoch.
    """
    for trigger in triggers:
        told_s = max(0.0, (now_ms - trigger.beat_ms) / 1000)
        running = trigger.facts.get("running")
        for worker in trigger.facts["workers"]:
            told = {} if running is None else running.get(worker, {})  # none of one that starts
            entry = told.get("entry", "")
            is_whole = not entry or _ENTRY_ID.fullmatch(entry) is not None
            yield Telling(
                worker,
                trigger,
                is_told=running is not None and is_whole,
                entry=entry.encode() if is_whole else b"",
                running_s=told.get("for_s", 0.0) + told_s,
                calls=told.get("calls", 0),
                told_s=told_s,
            )


def read_tellings(fleet: Fleet) -> list[Telling]:
    """Returns what the live triggers of a stream told of their workers."""
    now_ms, triggers = fleet.heard()
    return list(tellings_of(triggers, now_ms))


def tasks_told(fleet: Fleet, tellings: Sequence[Telling]) -> dict[bytes, Task]:
    """Returns the tasks whose entries were told and are on the stream still, by these."""
    return fleet.tasks_of([telling.entry for telling in tellings if telling.entry])


def worker_statuses(
    tellings: Sequence[Telling], tasks: Mapping[bytes, Task], stream: str
) -> list[WorkerStatus]:
    """Returns what was told of workers, with the tasks that their entries stand for.

    Args:
        tellings: what was told.
        tasks: those that are on the stream still, by their entries.
        stream: name of the stream.
    """
    return [_status(telling, tasks.get(telling.entry), stream) for telling in tellings]


def read_workers(fleet: Fleet, stream: str) -> list[WorkerStatus]:
    """Returns what each worker of the live triggers of a stream does."""
    tellings = read_tellings(fleet)
    return worker_statuses(tellings, tasks_told(fleet, tellings), stream)


def _status(telling: Telling, task: Task | None, stream: str) -> WorkerStatus:
    running = None
    if task is not None:
        running_s = round(telling.running_s, 1)
        running = RunningTask(task.job, task.stage, task.index, task.attempt, running_s)
    return WorkerStatus(
        telling.worker,
        stream,
        telling.trigger.trigger,
        telling.trigger.facts.get("name", ""),
        telling.trigger.facts.get("host", ""),
        _state(telling, running is not None),
        running,
        telling.calls,
        round(telling.told_s, 1),
    )


def _state(telling: Telling, is_there: bool) -> WorkerState:
    if not telling.is_told:
        return "unknown"
    if is_there or telling.calls:
        return "running"
    return "busy" if telling.entry else "idle"
