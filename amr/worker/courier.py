"""Carries what cannot wait for a slow function, from a thread and on a connection of its own."""

from __future__ import annotations

import time

from amr.errors import JobCancelledError
from amr.interrupt import Interrupter
from amr.store.inspect import Inspector
from amr.store.link import Link
from amr.store.stream import TaskStream
from amr.task import Task
from amr.worker.concurrent import ConcurrentRunner
from amr.worker.hand import Hand
from amr.worker.plans import Plans
from amr.worker.settlement import Settlement

#: Seconds after which the tasks behind a slow one go to other workers.
SLOW_S = 1.0

_ASK_S = 0.5


class Courier:
    """Gives tasks behind a slow one back, sends outcomes and log lines that would wait for its end.

    It also asks whether jobs have ended, so that the watcher can end their calls.

    Args:
        link: a connection of its own.
        inspector: reads on it.
    """

    def __init__(
        self,
        link: Link,
        inspector: Inspector,
        stream: TaskStream,
        hand: Hand,
        settlement: Settlement,
        plans: Plans,
        interrupter: Interrupter,
        concurrent: ConcurrentRunner,
    ) -> None:
        self._link = link
        self._inspector = inspector
        self._stream = stream
        self._hand = hand
        self._settlement = settlement
        self._plans = plans
        self._interrupter = interrupter
        self._concurrent = concurrent
        self._since: tuple[Task, float] | None = None
        self._asked_at = 0.0
        self._epoch: int | None = None

    def carry(self) -> None:
        """Looks once at what there is to carry."""
        task = self._interrupter.running
        now = time.monotonic()
        if task is None:
            self._since = None
            if not self._concurrent:
                return
        elif self._since is None or self._since[0] is not task:
            self._since = (task, now)
        if now - self._asked_at >= _ASK_S:
            self._asked_at = now
            self._ask_for_ends()
        self._settlement.give_back(self._concurrent.withdraw(SLOW_S))
        if self._since is not None and now - self._since[1] > SLOW_S:
            self._settlement.give_back(self._hand.take_all())
            if self._settlement.waits():
                self._settlement.exchange(self._link)
        elif self._settlement.returns():
            self._settlement.exchange(self._link)
        self._settlement.send_log(self._link)

    def _ask_for_ends(self) -> None:
        epoch = self._link.run(self._stream.epoch())
        if epoch != self._epoch:
            self._plans.refresh()
            self._end_settled()
            self._epoch = epoch

    def _end_settled(self) -> None:
        """Ends the executions that are too late: a backup of their task, or they, came first."""
        running = self._interrupter.running
        tasks = self._concurrent.tasks() + ([running] if running is not None else [])
        for task, is_open in zip(tasks, self._inspector.are_open(tasks), strict=True):
            if not is_open:
                self._concurrent.cancel_one(task.entry_id)
                told = f"{task.stage} task {task.index} of job {task.job} is settled"
                self._interrupter.interrupt(task, JobCancelledError(task.job, told))
