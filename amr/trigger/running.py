"""Since when the workers of a trigger run what they run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from amr.worker.slot import Doing


class Seen(NamedTuple):
    """What a worker does, and the monotonic time at which it was first seen with its entry."""

    doing: Doing
    since: float


class RunningTasks:
    """Keeps when the workers were first seen with the entry that each of them runs.

    A worker writes no time into its slot: it may begin tens of thousands of tasks a second. Its
    supervisor, which looks ten times a second, sees the long ones soon enough.

    Args:
        doings: gives what each running worker does.
    """

    def __init__(self, doings: Callable[[], dict[str, Doing]]) -> None:
        self._doings = doings
        self._seen: dict[str, Seen] = {}

    def look(self) -> dict[str, Seen]:
        """Looks once, and returns what it sees of each worker. Two threads may."""
        now, before = time.monotonic(), self._seen
        seen = {}
        for worker, doing in self._doings().items():
            known = before.get(worker, Seen(doing, now))
            goes_on = known.doing.entry_id == doing.entry_id
            seen[worker] = Seen(doing, known.since if goes_on else now)
        self._seen = seen
        return seen

    def told(self) -> dict[str, dict[str, Any]]:
        """Returns what a heartbeat tells of each worker; ``report/workers.py`` reads it.

        ``entry`` and ``for_s`` are of a task that runs on the worker's main thread, or alone;
        ``calls`` counts async and HTTP calls; a worker that runs nothing has neither.
        """
        return {worker: _tell(seen) for worker, seen in self.look().items()}


def _tell(seen: Seen) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if seen.doing.entry_id:
        told["entry"] = seen.doing.entry_id.decode("ascii", "replace")
        told["for_s"] = round(time.monotonic() - seen.since, 3)
    if seen.doing.concurrent:
        told["calls"] = seen.doing.concurrent
    return told
