"""The Python client: invoke jobs, find them again, see who works on them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, Self

from amr.controller import checked_job_id, submit
from amr.job import JobSpec, check_functions
from amr.job_handle import Job
from amr.jobfile import JobLike, read_spec
from amr.redis_url import RedisTarget
from amr.session import Session
from amr.settings import confirm_timeout, resolve_target
from amr.store.connection import redis_errors
from amr.store.inspect import JobStatus
from amr.store.replies import Code
from amr.store.search import JobFilter, find_jobs


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
        confirm_timeout_s: seconds that replicas or the disk have to acknowledge a durable job; 5,
            where ``AMR_CONFIRM_TIMEOUT`` does not name another time.

    Raises:
        SettingsError: the URL is wrong, or nothing names a Redis.
    """

    def __init__(
        self, url: str | RedisTarget | None = None, *, confirm_timeout_s: float | None = None
    ) -> None:
        self.target = url if isinstance(url, RedisTarget) else resolve_target(url)
        self._session = Session(self.target, confirm_timeout(confirm_timeout_s))
        self.inspector = self._session.inspector
        self.fleet = self._session.fleet

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
        self._session.close()

    def invoke(
        self,
        job: JobLike,
        *,
        id: str | None = None,
        inputs: Iterable[Any] | None = None,
        durability: str | None = None,
    ) -> Job:
        """Submits a job and returns at once, also while no trigger is up.

        Args:
            job: a ``JobSpec``, job.json's content as a mapping, or the path of a job.json.
            id: makes it idempotent: the same id and content give the same job, and a submission
                that was cut is completed.
            inputs: takes the place of the description's inputs; may be any iterable, and is read
                once, a chunk at a time.
            durability: ``memory``, ``replica`` or ``disk``, in place of the description's.

        Raises:
            JobSpecError: the description is wrong; every mistake is named.
            JobConflictError: the id belongs to a job with other content.
            RedisUnavailableError: Redis cannot be reached.
            OverloadedError: there is no room for the job now.
            RedisUnsuitableError: it cannot give the durability; nothing was submitted.
            UnconfirmedError: too few have acknowledged the job; invoke it again with the same id.
        """
        spec = read_spec(job, has_inputs=inputs is not None).with_durability(durability)
        with redis_errors(self.target):
            check_served(spec, self.served_functions())
            submission = submit(
                self._session.link,
                self._session.transitions,
                spec,
                id,
                inputs,
                self.inspector.largest_body,
                self._session.confirmer,
                self._session.admission,
            )
        return Job(
            self._session, submission.job, created=submission.created, total=submission.total
        )

    def job(self, id: str) -> Job:
        """Returns the handle of a job that was invoked before; its existence is not checked."""
        return Job(self._session, checked_job_id(id))

    def newest(self) -> Job | None:
        """Returns the job that was invoked last, or None when there is none."""
        with redis_errors(self.target):
            ids = self.inspector.job_ids(1)
        return Job(self._session, ids[0]) if ids else None

    def jobs(
        self,
        *,
        state: str | None = None,
        name: str | None = None,
        newer_s: float | None = None,
        older_s: float | None = None,
        most: int = 100,
    ) -> list[JobStatus]:
        """Returns where jobs stand, the newest first.

        Args:
            state: only jobs in this state.
            name: only jobs whose name or id matches this pattern, with ``*`` and ``?``.
            newer_s: only jobs that were created in the last so many seconds.
            older_s: only jobs that were created before the last so many seconds.
            most: how many jobs to return.
        """
        wanted = JobFilter(state, name, newer_s, older_s)
        with redis_errors(self.target):
            return list(islice(find_jobs(self.inspector, self.fleet, wanted), most))

    def prune(self, *, older_s: float = 0.0, state: str | None = None) -> int:
        """Deletes what is kept of jobs that have ended; returns how many there were.

        Args:
            older_s: only jobs that ended at least so many seconds ago.
            state: only jobs that ended in this state.
        """
        wanted = JobFilter(state, None, None, None)
        with redis_errors(self.target):
            found = find_jobs(self.inspector, self.fleet, wanted)
            prune = self._session.transitions.prune
            ended = [prune(status.job, older_s) for status in found if not status.live]
            return sum(self._session.run(call).code is Code.OK for call in ended)

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


def check_served(spec: JobSpec, served: set[str] | None) -> None:
    """Checks that live triggers serve the job's functions; without a trigger nothing is known.

    Raises:
        JobSpecError: naming the functions that none of them serves.
    """
    if served is not None:
        check_functions(spec, served)
