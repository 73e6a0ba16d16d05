"""All that is to be told of one task, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from amr.store.events import Event
from amr.store.status import JobStatus, SkippedRecord
from amr.task import Stage, place_of

#: Where a task is.
TaskState = Literal[
    "waiting",  # not on the stream yet
    "queued",  # on the stream, and no worker runs it
    "running",  # a worker runs it
    "delayed",  # it waits for its retry, or for its paused job to go on
    "done",
    "failed",  # out of attempts: a dead letter
    "cut off",  # its job failed before it was done
    "cancelled",  # with its job, of which only events and lines are kept
    "unknown",  # somebody else deleted what there was of it
]


@dataclass(frozen=True, slots=True)
class Execution:
    """A worker's hold of a task.

    Attributes:
        entry: of the stream that it holds.
        worker: its name.
        held_s: seconds since it took the task, to a tenth.
        running_s: seconds for which it has run it, to a tenth: where its trigger told that it runs
            just this, since it was seen to begin, else since it took it. None where it runs
            another task before, or is gone.
        is_gone: its lease has ended, so that the task goes to another worker.
    """

    entry: str
    worker: str
    held_s: float
    running_s: float | None
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class TaskOutput:
    """What a task that is done has given.

    Attributes:
        kind: ``value``, what its function returned; ``file``, a part file that it wrote; ``runs``,
            sorted runs of a shuffled job; ``inputs`` of the job, of a source task; ``merged``, not
            kept, for a reduce tree has made a partial result of it; or ``nothing``, a partial
            result of map tasks that have all failed.
        value: of the kind ``value``, unless it is missing.
        count: outputs in the file, runs, or inputs.
        bytes: of the value as JSON, of the file or the runs.
        path: of the file that has it; None where Redis does.
        into: the merge that it went into.
        missing: why it cannot be had, or None.
    """

    kind: Literal["value", "file", "runs", "inputs", "merged", "nothing"]
    value: Any = None
    count: int | None = None
    bytes: int | None = None
    path: str | None = None
    into: str | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class EarlierFailure:
    """A failure that a version of the job's result ended with, before a redrive.

    Attributes:
        version: of the result.
        attempts: attempts that were made.
        error: type, message, traceback and worker of the last one.
    """

    version: int
    attempts: int
    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """All that is known of one task. Times are in milliseconds since the epoch, by Redis's clock.

    How long single executions took is not kept: of a task that is done, its lines may tell.

    Attributes:
        status: its job.
        stage: ``source``, ``map``, ``merge`` or ``reduce``.
        index: position of the input; of a reduce task its partition, of a merge its node.
        state: where it is.
        read_ms: when all this was so.
        attempt: the one that it is at, or the last one of a dead letter; None where it is not kept:
            before the first, and of a task that is done.
        max_attempts: attempts that it has.
        crashes: workers that died with it in their hands.
        deferrals: times that it put itself off.
        entry: its entry on the stream, or the last one that it had.
        queued_ms: when that was put there.
        executions: workers that hold it, the longest first; two where a backup was begun.
        due_ms: when it is put on the stream again; None where it does not wait, or for no time.
        children_ended: of a merge that waits, how many of its children have an outcome.
        ended_ms: when it ended, where that is known: of dead letters, and of one reduce task alone.
        input: of a map task, while the job has it.
        output: what it gave, or None.
        skipped: its records that were given up.
        error: type, message, traceback and worker of a dead letter's last attempt.
        earlier: failures from which a redrive made a new version of the job's result.
        history: the job's events that name it.
        log: what its function printed and logged.
        history_since_ms: time before which events of the job are not kept; None where all are.
        log_since_ms: the same of what functions printed.
    """

    status: JobStatus
    stage: Stage
    index: int
    state: TaskState
    read_ms: int
    attempt: int | None
    max_attempts: int
    history: tuple[Event, ...]
    log: tuple[Event, ...]
    history_since_ms: int | None = None
    log_since_ms: int | None = None
    crashes: int = 0
    deferrals: int = 0
    entry: str | None = None
    queued_ms: int | None = None
    executions: tuple[Execution, ...] = ()
    due_ms: int | None = None
    children_ended: int | None = None
    ended_ms: int | None = None
    input: Any = None
    output: TaskOutput | None = None
    skipped: tuple[SkippedRecord, ...] = ()
    error: dict[str, Any] | None = None
    earlier: tuple[EarlierFailure, ...] = ()

    @property
    def place(self) -> str:
        """What to call it: ``map[3]``, ``merge[1.0]``, ``reduce``, ``reduce[2]``, ``source``."""
        return place_of(self.stage, self.index)
