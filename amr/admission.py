"""Back pressure: a job is refused while those that run need the room that is left."""

from __future__ import annotations

import time

from amr.errors import OverloadedError
from amr.store.pressure import Gauge, Memory

#: Share of maxmemory that new jobs may fill; the rest is for the outputs of those that run.
MEMORY_SHARE = 0.8

#: Bytes that Redis needs for an input beyond its JSON, about.
_TASK_BYTES = 16

#: Seconds for which a reading counts.
_FRESH_S = 1.0


class Admission:
    """Admits jobs to one stream.

    Args:
        gauge: of the stream.
        most_tasks: map tasks of all jobs that may wait or run.
    """

    def __init__(self, gauge: Gauge, most_tasks: int) -> None:
        self._gauge = gauge
        self._most_tasks = most_tasks
        self._read_at = float("-inf")
        self._backlog = 0
        self._memory = Memory(0, 0)

    def admit(self, tasks: int, size: int = 0) -> None:
        """Checks that there is room for so many map tasks more.

        Args:
            tasks: of the new job.
            size: bytes of their inputs as JSON, about.

        Raises:
            OverloadedError: there is none; the message says what to do.
        """
        if time.monotonic() - self._read_at > _FRESH_S:
            self._backlog, self._memory = self._gauge.read()
            self._read_at = time.monotonic()
        self._backlog += tasks
        if self._backlog > self._most_tasks:
            waiting = self._backlog - tasks
            self._read_at = float("-inf")
            raise OverloadedError(
                f"the stream has {waiting:,} tasks that have not ended; with {tasks:,} more there "
                f"are more than {self._most_tasks:,}: wait until jobs have ended, cancel one, or "
                "raise AMR_MAX_BACKLOG"
            )
        self._check_memory(tasks, size)

    def go_on(self) -> None:
        """Checks, while a job is sent, that Redis has room for what has not been sent.

        Raises:
            OverloadedError: it has none.
        """
        self._memory = self._gauge.memory()
        self._check_memory(0, 0)

    def _check_memory(self, tasks: int, size: int) -> None:
        used, most = self._memory
        needed = size + _TASK_BYTES * tasks
        if not most or used + needed <= MEMORY_SHARE * most:
            return
        with_job = f", and would be with this job to {(used + needed) / most:.0%}" if needed else ""
        self._read_at = float("-inf")
        raise OverloadedError(
            f"Redis is full to {used / most:.0%} of its maxmemory{with_job}; jobs are taken up to "
            f"{MEMORY_SHARE:.0%}, so that running ones can finish: wait until jobs have ended, "
            "delete results with `amr prune`, or raise maxmemory"
        )
