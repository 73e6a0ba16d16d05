"""One stream with everything that a test drives it by."""

from __future__ import annotations

from typing import Any

from amr.redis_url import RedisTarget
from amr.store.fleet import Fleet
from amr.store.inspect import Inspector
from amr.store.keys import Keys
from amr.store.link import Link
from amr.store.replies import Code, Reply
from amr.store.status import JobStatus
from amr.store.stream import Entries, TaskStream, ensure_group
from amr.store.transitions import Blame, Done, JobRecord, Transitions
from amr.task import Task
from tests.support.invariant import check_invariant, read

RECORD = JobRecord(
    spec=b'{"mapper":"f.map"}',
    reduce=b"{}",
    digest="digest",
    reducer=True,
    max_attempts=3,
    concurrency=10_000,
    policy="fail",
    tolerance=0.0,
    ttl_ms=60_000,
    deadline_ms=0,
)


class StoreBench:
    """Drives the scripts of a fresh stream as controllers, workers and triggers would."""

    def __init__(self, target: RedisTarget) -> None:
        self.keys = Keys(target.stream)
        self.link = Link(target)
        self.transitions = Transitions(self.keys)
        self.inspector = Inspector(self.link, self.keys)
        self.fleet = Fleet(self.link, self.keys)
        ensure_group(self.link, self.keys)

    def redis(self, *arguments: Any) -> Any:
        """Returns the reply to one Redis command."""
        return read(self.link, *arguments)

    def create(self, job: str = "j", **fields: Any) -> Reply:
        attempts = fields.get("max_attempts", RECORD.max_attempts)
        record = RECORD._replace(**{"reduce_attempts": attempts, **fields})
        reply: Reply = self.link.run(self.transitions.create(job, record))
        return reply

    def append(self, inputs: range, job: str = "j") -> Reply:
        """Appends inputs that are numbers equal to their index."""
        bodies = [str(value).encode() for value in inputs]
        reply: Reply = self.link.run(self.transitions.append(job, inputs.start, bodies))
        return reply

    def seal(self, total: int, job: str = "j") -> Reply:
        reply: Reply = self.link.run(self.transitions.seal(job, total))
        return reply

    def submit(self, total: int, job: str = "j", **fields: Any) -> None:
        """Creates a job, appends inputs 0 to ``total``, and seals it."""
        assert self.create(job, **fields).code is Code.CREATED
        for start in range(0, total, 2000):
            assert self.append(range(start, min(start + 2000, total)), job).code is Code.OK
        assert self.seal(total, job).code is Code.OK

    def fetch(self, count: int = 1000, worker: str = "w1") -> list[Task]:
        """Takes entries as a worker does; they must all be tasks."""
        entries, _ = self.link.run_all(TaskStream(self.keys, worker).fetch(count))
        assert isinstance(entries, Entries)
        assert not entries.aliens
        return entries.tasks

    def commit(self, *tasks: Task, counters: dict[str, int] | None = None) -> Reply:
        """Commits tasks of one job; the output of task n is n times 10."""
        done = [Done(task, str(task.index * 10).encode(), counters) for task in tasks]
        reply: Reply = self.link.run(self.transitions.commit(tasks[0].job, done, 50.0))
        return reply

    def fail(self, task: Task, **how: Any) -> Reply:
        options: dict[str, Any] = {
            "error": b'{"type":"E"}',
            "summary": "E: broken",
            "delay_s": 60.0,
            "permanent": False,
            "deferred": False,
            "timed_out": False,
        }
        reply: Reply = self.link.run(self.transitions.fail(task, **(options | how)))
        return reply

    def release(self, *tasks: Task) -> Reply:
        reply: Reply = self.link.run(self.transitions.release(tasks[0].job, tasks))
        return reply

    def recover(
        self,
        task: Task,
        blame: Blame = "running",
        *,
        alone: bool = True,
        worker: str = "w1",
        record: int | None = None,
    ) -> Reply:
        call = self.transitions.recover(
            worker,
            task,
            blame=blame,
            alone=alone,
            error=b'{"type":"WorkerDied"}',
            summary="WorkerDied: gone",
            timed_out=False,
            record=record,
        )
        reply: Reply = self.link.run(call)
        return reply

    def forward(self, *fields: str, job: str = "j") -> Reply:
        reply: Reply = self.link.run(self.transitions.forward(job, fields))
        return reply

    def make_retries_due(self) -> None:
        """Lets the time come that all retries wait for."""
        delayed = self.keys.stream_key("delayed")
        for member in self.redis("ZRANGE", delayed, 0, -1):
            self.redis("ZADD", delayed, 0, member)

    def sweep(self, job: str = "j", older_s: float = 0.0) -> Reply:
        reply: Reply = self.link.run(self.transitions.sweep(job, 0, older_s))
        return reply

    def finish(self, task: Task, output: bytes = b"42") -> Reply:
        reply: Reply = self.link.run(self.transitions.finish(task, output, output, {"r": 1}))
        return reply

    def merge(self, task: Task, output: bytes = b"[]") -> Reply:
        reply: Reply = self.link.run(self.transitions.merge(task, output, {"m": 1}))
        return reply

    def cancel(self, job: str = "j") -> Reply:
        reply: Reply = self.link.run(self.transitions.cancel(job))
        return reply

    def pause(self, job: str = "j") -> Reply:
        reply: Reply = self.link.run(self.transitions.pause(job))
        return reply

    def resume(self, job: str = "j") -> Reply:
        """Resumes a job as the client does."""
        reply: Reply = self.link.run(self.transitions.resume(job))
        self.sweep(job)
        return reply

    def update(
        self, concurrency: int | None = None, rate: float | None = None, job: str = "j"
    ) -> Reply:
        reply: Reply = self.link.run(self.transitions.update(job, concurrency, rate))
        return reply

    def redrive(
        self, *fields: str, job: str = "j", chosen: int | None = None, more: bool = False
    ) -> Reply:
        """Redrives as the client does."""
        maps = len([field for field in fields if field.isdecimal()])
        call = self.transitions.redrive(job, fields, maps if chosen is None else chosen, more)
        reply: Reply = self.link.run(call)
        if reply.code is Code.OK:
            self.sweep(job)
        return reply

    def prune(self, job: str = "j", older_s: float = 0.0) -> Reply:
        reply: Reply = self.link.run(self.transitions.prune(job, older_s))
        return reply

    def status(self, job: str = "j") -> JobStatus:
        status = self.inspector.status(job)
        assert status is not None
        return status

    def check(self, job: str = "j", lost: tuple[str, ...] = ()) -> None:
        """Asserts the invariant of a job."""
        check_invariant(self.link, self.keys, job, lost)

    def flight(self, field: str, job: str = "j") -> str | None:
        """Returns what the inflight hash holds of a task."""
        value = self.redis("HGET", self.keys.job_key("inflight", job), field)
        return None if value is None else value.decode()

    def stream_length(self) -> int:
        """Returns the number of entries on the stream."""
        return int(self.redis("XLEN", self.keys.stream_key("stream")))
