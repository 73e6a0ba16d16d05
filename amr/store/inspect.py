"""Reads what the store holds, for people and programs; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from amr.states import JobState
from amr.storage.spilled import load_spilled
from amr.store.connection import ResponseError
from amr.store.keys import Keys
from amr.store.link import Call, Link, same
from amr.store.status import (
    STANDING_FIELDS,
    STATUS_FIELDS,
    FailedTask,
    JobSource,
    JobStatus,
    SkippedRecord,
    Standing,
    field_order,
    read_failure,
    read_flight,
    read_skipped,
    read_standing,
    read_status,
)
from amr.task import Task
from amr.wire import MAX_BODY_BYTES

_PAGE = 1000


class Inspector:
    """Read-only view of one stream."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def status(self, job: str) -> JobStatus | None:
        """Returns where the job stands, or None when it is not known."""
        return self.statuses([job])[0]

    def status_for_sure(self, job: str) -> JobStatus | None:
        """Returns what ``status`` does; that a job is not known is the word of a primary.

        One that has become a replica empties itself for its first copy, and answers meanwhile. It
        refuses a write, even one that changes nothing; then the link finds today's primary.
        """
        status = self.status(job)
        if status is None:
            self._link.run(Call(("ZREM", self._keys.stream_key("active"), ""), same))
            status = self.status(job)
        return status

    def statuses(self, jobs: list[str]) -> list[JobStatus | None]:
        """Returns where each of the jobs stands, after one round trip."""
        calls = [call for job in jobs for call in self._status_calls(job)]
        replies = self._link.run_all(calls)
        rows = zip(jobs, replies[0::3], replies[1::3], replies[2::3], strict=True)
        return [read_status(*row) for row in rows]

    def largest_body(self) -> int:
        """Returns the bytes that one input or output may have, by our limit and by Redis's own."""
        try:
            reply = self._link.run(Call(("CONFIG", "GET", "proto-max-bulk-len"), same))
        except ResponseError:
            return MAX_BODY_BYTES  # not everybody may read settings; few change this one
        return min([MAX_BODY_BYTES, *map(int, reply[1:2])])

    def state(self, job: str) -> JobState | None:
        """Returns the job's state, or None when it is not known."""
        standing = self.standings([job])[0]
        return None if standing is None else standing.state

    def standings(self, jobs: list[str]) -> list[Standing | None]:
        """Returns where each of the jobs stands for a worker, after one round trip."""
        keys = [self._keys.job_key("job", job) for job in jobs]
        calls = [Call(("HMGET", key, *STANDING_FIELDS), same) for key in keys]
        return [read_standing(*row) for row in self._link.run_all(calls)]

    def job_ids(
        self,
        most: int = 100,
        *,
        since_ms: float | None = None,
        until_ms: float | None = None,
        start: int = 0,
    ) -> list[str]:
        """Returns jobs, the newest first.

        Args:
            most: how many.
            since_ms: only jobs that were created then or later.
            until_ms: only jobs that were created then or before.
            start: how many of the newest of them to leave out.
        """
        key = self._keys.stream_key("jobs")
        newest = "+inf" if until_ms is None else until_ms
        oldest = "-inf" if since_ms is None else since_ms
        range_ = ("ZREVRANGEBYSCORE", key, newest, oldest, "LIMIT", start, most)
        return [job.decode() for job in self._link.run(Call(range_, same))]

    def followed_by(self, jobs: list[str]) -> dict[str, str]:
        """Returns, of the jobs that wait for the end of another one, which one that is."""
        calls = [
            Call(("HMGET", self._keys.job_key("job", job), "after", "total"), same) for job in jobs
        ]
        rows = zip(jobs, self._link.run_all(calls), strict=True)
        return {job: after.decode() for job, (after, total) in rows if after and not total}

    def active_ids(self) -> list[str]:
        """Returns the jobs that have not ended, the oldest first."""
        key = self._keys.stream_key("active")
        return [job.decode() for job in self._link.run(Call(("ZRANGE", key, 0, -1), same))]

    def source(self, job: str) -> JobSource | None:
        """Returns what a worker must know of the job, or None when it is not known."""
        key = self._keys.job_key("job", job)
        fields = ("spec", "reduce", "done", "failed", "task_us", *STANDING_FIELDS)
        row, appended = self._link.run_all(
            [
                Call(("HMGET", key, *fields), same),
                Call(("LLEN", self._keys.job_key("inputs", job)), same),
            ]
        )
        spec, reduce, done, failed, task_us, *standing = row
        found = read_standing(*standing)
        if found is None:
            return None
        remaining = appended - int(done) - int(failed)
        return JobSource(
            spec, reduce, found, appended, remaining, float(task_us) if task_us else None
        )

    def spec(self, job: str) -> tuple[dict[str, Any], Any] | None:
        """Returns the job's description without inputs, and its ``reduce``; None if not known."""
        key = self._keys.job_key("job", job)
        spec, reduce = self._link.run(Call(("HMGET", key, "spec", "reduce"), same))
        return None if spec is None else (orjson.loads(spec), orjson.loads(reduce))

    def result(self, job: str, version: int = 1) -> bytes | None:
        """Returns the reducer's output as JSON, or None when there is none of this version."""
        key = self._keys.job_key("results", job)
        return _whole(self._link.run(Call(("HGET", key, version), same)))

    def result_parts(
        self, job: str, partitions: Sequence[int], version: int = 1
    ) -> list[bytes | None]:
        """Returns the outputs of reduce tasks of a shuffled job; None of those that are not done.

        Each is a JSON list, or what is told of the file that has it.
        """
        key = self._keys.job_key("results", job)
        fields = [f"{version}:{partition}" for partition in partitions]
        return [_whole(part) for part in self._link.run(Call(("HMGET", key, *fields), same))]

    def runs(self, job: str, names: Sequence[str]) -> list[bytes | None]:
        """Returns runs of a shuffled job by their names."""
        key = self._keys.job_key("runs", job)
        runs: list[bytes | None] = self._link.run(Call(("HMGET", key, *names), same))
        return runs

    def has_runs(self, job: str) -> bool:
        """Whether Redis keeps runs of a shuffled job."""
        return bool(self._link.run(Call(("EXISTS", self._keys.job_key("runs", job)), same)))

    def partials(self, job: str, nodes: Sequence[int]) -> list[bytes | None]:
        """Returns what nodes of a job's reduce tree were merged to, as JSON; empty of nothing."""
        if not nodes:
            return []
        key = self._keys.job_key("partials", job)
        return [_whole(partial) for partial in self._link.run(Call(("HMGET", key, *nodes), same))]

    def outputs(self, job: str, total: int, start: int = 0) -> Iterator[tuple[int, bytes | None]]:
        """Yields the index and the output as JSON of each of ``total`` tasks, in input order.

        The output of a task that is not done is None.

        Args:
            job: job id.
            total: tasks of the job, or the index to end before.
            start: index to begin with.
        """
        for begin in range(start, total, _PAGE):
            indexes = range(begin, min(begin + _PAGE, total))
            yield from zip(indexes, map(_whole, self._kept(job, indexes)), strict=True)

    def outputs_at(self, job: str, indexes: Sequence[int]) -> list[bytes | None]:
        """Returns the outputs of map tasks as JSON; None of those that are not done."""
        return [_whole(output) for output in self._kept(job, indexes)]

    def _kept(self, job: str, indexes: Sequence[int]) -> list[bytes | None]:
        """Returns what Redis keeps of outputs, which may be references."""
        key = self._keys.job_key("outputs", job)
        outputs: list[bytes | None] = self._link.run(Call(("HMGET", key, *indexes), same))
        return outputs

    def failures(self, job: str, version: int | None = None) -> Iterator[FailedTask]:
        """Yields the job's dead letters in input order, the reduce task last.

        Args:
            job: job id.
            version: of the result that they are missing from; the newest if None.
        """
        repaired = {} if version is None else self._redriven_after(job, version)
        key = self._keys.job_key("failures", job)
        names = self._link.run(Call(("HKEYS", key), same))
        fields = sorted({name.decode() for name in names} | repaired.keys(), key=field_order)
        for start in range(0, len(fields), _PAGE):
            page = fields[start : start + _PAGE]
            records = self._link.run(Call(("HMGET", key, *page), same))
            rows = zip(page, records, self._inputs(job, page), strict=True)
            for field, record, body in rows:
                record = repaired.get(field, record)
                if record is not None:  # else it was redriven just now
                    yield read_failure(field, record, body)

    def are_dead(self, job: str, indexes: Sequence[int]) -> list[bool]:
        """Tells of each map task whether it is a dead letter."""
        key = self._keys.job_key("failures", job)
        return self._link.run_all([Call(("HEXISTS", key, index), bool) for index in indexes])

    def skipped_of(self, job: str, index: int) -> set[int]:
        """Returns the positions of the records of one map task that were given up."""
        return {at for task, at in self._skipped_names(job) if task == index}

    def skipped(self, job: str, index: int | None = None) -> Iterator[SkippedRecord]:
        """Yields the records that were given up, in input order; of one map task, or of all."""
        key = self._keys.job_key("skipped", job)
        names = sorted(at for at in self._skipped_names(job) if index in (None, at[0]))
        for start in range(0, len(names), _PAGE):
            page = names[start : start + _PAGE]
            fields = [f"{index}:{record}" for index, record in page]
            errors = self._link.run(Call(("HMGET", key, *fields), same))
            for (index, record), error in zip(page, errors, strict=True):
                yield read_skipped(index, record, error)

    def _skipped_names(self, job: str) -> list[tuple[int, int]]:
        names = self._link.run(Call(("HKEYS", self._keys.job_key("skipped", job)), same))
        split = (name.partition(b":") for name in names)
        return [(int(index), int(record)) for index, _, record in split]

    def _redriven_after(self, job: str, version: int) -> dict[str, bytes]:
        """Returns the failures that version ended with and that a later one may have repaired."""
        key = self._keys.job_key("redriven", job)
        flat = self._link.run(Call(("HGETALL", key), same))
        first: dict[str, tuple[int, bytes]] = {}
        for name, record in zip(flat[0::2], flat[1::2], strict=True):
            field, _, ended_with = name.decode().partition(" ")
            at = int(ended_with)
            if at >= version and (field not in first or at < first[field][0]):
                first[field] = at, record
        return {field: record for field, (_, record) in first.items()}

    def input(self, job: str, index: int) -> bytes | None:
        """Returns one input as JSON, or None when there is none at ``index``."""
        return self._inputs(job, [str(index)])[0] if index >= 0 else None

    def _inputs(self, job: str, fields: list[str]) -> list[bytes | None]:
        key = self._keys.job_key("inputs", job)
        calls = [Call(("LINDEX", key, f), same) for f in fields if f.isdecimal()]
        bodies: list[bytes | None] = self._link.run_all(calls)
        return bodies + [None] * (len(fields) - len(calls))

    def entries_of(self, job: str, fields: list[str]) -> list[list[bytes]]:
        """Returns the entries of each task of the job, the one it has now first.

        Those behind it were its own before; of a task that is not in flight there are none.
        """
        key = self._keys.job_key("inflight", job)
        flights = self._link.run(Call(("HMGET", key, *fields), same))
        read = [read_flight(flight) if flight else None for flight in flights]
        return [[flight.entry, *flight.older] if flight else [] for flight in read]

    def are_current(self, job: str, fields: list[str], entries: list[bytes]) -> list[bool]:
        """Tells of each task of the job whether it is in flight with just that entry."""
        own = self.entries_of(job, fields)
        return [mine[:1] == [entry] for mine, entry in zip(own, entries, strict=True)]

    def are_open(self, tasks: Sequence[Task]) -> list[bool]:
        """Tells of each task whether it is in flight still, also under another of its entries."""
        calls = [
            Call(("HGET", self._keys.job_key("inflight", task.job), task.field), same)
            for task in tasks
        ]
        flights = self._link.run_all(calls)
        return [
            flight is not None and task.entry_id in flight.split(b" ")
            for task, flight in zip(tasks, flights, strict=True)
        ]

    def _status_calls(self, job: str) -> list[Call]:
        return [
            Call(("HMGET", self._keys.job_key("job", job), *STATUS_FIELDS), same),
            Call(("LLEN", self._keys.job_key("inputs", job)), same),
            Call(("HGETALL", self._keys.job_key("counters", job)), same),
        ]


def _whole(output: bytes | None) -> bytes | None:
    """Returns an output, also one that is in the store."""
    return None if output is None else load_spilled(output)
