"""Reads what the store holds, for people and programs; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from amr.states import LIVE_STATES, JobState
from amr.store.connection import ResponseError
from amr.store.keys import Keys
from amr.store.link import Call, Link, same
from amr.wire import MAX_BODY_BYTES

_PAGE = 1000

_STATUS_FIELDS = (
    "state", "total", "fed", "done", "failed", "delayed", "retried", "timed_out", "cancelled",
    "created", "ended", "error", "spec", "reducer", "task_us", "deadline",
)  # fmt: skip


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

    @property
    def live(self) -> bool:
        """Whether the job has not ended."""
        return self.state in LIVE_STATES


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A dead letter: a task that is out of attempts.

    Attributes:
        index: position of the input; None for the reduce task.
        attempts: attempts that were made.
        error: type, message, traceback and worker of the last one.
        input: the task's input; None for the reduce task.
    """

    index: int | None
    attempts: int
    error: dict[str, Any]
    input: Any


@dataclass(frozen=True, slots=True)
class JobSource:
    """What a worker must know to run a job's tasks; as stored."""

    spec: bytes
    reduce: bytes
    state: JobState
    total: int
    remaining: int
    task_us: float | None


class Inspector:
    """Read-only view of one stream."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def status(self, job: str) -> JobStatus | None:
        """Returns where the job stands, or None when it is not known."""
        return self.statuses([job])[0]

    def statuses(self, jobs: list[str]) -> list[JobStatus | None]:
        """Returns where each of the jobs stands, after one round trip."""
        calls = [call for job in jobs for call in self._status_calls(job)]
        replies = self._link.run_all(calls)
        rows = zip(jobs, replies[0::3], replies[1::3], replies[2::3], strict=True)
        return [_read_status(*row) for row in rows]

    def largest_body(self) -> int:
        """Returns the bytes that one input or output may have, by our limit and by Redis's own."""
        try:
            reply = self._link.run(Call(("CONFIG", "GET", "proto-max-bulk-len"), same))
        except ResponseError:
            return MAX_BODY_BYTES  # not everybody may read settings; few change this one
        return min([MAX_BODY_BYTES, *map(int, reply[1:2])])

    def state(self, job: str) -> JobState | None:
        """Returns the job's state, or None when it is not known."""
        return self.states([job])[0]

    def states(self, jobs: list[str]) -> list[JobState | None]:
        """Returns the state of each of the jobs, after one round trip."""
        calls = [Call(("HGET", self._keys.job_key("job", job), "state"), same) for job in jobs]
        return [JobState(reply.decode()) if reply else None for reply in self._link.run_all(calls)]

    def job_ids(self, most: int = 100) -> list[str]:
        """Returns the newest jobs, the newest first."""
        key = self._keys.stream_key("jobs")
        newest = ("ZREVRANGEBYSCORE", key, "+inf", "-inf", "LIMIT", 0, most)
        reply = self._link.run(Call(newest, same))
        return [job.decode() for job in reply]

    def active_ids(self) -> list[str]:
        """Returns the jobs that have not ended, the oldest first."""
        key = self._keys.stream_key("active")
        return [job.decode() for job in self._link.run(Call(("ZRANGE", key, 0, -1), same))]

    def source(self, job: str) -> JobSource | None:
        """Returns what a worker must know of the job, or None when it is not known."""
        key = self._keys.job_key("job", job)
        fields = ("spec", "reduce", "state", "done", "failed", "task_us")
        row, appended = self._link.run_all(
            [
                Call(("HMGET", key, *fields), same),
                Call(("LLEN", self._keys.job_key("inputs", job)), same),
            ]
        )
        if row[0] is None:
            return None
        remaining = appended - int(row[3]) - int(row[4])
        task_us = float(row[5]) if row[5] else None
        return JobSource(row[0], row[1], JobState(row[2].decode()), appended, remaining, task_us)

    def spec(self, job: str) -> tuple[dict[str, Any], Any] | None:
        """Returns the job's description without inputs, and its ``reduce``; None if not known."""
        key = self._keys.job_key("job", job)
        spec, reduce = self._link.run(Call(("HMGET", key, "spec", "reduce"), same))
        return None if spec is None else (orjson.loads(spec), orjson.loads(reduce))

    def result(self, job: str) -> bytes | None:
        """Returns the reducer's output as JSON, or None when there is none."""
        reply: bytes | None = self._link.run(Call(("GET", self._keys.job_key("result", job)), same))
        return reply

    def outputs(self, job: str, total: int) -> Iterator[tuple[int, bytes | None]]:
        """Yields the index and the output as JSON of each of ``total`` tasks, in input order.

        The output of a task that is not done is None.
        """
        key = self._keys.job_key("outputs", job)
        for start in range(0, total, _PAGE):
            indexes = range(start, min(start + _PAGE, total))
            values = self._link.run(Call(("HMGET", key, *indexes), same))
            yield from zip(indexes, values, strict=True)

    def failures(self, job: str) -> Iterator[FailedTask]:
        """Yields the job's dead letters in input order, the reduce task last."""
        rows: dict[str, bytes] = {}
        cursor = b"0"
        key = self._keys.job_key("failures", job)
        while True:
            cursor, flat = self._link.run(Call(("HSCAN", key, cursor, "COUNT", _PAGE), same))
            names = (name.decode() for name in flat[0::2])
            rows |= zip(names, flat[1::2], strict=True)
            if cursor == b"0":
                break
        fields = sorted(rows, key=lambda field: (field == "reduce", field.zfill(12)))
        for start in range(0, len(fields), _PAGE):
            page = fields[start : start + _PAGE]
            for field, body in zip(page, self._inputs(job, page), strict=True):
                attempts, _, error = rows[field].partition(b" ")
                index = None if field == "reduce" else int(field)
                read = None if body is None else orjson.loads(body)
                yield FailedTask(index, int(attempts), orjson.loads(error), read)

    def input(self, job: str, index: int) -> bytes | None:
        """Returns one input as JSON, or None when there is none at ``index``."""
        return self._inputs(job, [str(index)])[0] if index >= 0 else None

    def _inputs(self, job: str, fields: list[str]) -> list[bytes | None]:
        key = self._keys.job_key("inputs", job)
        calls = [Call(("LINDEX", key, f), same) for f in fields if f != "reduce"]
        bodies: list[bytes | None] = self._link.run_all(calls)
        return bodies + [None] * (len(fields) - len(calls))

    def are_current(self, job: str, fields: list[str], entries: list[bytes]) -> list[bool]:
        """Tells of each task of the job whether it is in flight with just that entry."""
        key = self._keys.job_key("inflight", job)
        flights = self._link.run(Call(("HMGET", key, *fields), same))
        return [
            flight is not None and flight.partition(b" ")[0] == entry
            for flight, entry in zip(flights, entries, strict=True)
        ]

    def _status_calls(self, job: str) -> list[Call]:
        return [
            Call(("HMGET", self._keys.job_key("job", job), *_STATUS_FIELDS), same),
            Call(("LLEN", self._keys.job_key("inputs", job)), same),
            Call(("HGETALL", self._keys.job_key("counters", job)), same),
        ]


def _read_status(job: str, row: list[Any], appended: int, counters: Any) -> JobStatus | None:
    field = dict(zip(_STATUS_FIELDS, row, strict=True))
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
        name=spec.get("name") or spec["mapper"],
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
    )


def _read_counters(reply: Any) -> dict[str, int]:
    flat = reply if isinstance(reply, list) else [x for pair in reply.items() for x in pair]
    return {name.decode(): int(value) for name, value in zip(flat[0::2], flat[1::2], strict=True)}
