"""All that is to be told of one job: its stages, its stragglers, and who runs its tasks."""

from __future__ import annotations

from dataclasses import dataclass

from amr.report.stages import StageFacts, StageStatus, stages_of
from amr.report.stragglers import Straggler, find_stragglers
from amr.report.workers import WorkerStatus, read_tellings, tasks_told, worker_statuses
from amr.store.events import newest_events
from amr.store.fleet import Fleet, read_time
from amr.store.inspect import Inspector
from amr.store.keys import Keys
from amr.store.link import Call, Link, same
from amr.store.status import JobStatus, read_flight

#: Events that are looked through for the rate. Beside those that tell it there may be retries.
_EVENTS_MOST = 300


@dataclass(frozen=True, slots=True)
class JobDetails:
    """Where a job stands, in detail.

    Attributes:
        status: the job as a whole.
        stages: how far each stage is: the source where a task makes the inputs, map, and reduce
            where there is a reducer.
        stragglers: tasks that take much longer than the others, the longest first; none of a
            stage of which no task has ended, or of a job that has.
        workers: those that ran a task of this job at the last heartbeat of their trigger. Of one
            that runs several calls at a time it is not told whose they are.
    """

    status: JobStatus
    stages: tuple[StageStatus, ...]
    stragglers: tuple[Straggler, ...] = ()
    workers: tuple[WorkerStatus, ...] = ()


class DetailReader:
    """Reads the details of jobs in a few calls, however many tasks they have.

    Args:
        link: a connection.
        keys: of the stream.
        stream: its name.
    """

    def __init__(self, link: Link, keys: Keys, stream: str) -> None:
        self._link = link
        self._keys = keys
        self._stream = stream
        self._fleet = Fleet(link, keys)
        self._inspector = Inspector(link, keys)

    def read(self, status: JobStatus) -> JobDetails:
        """Returns the details of the job that stands so."""
        facts, p95_us = self._facts(status.job)
        stages = stages_of(status, facts)
        if not status.live:
            return JobDetails(status, stages)
        tellings = read_tellings(self._fleet)
        tasks = tasks_told(self._fleet, tellings)
        workers = [
            worker
            for worker in worker_statuses(tellings, tasks, self._stream)
            if worker.task is not None and worker.task.job == status.job
        ]
        stragglers: list[Straggler] = []
        if p95_us is not None:
            stragglers = find_stragglers(status.job, p95_us, tellings, self._fleet, self._inspector)
        return JobDetails(status, stages, tuple(stragglers), tuple(workers))

    def _facts(self, job: str) -> tuple[StageFacts, float | None]:
        """Returns what the stages need, and the 95th percentile of what a task takes, in us."""
        key = self._keys.job_key
        time, dead, source, row, events = self._link.run_all(
            [
                Call(("TIME",), read_time),
                Call(("HLEN", key("failures", job)), same),
                Call(("HGET", key("inflight", job), "source"), same),
                Call(("HMGET", key("job", job), "p95_us", "redriven_at"), same),
                newest_events(self._keys, job, _EVENTS_MOST),
            ]
        )
        p95_us, redriven_at = row
        source_runs = source is not None and read_flight(source).had_entry
        facts = StageFacts(time, source_runs, dead, redriven_at is not None, events)
        return facts, float(p95_us) if p95_us else None
