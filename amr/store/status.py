"""Where a job stands and what is known of its tasks, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from amr.jobspec.fields import Durability
from amr.states import LIVE_STATES, JobState
from amr.task import shown_task

STATUS_FIELDS = (
    "state", "total", "fed", "done", "failed", "delayed", "retried", "timed_out", "cancelled",
    "created", "ended", "error", "spec", "reducer", "task_us", "deadline", "paused",
    "concurrency", "rate", "version", "partitions", "reduced", "backups",
    "skipped", "after", "next", "branches", "merging", "merged",
)  # fmt: skip

#: Kinds of sources that a worker reads, in a task of its own.
_SOURCE_TASKS = frozenset({"function", "job"})


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job stands.

    The counts of map tasks: ``pending`` (waiting), ``running`` (in flight: queued, running, or
    waiting for a retry), ``succeeded``, ``failed`` (dead letters), ``cancelled``; their sum is
    ``total``. ``timed_out`` of the failed ones ran past their limit on the last attempt.

    Attributes:
        job: job id.
        name: the job's name, or its mapper's.
        state: a ``JobState``.
        submitted: all inputs are known, so ``total`` is final.
        retrying: tasks that wait for their next attempt, part of ``running``.
        retries: attempts after the first, so far.
        created_ms: creation, in milliseconds since the epoch, by the clock of Redis.
        ended_ms: the end, or None.
        error: why the job failed, or None.
        counters: what the functions counted with ``context.count``.
        has_reducer: whether the job reduces.
        paused: nothing more of it begins until it is resumed.
        concurrency: most map tasks in flight.
        rate: most map tasks that begin in a second, or None.
        version: of the result; each redrive after a success makes the next one.
        partitions: reduce tasks of a shuffled job; 0 where there is no shuffle.
        reduced: those of them that are done.
        backups: second executions of stragglers that were begun.
        skipped: records that were given up.
        after: job whose outputs are the inputs, or None.
        next: job that gets what this one gives, or None.
        has_source: a task makes the inputs: of what a function gives, or another job.
        writes_files: its tasks write part files, and the result tells of them.
        branches: outputs or partial results that are merged at once, or None.
        merging: merges of partial results in flight.
        merged: those that are done.
        durability: who must have the result before it is handed out.
    """

    job: str
    name: str
    state: JobState
    submitted: bool
    total: int
    pending: int
    running: int
    succeeded: int
    failed: int
    timed_out: int
    cancelled: int
    retrying: int
    retries: int
    created_ms: int
    ended_ms: int | None
    error: str | None
    counters: dict[str, int]
    has_reducer: bool
    paused: bool
    concurrency: int
    rate: float | None
    version: int
    durability: Durability = "memory"
    partitions: int = 0
    reduced: int = 0
    backups: int = 0
    skipped: int = 0
    after: str | None = None
    next: str | None = None
    writes_files: bool = False
    branches: int | None = None
    merging: int = 0
    merged: int = 0
    has_source: bool = False

    @property
    def live(self) -> bool:
        """Whether the job has not ended."""
        return self.state in LIVE_STATES


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A dead letter: a task that is out of attempts.

    Attributes:
        index: position of the input; None where it is no map task.
        attempts: attempts that were made.
        error: type, message, traceback and worker of the last one, and where it came from.
        input: the task's input; None where it is no map task.
        field: its name among the tasks of the job.
        partition: of a reduce task, 0 where there is but one; None for any other.
    """

    index: int | None
    attempts: int
    error: dict[str, Any]
    input: Any
    field: str
    partition: int | None = None

    @property
    def place(self) -> str:
        """What to call it: ``map[3]``, ``merge[1.0]``, ``reduce``, ``reduce[2]``, ``source``."""
        return shown_task(self.field)


@dataclass(frozen=True, slots=True)
class SkippedRecord:
    """A record that was given up, while the others of its task count.

    Attributes:
        index: of the map task.
        record: position in its batch or split.
        error: type, message, and where it came from.
        input: the record, where it can be read and is not large; else None.
    """

    index: int
    record: int
    error: dict[str, Any]
    input: Any

    @property
    def place(self) -> str:
        """What to call it: ``map[3] record 7``."""
        return f"map[{self.index}] record {self.record}"


class Flight(NamedTuple):
    """What is kept of a task that is in flight.

    Attributes:
        entry: on the stream; of a delayed task the one that it had last.
        attempt: 1 for the first attempt.
        crashes: workers that died with it in their hands.
        deferrals: times that it put itself off.
        delayed: it waits for its retry, or for its first entry.
        older: entries that it had before, the oldest first; they may still be in workers' hands.
    """

    entry: bytes
    attempt: int
    crashes: int
    deferrals: int
    delayed: bool
    older: tuple[bytes, ...]

    @property
    def had_entry(self) -> bool:
        """Whether it was ever on the stream."""
        return self.entry != b"0-0"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a worker must know of a job from time to time.

    Attributes:
        live: it has not ended.
        paused: nothing of it is to begin.
        created_ms: tells it from an earlier job with the same id.
        redriven: it had ended, and goes on since a redrive.
    """

    state: JobState
    paused: bool
    created_ms: int
    redriven: bool

    @property
    def live(self) -> bool:
        """Whether the job has not ended."""
        return self.state in LIVE_STATES


@dataclass(frozen=True, slots=True)
class JobSource:
    """What a worker must know to run a job's tasks; as stored."""

    spec: bytes
    reduce: bytes
    standing: Standing
    total: int
    remaining: int
    task_us: float | None


#: Fields of a job's record that tell where it stands for a worker.
STANDING_FIELDS = ("state", "paused", "created", "redriven_at")


def read_standing(state: Any, paused: Any, created: Any, redriven_at: Any) -> Standing | None:
    """Returns where a job stands for a worker, from its record; None if there is none."""
    if state is None:
        return None
    return Standing(JobState(state.decode()), paused == b"1", int(created), bool(redriven_at))


def read_status(job: str, row: list[Any], appended: int, counters: Any) -> JobStatus | None:
    """Returns where a job stands, from the fields of its record; None if there is none."""
    field = dict(zip(STATUS_FIELDS, row, strict=True))
    if field["state"] is None:
        return None
    state = JobState(field["state"].decode())
    spec = orjson.loads(field["spec"])
    total = int(field["total"]) if field["total"] else appended
    done, failed, fed = int(field["done"]), int(field["failed"]), int(field["fed"])
    live = state in LIVE_STATES
    running = fed - done - failed if live else 0
    return JobStatus(
        job=job,
        name=spec.get("name") or _mapper_name(spec["mapper"]),
        state=state,
        submitted=bool(field["total"]),
        total=total,
        pending=total - fed if live else 0,
        running=running,
        succeeded=done,
        failed=failed,
        timed_out=int(field["timed_out"]),
        cancelled=0 if live else total - done - failed,
        retrying=int(field["delayed"]) if live else 0,
        retries=int(field["retried"]),
        created_ms=int(field["created"]),
        ended_ms=int(field["ended"]) if field["ended"] else None,
        error=field["error"].decode() if field["error"] else None,
        counters=_read_counters(counters),
        has_reducer=field["reducer"] == b"1",
        paused=live and field["paused"] == b"1",
        concurrency=int(field["concurrency"]),
        rate=float(field["rate"]) if field["rate"] else None,
        version=int(field["version"]),
        durability=spec.get("durability", "memory"),
        writes_files=spec.get("output") is not None,
        partitions=int(field["partitions"] or 0),
        reduced=int(field["reduced"] or 0),
        backups=int(field["backups"] or 0),
        skipped=int(field["skipped"] or 0),
        after=field["after"].decode() if field["after"] else None,
        next=field["next"].decode() if field["next"] else None,
        branches=int(field["branches"]) if field["branches"] else None,
        merging=int(field["merging"] or 0),
        merged=int(field["merged"] or 0),
        has_source=not _SOURCE_TASKS.isdisjoint(spec.get("inputs", ())),
    )


def _mapper_name(mapper: str | list[str]) -> str:
    return mapper if isinstance(mapper, str) else " > ".join(mapper)


def field_order(field: str) -> tuple[bool, str]:
    """Orders fields of the failures hash: indexes by their value, the reduce task last."""
    return not field.isdecimal(), field.zfill(12)


def read_flight(value: bytes) -> Flight:
    """Returns a task in flight from its record."""
    entry, attempt, crashes, deferrals, delayed, *older = value.split(b" ")
    counts = int(attempt), int(crashes), int(deferrals)
    return Flight(entry, *counts, delayed == b"1", tuple(older))


def read_failure(field: str, record: bytes, body: bytes | None) -> FailedTask:
    """Returns a dead letter from its record."""
    attempts, _, error = record.partition(b" ")
    index = int(field) if field.isdecimal() else None
    is_reduce = field.startswith("reduce")
    partition = int(field.removeprefix("reduce") or 0) if is_reduce else None
    read = None if body is None else orjson.loads(body)
    return FailedTask(index, int(attempts), orjson.loads(error), read, field, partition)


def _read_counters(reply: Any) -> dict[str, int]:
    flat = reply if isinstance(reply, list) else [x for pair in reply.items() for x in pair]
    return {name.decode(): int(value) for name, value in zip(flat[0::2], flat[1::2], strict=True)}


def read_skipped(index: int, record: int, data: bytes) -> SkippedRecord:
    """Returns a record that was given up from what is kept of it."""
    error = orjson.loads(data)
    return SkippedRecord(index, record, error, error.pop("input", None))
