"""What a client does to a job that was invoked: cancel, pause, resume, update, redrive."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from amr.errors import UnknownJobError, UsageError
from amr.partitions import StreamSet
from amr.redis_url import RedisTarget
from amr.session import Session, session_of
from amr.states import JobState
from amr.store.connection import redis_errors
from amr.store.inspect import Inspector
from amr.store.replies import Code, Reply
from amr.store.status import JobStatus
from amr.store.transitions import Transitions

#: Dead tasks that one call redrives.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Redriven:
    """What a redrive did.

    Attributes:
        tasks: dead letters that run again.
        version: of the result that the job has when it ends.
    """

    tasks: int
    version: int


class JobControl:
    """The part of a job's handle that changes the job.

    Attributes:
        id: job id.
    """

    def __init__(self, sessions: StreamSet[Session], id: str) -> None:
        self.id = id
        self._sessions = sessions

    @cached_property
    def _session(self) -> Session:
        """The session of the stream that has the job, looked for at the first need."""
        return session_of(self._sessions, self.id)

    @property
    def _transitions(self) -> Transitions:
        return self._session.transitions

    @property
    def target(self) -> RedisTarget:
        """The stream that has the job."""
        return self._session.target

    @property
    def inspector(self) -> Inspector:
        """Reads what the store holds of the job."""
        return self._session.inspector

    def status(self) -> JobStatus:
        """Returns where the job stands.

        Raises:
            UnknownJobError: there is no such job, or its data has expired.
        """
        with redis_errors(self._session.target):
            status = self._session.inspector.status_for_sure(self.id)
        if status is None:
            raise UnknownJobError(self.id)
        return status

    def cancel(self) -> bool:
        """Ends the job at once; False when it had been cancelled before.

        Raises:
            UnknownJobError: there is no such job.
            UsageError: the job has ended otherwise.
        """
        reply = self._session.run(self._transitions.cancel(self.id))
        if reply.code is Code.ENDED and reply.values[0] == JobState.CANCELLED.encode():
            return False
        self._refuse_ended(reply)
        return True

    def pause(self) -> None:
        """Lets nothing more of the job begin; what runs goes on to its end.

        Raises:
            UnknownJobError: there is no such job.
            UsageError: the job has ended.
        """
        self._refuse_ended(self._session.run(self._transitions.pause(self.id)))

    def resume(self) -> None:
        """Lets a paused job go on.

        Raises:
            UnknownJobError: there is no such job.
            UsageError: the job has ended.
        """
        self._refuse_ended(self._session.run(self._transitions.resume(self.id)))
        self._sweep()

    def update(self, *, concurrency: int | None = None, rate: float | None = None) -> None:
        """Gives a job that runs another concurrency or rate.

        Args:
            concurrency: most map tasks in flight.
            rate: most map tasks that begin in a second; 0 for no limit.

        Raises:
            UnknownJobError: there is no such job.
            UsageError: the job has ended, or a value is out of range.
        """
        if concurrency is not None and not 1 <= concurrency <= 1_000_000:
            raise UsageError(f"concurrency must be from 1 to 1000000, found {concurrency}")
        if rate is not None and not 0 <= rate <= 1_000_000:
            raise UsageError(f"rate must be from 0 (no limit) to 1000000 a second, found {rate}")
        self._refuse_ended(self._session.run(self._transitions.update(self.id, concurrency, rate)))

    def redrive(self, *, only: Collection[int] | None = None, error: str | None = None) -> Redriven:
        """Runs dead tasks again with fresh attempts, and goes on with what the job's end cut off.

        What is done stays done. A job that had succeeded, with failures collected, gets a new
        version of its result; the old one stays readable.

        Args:
            only: indexes of the map tasks to run again.
            error: only tasks whose error, ``Type: message``, this regular expression is found in.

        Raises:
            UnknownJobError: there is no such job.
            UsageError: there is nothing to run again, or the job does not allow it.
        """
        with redis_errors(self._session.target):
            fields = self._chosen(only, error)
            chunks = [fields[at : at + _CHUNK] for at in range(0, len(fields), _CHUNK)] or [[]]
            moved = 0
            for at, chunk in enumerate(chunks):
                more = at + 1 < len(chunks)
                reply = self._session.link.run(
                    self._transitions.redrive(self.id, chunk, len(fields), more)
                )
                if reply.code is not Code.OK:
                    self._refuse_redrive(reply)
                version, count = reply.values
                moved += count
            self._sweep()
        return Redriven(moved, version)

    def _chosen(self, only: Collection[int] | None, error: str | None) -> list[str]:
        """Returns the indexes of the dead map tasks to run again."""
        wanted = None if only is None else set(only)
        try:
            pattern = re.compile(error or "")
        except re.error as mistake:
            raise UsageError(f"{error!r} is not a regular expression: {mistake}") from None
        dead: set[int] = set()
        fields = []
        for failed in self._session.inspector.failures(self.id):
            if failed.index is None:
                continue
            dead.add(failed.index)
            text = f"{failed.error.get('type', '')}: {failed.error.get('message', '')}"
            if (wanted is None or failed.index in wanted) and pattern.search(text):
                fields.append(str(failed.index))
        if wanted is not None and (alive := sorted(wanted - dead)):
            shown = ", ".join(map(str, alive[:10]))
            raise UsageError(f"job {self.id} has no failed task {shown}: amr failures {self.id}")
        if not fields and (wanted or error):
            raise UsageError(f"no failed task of job {self.id} matches: amr failures {self.id}")
        return fields

    def _refuse_redrive(self, reply: Reply) -> NoReturn:
        job = self.id
        match reply.code:
            case Code.GONE:
                raise UnknownJobError(job)
            case Code.ENDED:
                raise UsageError(f"job {job} was cancelled: its inputs and outputs are gone")
            case Code.UNSEALED:
                raise UsageError(
                    f"job {job} ended before all of its inputs had come: invoke it again"
                )
            case Code.REDUCING:
                raise UsageError(
                    f"job {job} is reducing with the failures it has: redrive it when it has ended"
                )
            case Code.REMAIN:
                raise UsageError(
                    f"job {job}: {reply.values[0]:,} task(s) would stay failed, more than its "
                    "on_failure allows: redrive them as well"
                )
            case _:
                raise UsageError(f"job {job} has no failed task: there is nothing to redrive")

    def _sweep(self) -> None:
        """Gives tasks without an entry one, where the trigger's sweeper would do so later."""
        cursor = 0
        with redis_errors(self._session.target):
            while True:
                reply = self._session.link.run(self._transitions.sweep(self.id, cursor, 0.0))
                if reply.code is Code.GONE or not (cursor := int(reply.values[0])):
                    return

    def _refuse_ended(self, reply: Reply) -> None:
        if reply.code is Code.GONE:
            raise UnknownJobError(self.id)
        if reply.code is Code.ENDED:
            raise UsageError(f"job {self.id} has ended already: it {reply.values[0].decode()}")
