"""Watches over a worker from a second thread, while its main thread is inside a function."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from amr.attempt import timeout_error
from amr.errors import JobCancelledError
from amr.log import RateLimited
from amr.store.link import Link
from amr.store.stream import TaskStream
from amr.task import Task
from amr.worker.concurrent import ConcurrentRunner
from amr.worker.hand import Hand
from amr.worker.interrupt import Interrupter
from amr.worker.plans import Plans
from amr.worker.settlement import Settlement
from amr.worker.slot import Slot

log = logging.getLogger("amr.watcher")
log.addFilter(RateLimited())

#: Seconds after which the tasks behind a slow one go to other workers.
SLOW_S = 1.0

#: Seconds between the end of a task's time and the kill, for its function to give way by itself.
KILL_AFTER_S = 2.0

_TICK_S = 0.1
_ASK_S = 0.5


class Watcher:
    """Looks every tenth of a second at what the worker does, and does what cannot wait.

    It ends calls that are past their time or whose job has ended, gives tasks behind a slow one
    back, and sends outcomes and log lines that would wait for a slow task to end.

    Args:
        link: a connection of its own.
        orphaned: called when the supervisor is gone.
    """

    def __init__(
        self,
        link: Link,
        stream: TaskStream,
        hand: Hand,
        settlement: Settlement,
        plans: Plans,
        interrupter: Interrupter,
        concurrent: ConcurrentRunner,
        slot: Slot,
        orphaned: Callable[[], None],
    ) -> None:
        self._link = link
        self._stream = stream
        self._hand = hand
        self._settlement = settlement
        self._plans = plans
        self._interrupter = interrupter
        self._concurrent = concurrent
        self._slot = slot
        self._orphaned = orphaned
        self._parent = os.getppid()
        self._since: tuple[Task, float] | None = None
        self._asked_at = 0.0
        self._epoch: int | None = None

    def look(self) -> float:
        """Looks once; returns the seconds until the next look."""
        if os.getppid() != self._parent:
            self._orphaned()
        self._watch_concurrent()
        task = self._interrupter.running
        if task is None and not len(self._concurrent):
            self._since = None
            return _TICK_S
        now = time.monotonic()
        if task is not None:
            self._end_overdue(task, now)
        if now - self._asked_at >= _ASK_S:
            self._asked_at = now
            self._end_cancelled(task)
        slow = task is not None and self._running_s(task, now) > SLOW_S
        if slow:
            self._settlement.give_back(self._hand.take_all())
        if slow and self._settlement.waits():
            self._settlement.exchange(self._link)
        self._settlement.send_log(self._link)
        return self._pause_s(task)

    def _running_s(self, task: Task, now: float) -> float:
        """Returns the seconds for which the task has been seen to run."""
        if self._since is None or self._since[0] is not task:
            self._since = (task, now)
        return now - self._since[1]

    def _pause_s(self, task: Task | None) -> float:
        limit_s = self._plans.limit_s(task.job, task.stage) if task is not None else None
        return _TICK_S if limit_s is None else min(_TICK_S, max(0.005, limit_s / 5))

    def _end_overdue(self, task: Task, now: float) -> None:
        limit_s = self._plans.limit_s(task.job, task.stage)
        if limit_s is not None and self._running_s(task, now) > limit_s:
            self._interrupter.interrupt(task, timeout_error(limit_s))

    def _end_cancelled(self, task: Task | None) -> None:
        """Asks whether jobs have ended since the last time, and ends their calls."""
        epoch = self._link.run(self._stream.epoch())
        if epoch != self._epoch:
            self._plans.refresh()
            self._epoch = epoch
        if task is not None and self._plans.has_ended(task.job):
            error = JobCancelledError(task.job, f"job {task.job} has ended")
            self._interrupter.interrupt(task, error)
        for job in self._concurrent.jobs():
            if self._plans.has_ended(job):
                self._concurrent.cancel(job)

    def _watch_concurrent(self) -> None:
        first_end = self._concurrent.first_end() if len(self._concurrent) else None
        kill_at_ns = 0 if first_end is None else int((first_end + KILL_AFTER_S) * 1e9)
        self._slot.watch_concurrent(len(self._concurrent), kill_at_ns)
