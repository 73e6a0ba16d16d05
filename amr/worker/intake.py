"""Sorts what a worker was given: tasks to run, entries to drop or to put aside."""

from __future__ import annotations

from collections import defaultdict

from amr.store.inspect import Inspector
from amr.store.link import Link
from amr.store.stream import Entries, TaskStream, entry_order
from amr.task import Task
from amr.worker.concurrent import ConcurrentRunner
from amr.worker.hand import Hand
from amr.worker.plans import Plans
from amr.worker.settlement import Settlement


class Intake:
    """Puts the tasks that were fetched into the worker's hand.

    Args:
        link: a connection.
        stream: as this worker reads it.
        inspector: of the stream.
        plans: the jobs that the worker has met; read anew when something happened to one.
        settlement: takes the entries that no task stands behind.
        hand: takes the tasks.
        concurrent: has tasks too.
    """

    def __init__(
        self,
        link: Link,
        stream: TaskStream,
        inspector: Inspector,
        plans: Plans,
        settlement: Settlement,
        hand: Hand,
        concurrent: ConcurrentRunner,
    ) -> None:
        self._link = link
        self._stream = stream
        self._inspector = inspector
        self._plans = plans
        self._settlement = settlement
        self._hand = hand
        self._concurrent = concurrent
        self._epoch: int | None = None

    def take(self, entries: Entries, epoch: int) -> bool:
        """Sorts what was fetched: tasks to run, entries to drop or to put aside; False for none."""
        if epoch != self._epoch:
            if self._epoch is not None:
                self._plans.refresh()
            self._epoch = epoch
        self._settlement.drop(entries.lost)
        self._settlement.quarantine(entries.aliens)
        again = [task for task in entries.tasks if task.attempt > 1 or task.suspect]
        stale = self._stale(again) if again else set()
        self._settlement.drop(stale)
        self._hand.add(task for task in entries.tasks if task.entry_id not in stale)
        return any(entries)

    def look_at_pending(self) -> None:
        """Takes up entries that Redis gave us and whose reply was lost; drops what is not ours."""
        held = self._hand.entries() | self._settlement.entries() | self._concurrent.entries()
        after = b"0"
        while True:
            entries = self._link.run(self._stream.own_pending(after))
            ids = [task.entry_id for task in entries.tasks]
            ids += [*entries.lost, *(alien.entry_id for alien in entries.aliens)]
            if not ids:
                break
            after = max(ids, key=entry_order)
            new = [task for task in entries.tasks if task.entry_id not in held]
            stale = self._stale(new)
            self._settlement.drop([*stale, *entries.lost])
            self._settlement.quarantine(entries.aliens)
            self._hand.add(task for task in new if task.entry_id not in stale)

    def _stale(self, tasks: list[Task]) -> set[bytes]:
        """Returns the entries of those tasks that are no longer in flight with just this entry."""
        by_job: dict[str, list[Task]] = defaultdict(list)
        for task in tasks:
            by_job[task.job].append(task)
        stale: set[bytes] = set()
        for job, mine in by_job.items():
            fields = [task.field for task in mine]
            current = self._inspector.are_current(job, fields, [task.entry_id for task in mine])
            stale |= {t.entry_id for t, good in zip(mine, current, strict=True) if not good}
        return stale
