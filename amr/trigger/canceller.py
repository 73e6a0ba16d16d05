"""Kills workers that hold the interpreter in a call whose job has ended."""

from __future__ import annotations

import time
from collections.abc import Callable

from amr.states import LIVE_STATES
from amr.store.fleet import Fleet
from amr.store.inspect import Inspector
from amr.worker.slot import Doing
from amr.worker.watcher import KILL_AFTER_S


class Canceller:
    """Ends the calls that their own worker cannot end, because none of its threads runs.

    Args:
        fleet: reads which job an entry is of.
        inspector: reads the states of jobs.
        doings: gives what each running worker does.
        kill: kills a worker.
    """

    def __init__(
        self,
        fleet: Fleet,
        inspector: Inspector,
        doings: Callable[[], dict[str, Doing]],
        kill: Callable[[str], None],
    ) -> None:
        self._fleet = fleet
        self._inspector = inspector
        self._doings = doings
        self._kill = kill
        #: Worker -> the entry that it was seen to run, and its job.
        self._running: dict[str, tuple[bytes, str | None]] = {}
        #: Worker -> when the job of its entry was first seen to have ended.
        self._ended: dict[str, float] = {}

    def look(self) -> None:
        """Looks at the calls that were there at the last look already."""
        now = time.monotonic()
        running = {worker: doing.entry_id for worker, doing in self._doings().items()}
        known, self._running = self._running, {}
        ended, self._ended = self._ended, {}
        for worker, entry in running.items():
            if not entry:
                continue
            before = known.get(worker)
            if before is None or before[0] != entry:
                self._running[worker] = (entry, None)
                continue
            job = before[1] or self._fleet.job_of(entry)
            self._running[worker] = (entry, job)
            if job is None or self._inspector.state(job) in LIVE_STATES:
                continue
            self._ended[worker] = ended.get(worker, now)
            if now - self._ended[worker] >= KILL_AFTER_S and self._is_in(worker, entry):
                self._kill(worker)

    def _is_in(self, worker: str, entry: bytes) -> bool:
        doing = self._doings().get(worker)
        return doing is not None and doing.entry_id == entry
