"""How far each stage of a job is, how fast it goes lately, and when it will have ended.

Nothing is counted for this: the job's counts stand in its record, and its events tell how many
tasks had ended at some moments before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from amr.states import JobState
from amr.store.events import Event
from amr.store.status import JobStatus
from amr.task import Stage, count_nodes

#: What a rate is measured over, where there is so much: a few seconds, and some tasks.
ENOUGH_MS = 5000
ENOUGH_TASKS = 10

#: Events at which a job stood still, or its tasks were counted anew: no rate is taken across them.
_BREAKS = frozenset({"paused", "resumed", "redriven"})


@dataclass(frozen=True, slots=True)
class StageStatus:
    """How far one stage of a job is.

    Attributes:
        stage: ``source`` (makes the inputs), ``map``, ``merge`` (of a reduce tree) or ``reduce``.
        waiting: tasks that have not begun.
        running: tasks in flight: queued on the stream, running, or waiting for a retry.
        done: tasks that succeeded.
        failed: tasks that are out of attempts.
        total: all tasks, or None while inputs still come. What the job's end cut off is neither
            done nor failed.
        rate: tasks that ended in a second, lately: over at least 5 seconds and 10 tasks where
            there were so many, else since the stage began. None while it does not run, or where
            nothing tells it.
        eta_s: seconds until the stage has ended, to a tenth, at that rate and no faster than the
            job's own limit. None where that cannot be said: of a stage that does not run, of a
            paused job, while inputs still come, and when all that is left waits for its retry.
    """

    stage: Stage
    waiting: int
    running: int
    done: int
    failed: int
    total: int | None
    rate: float | None = None
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What is known of a job's stages beside its status.

    Attributes:
        now_ms: the time of Redis, in milliseconds since the epoch.
        source_runs: the source task is in flight and does not wait for the end of another job.
        dead: dead letters of all stages.
        was_redriven: the job was redriven before.
        events: the newest of the job's events, the newest first.
    """

    now_ms: int
    source_runs: bool
    dead: int
    was_redriven: bool
    events: Sequence[Event]


class Mark(NamedTuple):
    """A moment at which it is known how many tasks of a stage had ended."""

    time_ms: int
    ended: int


def stages_of(status: JobStatus, facts: StageFacts) -> tuple[StageStatus, ...]:
    """Returns the stages that the job has, in their order."""
    # The death of a task of these stages ends the job: of one that lives there can be none.
    dead = 0 if status.live else max(0, facts.dead - status.failed)
    stages = [_map_stage(status, facts)]
    if status.has_source:
        stages.insert(0, _source_stage(status, facts, 0 if status.submitted else dead))
    if not status.submitted:
        dead = 0
    if status.branches is not None:
        stages.append(_merge_stage(status, dead))
        dead -= stages[-1].failed
    if status.has_reducer:
        stages.append(_reduce_stage(status, facts, dead))
    return tuple(stages)


def _source_stage(status: JobStatus, facts: StageFacts, dead: int) -> StageStatus:
    opens = status.live and not status.submitted
    runs = opens and facts.source_runs
    return StageStatus("source", opens - runs, int(runs), int(status.submitted), dead, 1)


def _map_stage(status: JobStatus, facts: StageFacts) -> StageStatus:
    total = status.total if status.submitted else None
    rate = eta = None
    if status.state in (JobState.SUBMITTING, JobState.MAPPING) and not status.paused:
        ended = status.succeeded + status.failed
        rate = recent_rate(_map_marks(status, facts), ended, facts.now_ms)
    if rate and total is not None:
        left = Left(status.pending, status.running, status.retrying)
        eta = eta_s(left, rate, status.rate)
    done, failed = status.succeeded, status.failed
    return StageStatus("map", status.pending, status.running, done, failed, total, rate, eta)


def _merge_stage(status: JobStatus, dead: int) -> StageStatus:
    assert status.branches is not None
    merging = status.merging if status.live else 0
    if not status.submitted:
        return StageStatus("merge", 0, merging, status.merged, 0, None)
    total = count_nodes(status.total, status.branches)
    failed = min(dead, total - status.merged)
    waiting = total - status.merged - merging if status.live else 0
    return StageStatus("merge", waiting, merging, status.merged, failed, total)


def _reduce_stage(status: JobStatus, facts: StageFacts, dead: int) -> StageStatus:
    total = max(1, status.partitions)
    runs = status.state is JobState.REDUCING
    left = total - status.reduced
    rate = eta = None
    if runs and not status.paused and total > 1:  # one task alone goes at no rate
        rate = recent_rate(_reduce_marks(facts), status.reduced, facts.now_ms)
    if rate:
        eta = eta_s(Left(0, left, status.retrying), rate, None)
    waiting = left if status.live and not runs else 0
    in_flight = left if runs else 0
    return StageStatus("reduce", waiting, in_flight, status.reduced, dead, total, rate, eta)


class Left(NamedTuple):
    """Tasks of a stage that have not ended.

    Attributes:
        waiting: not begun.
        running: in flight.
        retrying: those of them that wait for their next attempt.
    """

    waiting: int
    running: int
    retrying: int


def recent_rate(marks: Sequence[Mark], ended: int, now_ms: int) -> float | None:
    """Returns the tasks a second since the newest mark that lies far enough back.

    Where none does, it is the oldest mark that counts; without one nothing is known.

    Args:
        marks: the newest first.
        ended: tasks that have ended by now.
        now_ms: the time, by the clock that the marks are of.
    """
    rate = None
    for mark in marks:
        since_ms, tasks = now_ms - mark.time_ms, ended - mark.ended
        if since_ms <= 0 or tasks < 0:
            continue  # it came after the counts were read, or the clock was set back
        rate = float(f"{tasks * 1000 / since_ms:.4g}")  # more digits would tell no more
        if since_ms >= ENOUGH_MS and tasks >= ENOUGH_TASKS:
            break
    return rate


def eta_s(left: Left, rate: float, limit: float | None) -> float | None:
    """Returns the seconds in which a stage will have ended, or None where that cannot be said.

    Args:
        left: what is still to be done.
        rate: tasks that end in a second, above 0.
        limit: most tasks that begin in a second, or None.
    """
    count = left.waiting + left.running
    if count and left.retrying >= count:
        return None  # their time is told by no rate
    return round(max(count / rate, left.waiting / limit if limit else 0.0), 1)


def _map_marks(status: JobStatus, facts: StageFacts) -> list[Mark]:
    marks: list[Mark] = []
    for event in facts.events:
        if event.kind in _BREAKS:
            return marks
        if event.kind == "progress":
            ended = int(event.fields["done"]) + int(event.fields["failed"])
            marks.append(Mark(event.time_ms, ended))
        elif event.kind == "queued" and status.has_source:
            return [*marks, Mark(event.time_ms, 0)]
    # Where a client sent the inputs, the first of them ran from the start.
    begins = not status.has_source and not facts.was_redriven
    return [*marks, Mark(status.created_ms, 0)] if begins else marks


def _reduce_marks(facts: StageFacts) -> list[Mark]:
    marks: list[Mark] = []
    for event in facts.events:
        if event.kind in _BREAKS:
            return marks
        if event.kind == "reduced":
            marks.append(Mark(event.time_ms, int(event.fields["done"])))
        elif event.kind == "reducing":
            # After a redrive some partitions may have their results from before.
            return marks if facts.was_redriven else [*marks, Mark(event.time_ms, 0)]
    return marks
