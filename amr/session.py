"""One client's connections to one stream, and what it reads and changes by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from amr.admission import Admission
from amr.partitions import StreamSet
from amr.redis_url import RedisTarget
from amr.settings import CONFIRM_TIMEOUT_S, max_backlog
from amr.store.connection import redis_errors
from amr.store.durability import Confirmer
from amr.store.events import EventReader
from amr.store.fleet import Fleet
from amr.store.inspect import Inspector
from amr.store.keys import Keys
from amr.store.link import Call, Link
from amr.store.pressure import Gauge
from amr.store.replies import Reply
from amr.store.transitions import Transitions

#: Seconds for which a client goes on trying when a Redis that it talked to is away.
_PATIENCE_S = 30.0


class Session:
    """A client's side of one stream.

    Args:
        target: the Redis and stream.
        confirm_timeout_s: seconds that replicas or the disk have to acknowledge a durable job.
    """

    def __init__(self, target: RedisTarget, confirm_timeout_s: float = CONFIRM_TIMEOUT_S) -> None:
        self.target = target
        self.keys = Keys(target.stream)
        self.link = Link(target, patience_s=_PATIENCE_S)
        self._idle: list[Link] = []
        self.transitions = Transitions(self.keys)
        self.confirmer = Confirmer(self.link, self.transitions, confirm_timeout_s)
        self.admission = Admission(Gauge(self.link, self.keys), max_backlog())
        self.inspector = Inspector(self.link, self.keys)
        self.fleet = Fleet(self.link, self.keys)

    def close(self) -> None:
        """Ends the connections; the next call makes new ones."""
        for link in (self.link, *self._idle):
            link.close()

    def run(self, call: Call) -> Reply:
        """Returns a transition's reply; errors of Redis are put into words."""
        with redis_errors(self.target):
            reply: Reply = self.link.run(call)
        return reply

    @contextmanager
    def reading(self, job: str, since_ms: int = 0, *, lines: bool) -> Iterator[EventReader]:
        """Lends a reader of a job's events, on a connection that nobody else uses meanwhile."""
        link = self._idle.pop() if self._idle else Link(self.target, patience_s=_PATIENCE_S)
        try:
            with redis_errors(self.target):
                yield EventReader(link, self.keys, job, since_ms=since_ms, lines=lines)
        finally:
            self._idle.append(link)


def session_of(sessions: StreamSet[Session], job: str, first: Session | None = None) -> Session:
    """Returns the session of the stream that has a job.

    Args:
        sessions: where to look; one alone is not asked.
        job: job id.
        first: is asked first, and returned if none has the job; that of the id's hash if None.
    """

    def has(session: Session) -> bool:
        with redis_errors(session.target):
            return session.inspector.state(job) is not None

    return sessions.find(first or sessions.of_job(job), has)
