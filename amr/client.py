"""The Python client: invoke jobs, follow them, get their results."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from amr.controller import checked_job_id, submit
from amr.errors import (
    JobCancelledError,
    JobFailedError,
    UnknownJobError,
    UsageError,
    WaitTimeoutError,
)
from amr.job import JobSpec, check_functions, parse_job
from amr.jobfile import load_job
from amr.redis_url import RedisTarget
from amr.settings import resolve_target
from amr.states import JobState
from amr.store.connection import redis_errors
from amr.store.events import Event, EventReader
from amr.store.fleet import Fleet
from amr.store.inspect import FailedTask, Inspector, JobStatus
from amr.store.keys import Keys
from amr.store.link import Link
from amr.store.replies import Code
from amr.store.transitions import Transitions

_BLOCK_S = 2.0

#: Seconds for which a client goes on trying when a Redis that it talked to is away.
_PATIENCE_S = 30.0

#: Anything that describes a job: a spec, its document, or the path of one.
JobLike = JobSpec | Mapping[str, Any] | str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class StreamView:
    """Who works on a stream, and how fast.

    Attributes:
        workers: live workers.
        lag: entries that no worker has taken.
        pending: entries that workers hold.
        active_jobs: jobs that have not ended.
        rate: map tasks that end in a second.
    """

    workers: int
    lag: int
    pending: int
    active_jobs: int
    rate: float


class Client:
    """Talks to one stream.

    Args:
        url: the Redis and stream, such as ``redis://:secret@host:6379#inputs``. Without it the
            environment names them, or the instance of an ``amr up`` in this folder or above.

    Raises:
        SettingsError: the URL is wrong, or nothing names a Redis.
    """

    def __init__(self, url: str | RedisTarget | None = None) -> None:
        self.target = url if isinstance(url, RedisTarget) else resolve_target(url)
        self._keys = Keys(self.target.stream)
        self._link = Link(self.target, patience_s=_PATIENCE_S)
        self._idle: list[Link] = []
        self._transitions = Transitions(self._keys)
        self.inspector = Inspector(self._link, self._keys)
        self.fleet = Fleet(self._link, self._keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections; the next call makes new ones."""
        for link in (self._link, *self._idle):
            link.close()

    def invoke(
        self,
        job: JobLike,
        *,
        id: str | None = None,
        inputs: Iterable[Any] | None = None,
    ) -> Job:
        """Submits a job and returns at once, also while no trigger is up.

        Args:
            job: a ``JobSpec``, job.json's content as a mapping, or the path of a job.json.
            id: makes it idempotent: the same id and content give the same job, and a submission
                that was cut is completed.
            inputs: takes the place of the description's inputs; may be any iterable, and is read
                once, a chunk at a time.

        Raises:
            JobSpecError: the description is wrong; every mistake is named.
            JobConflictError: the id belongs to a job with other content.
            RedisUnavailableError: Redis cannot be reached.
        """
        spec = read_spec(job, has_inputs=inputs is not None)
        with redis_errors(self.target):
            check_served(spec, self.served_functions())
            submission = submit(
                self._link, self._transitions, spec, id, inputs, self.inspector.largest_body
            )
        return Job(self, submission.job, created=submission.created, total=submission.total)

    def job(self, id: str) -> Job:
        """Returns the handle of a job that was invoked before; its existence is not checked."""
        return Job(self, checked_job_id(id))

    def newest(self) -> Job | None:
        """Returns the job that was invoked last, or None when there is none."""
        with redis_errors(self.target):
            ids = self.inspector.job_ids(1)
        return Job(self, ids[0]) if ids else None

    def jobs(self, *, state: str | None = None, most: int = 100) -> list[JobStatus]:
        """Returns where jobs stand, the newest first.

        Args:
            state: only jobs in this state.
            most: how many of the newest jobs to look at.
        """
        with redis_errors(self.target):
            statuses = self.inspector.statuses(self.inspector.job_ids(most))
        return [s for s in statuses if s is not None and state in (None, s.state)]

    def served_functions(self) -> set[str] | None:
        """Returns the functions that the live triggers serve, or None when there is no trigger."""
        with redis_errors(self.target):
            live = self.fleet.live_triggers()
        return set().union(*(trigger.facts["functions"] for trigger in live)) if live else None

    def stream_view(self, sample_s: float = 0.5) -> StreamView:
        """Returns who works on the stream and how fast, measured over ``sample_s`` seconds."""
        with redis_errors(self.target):
            jobs = self.inspector.active_ids()
            before = self._done(jobs)
            started = time.monotonic()
            if jobs:
                time.sleep(sample_s)
            rate = (self._done(jobs) - before) / max(sample_s, time.monotonic() - started)
            backlog = self.fleet.backlog()
            workers = len(self.fleet.live_workers())
        return StreamView(workers, backlog.lag, backlog.pending, len(jobs), round(rate, 1))

    def _done(self, jobs: list[str]) -> int:
        """Returns how many map tasks of the jobs have ended."""
        statuses = self.inspector.statuses(jobs)
        return sum(s.succeeded + s.failed for s in statuses if s is not None)

    @contextmanager
    def _reading(self, job: str, since_ms: int = 0, *, lines: bool) -> Iterator[EventReader]:
        """Lends a reader of the job's events, on a connection that nobody else uses meanwhile."""
        link = self._idle.pop() if self._idle else Link(self.target, patience_s=_PATIENCE_S)
        try:
            with redis_errors(self.target):
                yield EventReader(link, self._keys, job, since_ms=since_ms, lines=lines)
        finally:
            self._idle.append(link)

    def _cancel(self, job: str) -> Code:
        code: Code = self._link.run(self._transitions.cancel(job)).code
        return code


class Job:
    """Handle of one job.

    Attributes:
        id: job id.
        created: False when ``invoke`` found the same job submitted before.
        total: inputs that ``invoke`` sent; None on a handle of ``Client.job``.
    """

    def __init__(
        self, client: Client, id: str, *, created: bool = False, total: int | None = None
    ) -> None:
        self.id = id
        self.created = created
        self.total = total
        self._client = client

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def status(self) -> JobStatus:
        """Returns where the job stands.

        Raises:
            UnknownJobError: there is no such job, or its data has expired.
        """
        with redis_errors(self._client.target):
            status = self._client.inspector.status(self.id)
        if status is None:
            raise UnknownJobError(self.id)
        return status

    def wait(
        self,
        timeout: float | None = None,
        *,
        on_status: Callable[[JobStatus], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> JobStatus:
        """Returns how the job stands when it has ended.

        Args:
            timeout: seconds to wait at most.
            on_status: is called with the status about five times a second.
            on_event: is called with each line of the job's life and of its functions.

        Raises:
            WaitTimeoutError: the job had not ended by then; it goes on.
        """
        give_up_at = None if timeout is None else time.monotonic() + timeout
        with self._client._reading(self.id, lines=on_event is not None) as reader:
            while (status := self.status()).live:
                if on_status:
                    on_status(status)
                block_s = 0.2 if on_status else _BLOCK_S
                if give_up_at is not None:
                    left_s = give_up_at - time.monotonic()
                    if left_s <= 0:
                        raise WaitTimeoutError(self.id, timeout or 0.0)
                    block_s = min(block_s, left_s)
                _wait_for_end(reader, block_s, on_event)
            if on_event:
                for event in reader.new():
                    on_event(event)
        if on_status:
            on_status(status)
        return status

    def result(self, timeout: float | None = None) -> Any:
        """Waits for the end and returns the result.

        That is the reducer's output. A job without a reducer gives the list of its outputs in input
        order; with ``on_failure`` other than ``fail`` it gives ``{"results": {"count", "results"},
        "failures": {"count", "results"}}``.

        Raises:
            JobFailedError: the job failed.
            JobCancelledError: the job was cancelled.
            WaitTimeoutError: the job had not ended after ``timeout`` seconds.
        """
        return orjson.loads(self.result_json(timeout))

    def result_json(self, timeout: float | None = None) -> bytes:
        """Returns what ``result`` does, as JSON."""
        status = self.wait(timeout)
        if status.state is JobState.CANCELLED:
            raise JobCancelledError(self.id, f"job {self.id} was cancelled")
        if status.state is JobState.FAILED:
            raise JobFailedError(self.id, f"job {self.id} failed: {status.error}")
        with redis_errors(self._client.target):
            if status.has_reducer:
                result = self._client.inspector.result(self.id)
                if result is None:
                    raise UnknownJobError(self.id)
                return result
            return self._outputs_json(status)

    def failures(self) -> list[FailedTask]:
        """Returns the tasks that are out of attempts, in input order."""
        self.status()
        with redis_errors(self._client.target):
            return list(self._client.inspector.failures(self.id))

    def cancel(self) -> bool:
        """Ends the job at once; False when it had been cancelled before.

        Raises:
            UnknownJobError: there is no such job.
            UsageError: the job has ended otherwise.
        """
        with redis_errors(self._client.target):
            code = self._client._cancel(self.id)
        if code is Code.GONE:
            raise UnknownJobError(self.id)
        if code is Code.OK:
            return True
        state = self.status().state
        if state is JobState.CANCELLED:
            return False
        raise UsageError(f"job {self.id} has ended already: it {state}")

    def events(
        self, *, since_ms: int = 0, follow: bool = True, lines: bool = True
    ) -> Iterator[Event]:
        """Yields the lines of the job's life and of its functions, in order.

        Args:
            since_ms: leaves out lines before this time, in milliseconds since the epoch.
            follow: goes on until the job has ended; else ends with what there is.
            lines: whether to give what functions printed as well.
        """
        self.status()
        with self._client._reading(self.id, since_ms, lines=lines) as reader:
            while True:
                ended = not follow or not self.status().live
                yield from reader.new()
                if ended:
                    return
                yield from reader.wait(_BLOCK_S)

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def _outputs_json(self, status: JobStatus) -> bytes:
        """Returns the result of a job that has no reducer."""
        outputs = self._client.inspector.outputs(self.id, status.total)
        found = [output for _, output in outputs if output is not None]
        results = b"[" + b",".join(found) + b"]"
        read = self._client.inspector.spec(self.id)
        if read is None:
            raise UnknownJobError(self.id)
        if read[0].get("on_failure", "fail") == "fail":
            return results
        failures = [
            {"index": f.index, "input": f.input, "error": f.error, "attempts": f.attempts}
            for f in self._client.inspector.failures(self.id)
        ]
        return b'{"results":{"count":%d,"results":%b},"failures":{"count":%d,"results":%b}}' % (
            *(len(found), results),
            *(len(failures), orjson.dumps(failures)),
        )


def _wait_for_end(
    reader: EventReader, block_s: float, on_event: Callable[[Event], None] | None
) -> None:
    """Returns when the job ends, or after ``block_s`` seconds."""
    until = time.monotonic() + block_s
    while (left_s := until - time.monotonic()) > 0:
        events = reader.wait(left_s)
        if on_event:
            for event in events:
                on_event(event)
        if any(event.ends_job for event in events):
            return


def read_spec(job: JobLike, *, has_inputs: bool = False) -> JobSpec:
    """Returns the spec that ``job`` is, describes or names.

    Raises:
        JobSpecError: it is wrong.
    """
    if isinstance(job, JobSpec):
        return job
    if isinstance(job, Mapping):
        document = dict(job)
        if has_inputs:
            document.setdefault("inputs", [])
        return parse_job(document, "job")
    return load_job(job if job == "-" else Path(job))


def check_served(spec: JobSpec, served: set[str] | None) -> None:
    """Checks that live triggers serve the job's functions; without a trigger nothing is known.

    Raises:
        JobSpecError: naming the functions that none of them serves.
    """
    if served is not None:
        check_functions(spec, served)
