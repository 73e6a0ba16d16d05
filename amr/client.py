"""The Python client: invoke jobs, find them again, see who works on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Self

from amr.controller import checked_job_id, new_job_id, submit
from amr.job_handle import Job
from amr.jobspec.file import JobLike, read_spec
from amr.jobspec.job import JobSpec, check_functions
from amr.partitions import StreamSet
from amr.redis_url import RedisTarget
from amr.report.search import JobFilter, find_jobs
from amr.report.view import StreamView, view_streams
from amr.report.workers import WorkerStatus, read_workers
from amr.session import Session, session_of
from amr.settings import confirm_timeout, resolve_targets
from amr.store.connection import redis_errors
from amr.store.replies import Code
from amr.store.results import iter_results
from amr.store.status import JobStatus


class Client:
    """Talks to one stream, or to a set of them.

    Args:
        url: the Redis and stream, such as ``redis://:secret@host:6379#inputs``, or several. Else
            the environment names them, or the instance of an ``amr up`` in this folder or above.
        streams: number of streams that each URL means, as its ``#inputs/4`` does.
        confirm_timeout_s: seconds that replicas or the disk have to acknowledge a durable job; 5,
            where ``AMR_CONFIRM_TIMEOUT`` does not name another time.

    Attributes:
        streams: the session of each stream; of a client of several, ``target``, ``inspector`` and
            ``fleet`` are of the first one.

    Raises:
        SettingsError: the URL is wrong, or nothing names a Redis.
    """

    def __init__(
        self,
        url: str | RedisTarget | Sequence[str | RedisTarget] | None = None,
        *,
        streams: int | None = None,
        confirm_timeout_s: float | None = None,
    ) -> None:
        targets = resolve_targets(url, streams)
        timeout_s = confirm_timeout(confirm_timeout_s)
        sessions = [Session(target, timeout_s) for target in targets]
        self.streams = StreamSet(sessions)
        self.target = targets[0]
        self.inspector = sessions[0].inspector
        self.fleet = sessions[0].fleet

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
        for session in self.streams:
            session.close()

    def invoke(
        self,
        job: JobLike,
        *,
        id: str | None = None,
        inputs: Iterable[Any] | None = None,
        durability: str | None = None,
        stream: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Job:
        """Submits a job and returns at once, also while no trigger is up.

        Args:
            job: a ``JobSpec``, job.json's content as a mapping, or the path of a job.json.
            id: makes it idempotent: the same id and content give the same job, and a submission
                that was cut is completed.
            inputs: takes the place of the description's inputs; may be any iterable, and is read
                once, a chunk at a time.
            durability: ``memory``, ``replica`` or ``disk``, in place of the description's.
            stream: name of the stream it goes to; without it, the hash of its id decides.
            params: values of the description's parameters, ``{"param": NAME}``.

        Raises:
            JobSpecError: the description is wrong; every mistake is named.
            JobConflictError: the id belongs to a job with other content.
            RedisUnavailableError: Redis cannot be reached.
            OverloadedError: there is no room for the job now.
            RedisUnsuitableError: it cannot give the durability; nothing was submitted.
            UnconfirmedError: too few have acknowledged the job; invoke it again with the same id.
        """
        spec = read_spec(job, has_inputs=inputs is not None, parameters=params)
        spec = spec.with_durability(durability)
        new_id = new_job_id(spec)
        home = self.streams.named(stream) if stream else self.streams.of_job(id or new_id)
        if id is not None:
            home = session_of(self.streams, checked_job_id(id), home)
        with redis_errors(home.target):
            check_served(spec, home.fleet.served_functions())
            submission = submit(
                home.link,
                home.transitions,
                spec,
                id,
                inputs,
                home.inspector.largest_body,
                home.confirmer,
                home.admission,
                lambda other: iter_results(home.inspector, other),
                new_id,
            )
        only_home = StreamSet([home])
        return Job(only_home, submission.job, created=submission.created, total=submission.total)

    def job(self, id: str) -> Job:
        """Returns the handle of a job that was invoked before; its existence is not checked."""
        return Job(self.streams, checked_job_id(id))

    def newest(self) -> Job | None:
        """Returns the job that was invoked last, or None when there is none."""
        jobs = self.jobs(most=1)
        return self.job(jobs[0].job) if jobs else None

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
        found: list[JobStatus] = []
        for session in self.streams:
            with redis_errors(session.target):
                found += islice(find_jobs(session.inspector, session.fleet, wanted), most)
        found.sort(key=lambda status: status.created_ms, reverse=True)
        return found[:most]

    def prune(self, *, older_s: float = 0.0, state: str | None = None) -> int:
        """Deletes what is kept of jobs that have ended; returns how many there were.

        Args:
            older_s: only jobs that ended at least so many seconds ago.
            state: only jobs that ended in this state.
        """
        wanted = JobFilter(state, None, None, None)
        pruned = 0
        for session in self.streams:
            with redis_errors(session.target):
                found = find_jobs(session.inspector, session.fleet, wanted)
                ended = [status.job for status in found if not status.live]
            calls = [session.transitions.prune(job, older_s) for job in ended]
            pruned += sum(session.run(call).code is Code.OK for call in calls)
        return pruned

    def served_functions(self) -> set[str] | None:
        """Returns the functions that the live triggers serve, or None when there is no trigger."""
        served = []
        for session in self.streams:
            with redis_errors(session.target):
                served.append(session.fleet.served_functions())
        return set().union(*filter(None, served)) if any(s is not None for s in served) else None

    def workers(self) -> list[WorkerStatus]:
        """Returns what each worker did at its trigger's last heartbeat, some seconds ago.

        Raises:
            RedisUnavailableError: Redis cannot be reached.
        """
        found: list[WorkerStatus] = []
        for session in self.streams:
            with redis_errors(session.target):
                found += read_workers(session.fleet, session.target.stream)
        return found

    def stream_view(self, sample_s: float = 0.5) -> StreamView:
        """Returns who works here and how fast, measured over ``sample_s`` seconds."""
        with redis_errors(self.target):
            return view_streams([(each.inspector, each.fleet) for each in self.streams], sample_s)


def check_served(spec: JobSpec, served: set[str] | None) -> None:
    """Checks that live triggers serve the job's functions; without a trigger nothing is known.

    Raises:
        JobSpecError: naming the functions that none of them serves.
    """
    if served is not None:
        check_functions(spec, served)
