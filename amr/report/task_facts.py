"""Reads what Redis has of one task, in a few calls however many tasks its job has."""

from __future__ import annotations

from typing import Any, NamedTuple

from amr.report.stragglers import suspects_of
from amr.report.task_details import Execution, TaskState
from amr.report.workers import read_tellings
from amr.states import JobState
from amr.store.fleet import Fleet, read_time
from amr.store.keys import Keys
from amr.store.link import Call, Link, same
from amr.store.status import Flight, JobStatus, read_flight
from amr.task import REDUCING, Stage, field_of, level_of, nodes_above


class TaskFacts(NamedTuple):
    """What Redis has of a task.

    Attributes:
        now_ms: the time of Redis, in milliseconds since the epoch.
        max_attempts: attempts that a task of the job has.
        flight: of a task in flight.
        executions: workers that hold it, the longest first.
        due_ms: when a delayed one is put on the stream again.
        failure: record of a dead letter.
        output: as it is kept: JSON, a reference to a file, or a table of runs.
        body: input of a map task, as JSON.
        is_merged: a node above it in the reduce tree has its partial result.
        children_ended: of a node, children that have an outcome.
        earlier: records of failures before redrives, by the version of the result.
        has_moved: it went somewhere else while it was looked at.
    """

    now_ms: int
    max_attempts: int
    flight: Flight | None
    executions: tuple[Execution, ...]
    due_ms: int | None
    failure: bytes | None
    output: bytes | None
    body: bytes | None
    is_merged: bool
    children_ended: int
    earlier: dict[int, bytes]
    has_moved: bool


def read_facts(
    link: Link, keys: Keys, fleet: Fleet, status: JobStatus, stage: Stage, index: int
) -> TaskFacts:
    """Returns what Redis has of a task of the job that stands so."""
    job, field = status.job, field_of(stage, index)
    attempts = "reduce_attempts" if stage in REDUCING else "max_attempts"
    flight_call = Call(("HGET", keys.job_key("inflight", job), field), same)
    calls = {
        # The first: a task that leaves the hash meanwhile is found where it went.
        "flight": flight_call,
        "failure": Call(("HGET", keys.job_key("failures", job), field), same),
        "due": Call(("ZSCORE", keys.stream_key("delayed"), f"{job} {field}"), same),
        "most": Call(("HGET", keys.job_key("job", job), attempts), same),
        "time": Call(("TIME",), read_time),
    }
    calls |= _calls_of_stage(keys, status, stage, index)
    above = _calls_above(keys, status, stage, index)
    replies = link.run_all([*calls.values(), *above])
    found: dict[str, Any] = dict(zip(calls, replies[: len(calls)], strict=True))
    flight = read_flight(found["flight"]) if found["flight"] else None
    executions: tuple[Execution, ...] = ()
    if flight is not None and status.live:
        executions = _executions(fleet, flight)
    earlier = enumerate(found.get("earlier", ()), 1)
    return TaskFacts(
        now_ms=found["time"],
        max_attempts=int(found["most"] or 0),
        flight=flight,
        executions=executions,
        due_ms=None if found["due"] is None else int(float(found["due"])),
        failure=found["failure"],
        output=found.get("output"),
        body=found.get("body"),
        is_merged=any(replies[len(calls) :]),
        children_ended=int(found.get("ended") or 0),
        earlier={version: record for version, record in earlier if record is not None},
        has_moved=flight is not None and link.run(flight_call) != found["flight"],
    )


def state_of(status: JobStatus, stage: Stage, index: int, facts: TaskFacts) -> TaskState:
    """Returns where a task is."""
    if status.state is JobState.CANCELLED:
        return "cancelled"
    if facts.failure is not None:
        return "failed"
    if facts.output is not None or facts.is_merged or (stage == "source" and status.submitted):
        return "done"
    flight = facts.flight
    if flight is None:
        was_fed = stage == "map" and status.live and index < status.total - status.pending
        if was_fed or status.state is JobState.SUCCEEDED:
            return "unknown"
        return "waiting" if status.live else "cut off"
    if not status.live:
        return "cut off"
    if any(execution.running_s is not None for execution in facts.executions):
        return "running"
    if not flight.delayed:
        return "queued"
    # A source task that was never on the stream waits for the end of another job.
    return "waiting" if stage == "source" and not flight.had_entry else "delayed"


def _calls_of_stage(keys: Keys, status: JobStatus, stage: Stage, index: int) -> dict[str, Call]:
    job, version = status.job, status.version
    calls: dict[str, Call] = {}
    if stage == "map":
        calls["output"] = Call(("HGET", keys.job_key("outputs", job), index), same)
        calls["body"] = Call(("LINDEX", keys.job_key("inputs", job), index), same)
        if version > 1:
            names = [f"{index} {earlier}" for earlier in range(1, version)]
            calls["earlier"] = Call(("HMGET", keys.job_key("redriven", job), *names), same)
    elif stage == "merge":
        calls["output"] = Call(("HGET", keys.job_key("partials", job), index), same)
        calls["ended"] = Call(("HGET", keys.job_key("tree", job), index), same)
    elif stage == "reduce":
        field = f"{version}:{index}" if status.partitions else version
        calls["output"] = Call(("HGET", keys.job_key("results", job), field), same)
    return calls


def _calls_above(keys: Keys, status: JobStatus, stage: Stage, index: int) -> list[Call]:
    """Returns the calls that tell of each node above a task whether it has a partial result."""
    if status.branches is None or stage not in ("map", "merge"):
        return []
    key = keys.job_key("partials", status.job)
    nodes = nodes_above(*level_of(stage, index), status.total, status.branches)
    return [Call(("HEXISTS", key, node), same) for node in nodes]


def _executions(fleet: Fleet, flight: Flight) -> tuple[Execution, ...]:
    """Returns who holds a task, by any of its entries."""
    held = fleet.holders([flight.entry, *flight.older])
    if not held:
        return ()
    tellings = read_tellings(fleet)
    running_s = {each.entry: each.held_s for each in suspects_of(held, tellings, 0.0)}
    alive = set(fleet.live_workers())
    found = []
    for entry, worker, held_ms in sorted(held, key=lambda one: one.held_ms, reverse=True):
        is_gone = worker not in alive
        runs_s = None if is_gone else running_s.get(entry)
        shown_s = None if runs_s is None else round(runs_s, 1)
        found.append(Execution(entry.decode(), worker, round(held_ms / 1000, 1), shown_s, is_gone))
    return tuple(found)
