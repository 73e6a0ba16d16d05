"""The client for asyncio.

Each call runs on a thread, so that a cancelled one never spoils a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from amr.client import Client
from amr.job_control import Redriven
from amr.job_handle import Job
from amr.jobspec.file import JobLike
from amr.redis_url import RedisTarget
from amr.report.details import JobDetails
from amr.report.error_groups import ErrorGroup
from amr.report.task_details import TaskDetails
from amr.report.workers import WorkerStatus
from amr.result_stream import StreamedResult
from amr.store.events import Event
from amr.store.status import FailedTask, JobStatus

Item = TypeVar("Item")


class AsyncClient:
    """Talks to a stream or several; arguments, results and errors are those of ``Client``."""

    def __init__(
        self,
        url: str | RedisTarget | Sequence[str | RedisTarget] | None = None,
        *,
        streams: int | None = None,
        confirm_timeout_s: float | None = None,
    ) -> None:
        self._client = Client(url, streams=streams, confirm_timeout_s=confirm_timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connections; the next call makes new ones."""
        await asyncio.to_thread(self._client.close)

    async def invoke(
        self,
        job: JobLike,
        *,
        id: str | None = None,
        inputs: Iterable[Any] | None = None,
        durability: str | None = None,
        stream: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> AsyncJob:
        """Submits a job and returns at once; see ``Client.invoke``."""
        invoke = partial(
            self._client.invoke,
            job,
            id=id,
            inputs=inputs,
            durability=durability,
            stream=stream,
            params=params,
        )
        return AsyncJob(await asyncio.to_thread(invoke))

    def job(self, id: str) -> AsyncJob:
        """Returns the handle of a job that was invoked before; its existence is not checked."""
        return AsyncJob(self._client.job(id))

    async def newest(self) -> AsyncJob | None:
        """Returns the job that was invoked last, or None when there is none."""
        job = await asyncio.to_thread(self._client.newest)
        return AsyncJob(job) if job else None

    async def jobs(
        self,
        *,
        state: str | None = None,
        name: str | None = None,
        newer_s: float | None = None,
        older_s: float | None = None,
        most: int = 100,
    ) -> list[JobStatus]:
        """Returns where jobs stand, the newest first; see ``Client.jobs``."""
        find = partial(self._client.jobs, state=state, name=name, most=most)
        return await asyncio.to_thread(find, newer_s=newer_s, older_s=older_s)

    async def workers(self) -> list[WorkerStatus]:
        """Returns what each worker did at its trigger's last heartbeat; see ``Client.workers``."""
        return await asyncio.to_thread(self._client.workers)

    async def prune(self, *, older_s: float = 0.0, state: str | None = None) -> int:
        """Deletes what is kept of jobs that have ended; see ``Client.prune``."""
        return await asyncio.to_thread(self._client.prune, older_s=older_s, state=state)


class AsyncJob:
    """Handle of one job; see ``Job``."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __repr__(self) -> str:
        return f"AsyncJob({self.id!r})"

    @property
    def id(self) -> str:
        """Job id."""
        return self._job.id

    @property
    def created(self) -> bool:
        """False when ``invoke`` found the same job submitted before."""
        return self._job.created

    async def status(self) -> JobStatus:
        """Returns where the job stands."""
        return await asyncio.to_thread(self._job.status)

    async def details(self) -> JobDetails:
        """Returns where the job stands stage by stage; see ``Job.details``."""
        return await asyncio.to_thread(self._job.details)

    async def task(self, which: int | str) -> TaskDetails:
        """Returns what is known of one task; see ``Job.task``."""
        return await asyncio.to_thread(self._job.task, which)

    async def wait(self, timeout: float | None = None) -> JobStatus:  # noqa: ASYNC109 - as Job.wait
        """Returns how the job stands when it has ended; see ``Job.wait``."""
        return await asyncio.to_thread(self._job.wait, timeout)

    async def result(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as Job.result
        *,
        version: int | None = None,
    ) -> Any:
        """Waits for the end and returns the result; see ``Job.result``."""
        return await asyncio.to_thread(self._job.result, timeout, version=version)

    async def part(self, number: int) -> Any:
        """Returns one part of the result; see ``Job.part``."""
        return await asyncio.to_thread(self._job.part, number)

    async def stream(self) -> AsyncIterator[StreamedResult]:
        """Yields results as they come; see ``Job.stream``."""
        async for result in _on_threads(self._job.stream()):
            yield result

    async def failures(self) -> list[FailedTask]:
        """Returns the tasks that are out of attempts, in input order."""
        return await asyncio.to_thread(self._job.failures)

    async def error_groups(self) -> list[ErrorGroup]:
        """Returns the errors, those that are alike as one; see ``Job.error_groups``."""
        return await asyncio.to_thread(self._job.error_groups)

    async def cancel(self) -> bool:
        """Ends the job at once; see ``Job.cancel``."""
        return await asyncio.to_thread(self._job.cancel)

    async def pause(self) -> None:
        """Lets nothing more of the job begin; see ``Job.pause``."""
        await asyncio.to_thread(self._job.pause)

    async def resume(self) -> None:
        """Lets a paused job go on; see ``Job.resume``."""
        await asyncio.to_thread(self._job.resume)

    async def update(self, *, concurrency: int | None = None, rate: float | None = None) -> None:
        """Gives a job that runs another concurrency or rate; see ``Job.update``."""
        await asyncio.to_thread(self._job.update, concurrency=concurrency, rate=rate)

    async def redrive(
        self, *, only: Collection[int] | None = None, error: str | None = None
    ) -> Redriven:
        """Runs dead tasks again; see ``Job.redrive``."""
        return await asyncio.to_thread(self._job.redrive, only=only, error=error)

    async def events(
        self, *, since_ms: int = 0, follow: bool = True, lines: bool = True
    ) -> AsyncIterator[Event]:
        """Yields the lines of the job's life and of its functions; see ``Job.events``."""
        events = self._job.events(since_ms=since_ms, follow=follow, lines=lines)
        async for event in _on_threads(events):
            yield event

    def __aiter__(self) -> AsyncIterator[Event]:
        return self.events()


async def _on_threads(items: Iterator[Item]) -> AsyncIterator[Item]:
    """Yields the items of an iterator, each of which is waited for on a thread."""
    while (item := await asyncio.to_thread(next, items, None)) is not None:
        yield item
