"""The handle of one job: follow it, get its result, change it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import orjson

from amr.errors import (
    JobCancelledError,
    JobFailedError,
    PartNotReadyError,
    UnconfirmedError,
    UnknownJobError,
    UsageError,
    WaitTimeoutError,
)
from amr.job_control import JobControl
from amr.partitions import StreamSet
from amr.report.details import DetailReader, JobDetails
from amr.report.error_groups import ErrorGroup, group_errors
from amr.report.task_details import TaskDetails
from amr.result_stream import ResultStream, StreamedResult
from amr.session import Session
from amr.states import JobState
from amr.store.connection import redis_errors
from amr.store.events import Event
from amr.store.results import outputs_json, part_json, parts_json, reduced_json
from amr.store.status import FailedTask, JobStatus, SkippedRecord
from amr.task_reader import TaskReader

_BLOCK_S = 2.0


class Job(JobControl):
    """Handle of one job.

    Attributes:
        id: job id.
        created: False when ``invoke`` found the same job submitted before.
        total: inputs that ``invoke`` sent; None on a handle of ``Client.job``.
    """

    def __init__(
        self,
        sessions: StreamSet[Session],
        id: str,
        *,
        created: bool = False,
        total: int | None = None,
    ) -> None:
        super().__init__(sessions, id)
        self.created = created
        self.total = total

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def details(self) -> JobDetails:
        """Returns where the job stands in detail: stages, stragglers, who runs its tasks.

        It takes a few more calls than ``status``, as many for a large job as for a small one.

        Raises:
            UnknownJobError: there is no such job, or its data has expired.
        """
        status, session = self.status(), self._session
        with redis_errors(session.target):
            return DetailReader(session.link, session.keys, session.target.stream).read(status)

    def task(self, which: int | str) -> TaskDetails:
        """Returns what is known of one task: where it is, what it got and gave, its history.

        Args:
            which: the index of a map task, such as 37 or ``"37"``; ``"reduce"``, ``"reduce[2]"``
                (of a partition), ``"merge[1.5]"`` (of a reduce tree), or ``"source"``.

        Raises:
            UnknownJobError: there is no such job, or its data has expired.
            UsageError: the job has no such task.
        """
        with redis_errors(self._session.target):
            return TaskReader(self._session, self.id, self.status).read(which)

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
        with self._session.reading(self.id, lines=on_event is not None) as reader:
            while (status := self.status()).live:
                if on_status:
                    on_status(status)
                block_s = 0.2 if on_status else _BLOCK_S
                if give_up_at is not None:
                    left_s = give_up_at - time.monotonic()
                    if left_s <= 0:
                        raise WaitTimeoutError(self.id, timeout or 0.0)
                    block_s = min(block_s, left_s)
                reader.wait_for_end(block_s, on_event)
            if on_event:
                for event in reader.new():
                    on_event(event)
        if on_status:
            on_status(status)
        return status

    def result(self, timeout: float | None = None, *, version: int | None = None) -> Any:
        """Waits for the end and returns the result.

        That is the reducer's output. A job without a reducer gives the list of its outputs in input
        order; with ``on_failure`` other than ``fail`` it gives ``{"results": {"count", "results"},
        "failures": {"count", "results"}}``.

        Args:
            timeout: seconds to wait at most.
            version: of the result; an older one than the newest is there without a wait.

        Raises:
            UsageError: there is no such version.
            JobFailedError: the job failed.
            JobCancelledError: the job was cancelled.
            WaitTimeoutError: the job had not ended after ``timeout`` seconds.
            UnconfirmedError: too few have acknowledged the result that is there; ask again.
        """
        return orjson.loads(self.result_json(timeout, version=version))

    def result_json(self, timeout: float | None = None, *, version: int | None = None) -> bytes:
        """Returns what ``result`` does, as JSON."""
        status = self.status()
        if version is not None and not 1 <= version <= status.version:
            raise UsageError(f"job {self.id} has no version {version}: 1 to {status.version}")
        if version is not None and version < status.version:
            return self._stored_result(status, version)
        status = self.wait(timeout)
        self._check_end(status)
        return self._stored_result(status, status.version)

    def part(self, number: int) -> Any:
        """Returns one part of the result, also while others are being made.

        Of a shuffled job that is the list that a partition gives. A job with an ``output`` has a
        part for each file, ``{"path", "outputs", "bytes"}``: by partition, or by map task where
        there is no reducer.

        Raises:
            UsageError: the job has no such part.
            PartNotReadyError: it is not done.
            JobFailedError: the job, or the task that makes the part, failed before it was done.
            JobCancelledError: the job was cancelled.
            UnconfirmedError: too few have acknowledged the result that is there; ask again.
        """
        return orjson.loads(self.part_json(number))

    def part_json(self, number: int) -> bytes:
        """Returns what ``part`` does, as JSON."""
        status = self.status()
        with redis_errors(self._session.target):
            if status.state is JobState.SUCCEEDED:
                self._confirm(status)
            found = part_json(self._session.inspector, status, number)
        if found is not None:
            return found
        if status.live:
            raise PartNotReadyError(self.id, number, _progress(status))
        self._check_end(status)
        raise JobFailedError(
            self.id, f"job {self.id}: the task of part {number} failed: `amr failures {self.id}`"
        )

    def stream(self) -> Iterator[StreamedResult]:
        """Yields results as they come, until the job has ended.

        Without a reducer these are the outputs of map tasks, about in the order in which they are
        done; of a shuffled job the outputs of its partitions; else the one result at the end. When
        a redrive of map tasks makes the partitions again, theirs come again.

        Raises:
            UnknownJobError: there is no such job, or its data was deleted meanwhile.
            JobFailedError: the job failed; what was given before stands.
            JobCancelledError: the job was cancelled.
            UnconfirmedError: too few have acknowledged the end; ask again.
        """
        for line in self.stream_json():
            yield StreamedResult(**orjson.loads(line))

    def stream_json(self) -> Iterator[bytes]:
        """Yields what ``stream`` does, each as a JSON object of the fields that it has."""
        status = yield from ResultStream(self._session, self.id, self.status).lines()
        self._check_end(status)
        if status.has_reducer and not status.partitions:
            yield b'{"output":%b}' % self._stored_result(status, status.version)
            return
        with redis_errors(self._session.target):
            self._confirm(status)

    def next(self) -> Job | None:
        """Returns the job that gets what this one gives, or None."""
        following = self.status().next
        return None if following is None else Job(self._sessions, following)

    def last(self) -> Job:
        """Returns the last job of the chain that this one is in, which has the chain's result."""
        job = self
        while (following := job.next()) is not None:
            job = following
        return job

    def failures(self) -> list[FailedTask]:
        """Returns the tasks that are out of attempts, in input order."""
        return list(self.iter_failures())

    def iter_failures(self) -> Iterator[FailedTask]:
        """Yields what ``failures`` returns, a page at a time."""
        self.status()
        with redis_errors(self._session.target):
            yield from self._session.inspector.failures(self.id)

    def skipped(self) -> Iterator[SkippedRecord]:
        """Yields the records that were given up, in input order."""
        self.status()
        with redis_errors(self._session.target):
            yield from self._session.inspector.skipped(self.id)

    def error_groups(self) -> list[ErrorGroup]:
        """Returns the errors of failed tasks and skipped records, those that are alike as one."""
        return group_errors(chain(self.iter_failures(), self.skipped()))

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
        with self._session.reading(self.id, since_ms, lines=lines) as reader:
            while True:
                ended = not follow or not self.status().live
                yield from reader.new()
                if ended:
                    return
                yield from reader.wait(_BLOCK_S)

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def _check_end(self, status: JobStatus) -> None:
        """Refuses a job that has ended without a result."""
        if status.state is JobState.CANCELLED:
            raise JobCancelledError(self.id, f"job {self.id} was cancelled")
        if status.state is JobState.FAILED:
            raise JobFailedError(self.id, f"job {self.id} failed: {status.error}")

    def _stored_result(self, status: JobStatus, version: int) -> bytes:
        inspector = self._session.inspector
        with redis_errors(self._session.target):
            if version == status.version:
                # Before it is read: what is read then, whatever server has it, has been confirmed.
                self._confirm(status)
            if status.partitions:
                result = parts_json(inspector, status, version)
            elif status.has_reducer:
                result = reduced_json(inspector, status, version)
            else:
                result = outputs_json(inspector, status, version)
        if result is None:
            raise UnknownJobError(self.id)
        return result

    def _confirm(self, status: JobStatus) -> None:
        """Waits until as many keep the job's end as it asks for."""
        confirmation = self._session.confirmer.confirmation(self.id, status.durability)
        if not confirmation.calls:
            return
        what, retry = f"job {self.id} has ended", f"`amr result {self.id}` again"
        state = confirmation.check(self._session.link.run_all(confirmation.calls), what, retry)
        if state != status.state.encode():
            # Another server has become the primary, and did not know of the end.
            raise UnconfirmedError(self.id, f"{what}, but Redis lost its end: {retry}")


def _progress(status: JobStatus) -> str:
    """Returns how far a job has come that has not ended."""
    if status.state is JobState.REDUCING:
        done, total, tasks = status.reduced, max(1, status.partitions), "reduce tasks"
    else:
        done, total, tasks = status.succeeded, status.total, "map tasks"
    return f"the job is {status.state.value}, {done:,} of {total:,} {tasks} are done"
