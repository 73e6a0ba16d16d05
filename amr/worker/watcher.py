"""Watches over a worker from a second thread, while its main thread is inside a function.

It never talks to Redis: what has to end ends in time, also while Redis does not answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from amr.attempt import timeout_error
from amr.errors import JobCancelledError
from amr.interrupt import Interrupter
from amr.task import Task
from amr.worker.concurrent import ConcurrentRunner
from amr.worker.plans import Plans
from amr.worker.slot import Slot

#: Seconds between the end of a call's time and the kill, for its function to give way by itself.
KILL_AFTER_S = 2.0

_TICK_S = 0.1


class Watcher:
    """Looks every tenth of a second at what the worker does.

    It ends calls that are past their time or whose job has ended. Of those that do not give way it
    tells the supervisor, which kills the worker.

    Args:
        supervisor: process id of the supervisor.
        orphaned: called when it is gone.
    """

    def __init__(
        self,
        plans: Plans,
        interrupter: Interrupter,
        concurrent: ConcurrentRunner,
        slot: Slot,
        supervisor: int,
        orphaned: Callable[[], None],
    ) -> None:
        self._plans = plans
        self._interrupter = interrupter
        self._concurrent = concurrent
        self._slot = slot
        self._orphaned = orphaned
        self._supervisor = supervisor
        self._since: tuple[Task, float] | None = None
        #: Job that has ended with calls of it still running -> when that was seen.
        self._ended: dict[str, float] = {}

    def look(self) -> float:
        """Looks once; returns the seconds until the next look."""
        if os.getppid() != self._supervisor:
            self._orphaned()
        now = time.monotonic()
        task = self._interrupter.running
        self._end_ended(task, now)
        self._watch_concurrent(now)
        if task is None:
            self._since = None
            return _TICK_S
        return self._end_overdue(task, now)

    def _end_overdue(self, task: Task, now: float) -> float:
        if self._since is None or self._since[0] is not task:
            self._since = (task, now)
        limit_s = self._plans.limit_s(task.job, task.stage)
        if limit_s is None:
            return _TICK_S
        if now - self._since[1] > limit_s:
            self._interrupter.interrupt(task, timeout_error(limit_s))
        return min(_TICK_S, max(0.005, limit_s / 5))

    def _end_ended(self, task: Task | None, now: float) -> None:
        """Ends the calls of jobs that are known to have ended."""
        jobs = self._concurrent.jobs() | ({task.job} if task is not None else set())
        ended = {job for job in jobs if self._plans.has_ended(job)}
        self._ended = {job: self._ended.get(job, now) for job in ended}
        for job in ended:
            self._concurrent.cancel(job)
            if task is None or task.job != job:
                continue
            self._interrupter.interrupt(task, JobCancelledError(job, f"job {job} has ended"))
            if now - self._ended[job] > KILL_AFTER_S:
                self._slot.kill_now()

    def _watch_concurrent(self, now: float) -> None:
        first_end = self._concurrent.first_end()
        kill_at = None if first_end is None else first_end + KILL_AFTER_S
        for since in self._ended.values():
            kill_at = min(kill_at or since + KILL_AFTER_S, since + KILL_AFTER_S)
        kill_at_ns = 0 if kill_at is None else int(kill_at * 1e9)
        self._slot.watch_concurrent(len(self._concurrent), kill_at_ns)
