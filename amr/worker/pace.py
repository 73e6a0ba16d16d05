"""How many tasks a worker takes at a time: guided by their cost and by how many are left."""

from __future__ import annotations

from math import ceil

#: Most tasks of one batch: what one script may carry.
BATCH_MOST = 256

#: Seconds of work that one batch holds.
BATCH_S = 0.05

_WEIGHT = 0.3

#: Batches that a fair share of what is left is taken in: more make the end of a job more even.
_SHARES = 3


class Pace:
    """Sizes batches as guided self-scheduling does: large at first, single tasks at the end.

    A batch is the smaller of about 50 ms of work and a third of a fair share of what is left of the
    job (Polychronopoulos and Kuck, "Guided self-scheduling", 1987, with three times the workers).
    """

    def __init__(self) -> None:
        self._cost_s: float | None = None
        self._remaining = 0
        self._workers = 1
        self._untold = 0

    def ran(self, cost_s: float, tasks: int) -> None:
        """``tasks`` were run, at ``cost_s`` seconds of this worker's time each."""
        self._untold += tasks
        weight = min(1.0, _WEIGHT * tasks)
        known = self._cost_s
        self._cost_s = cost_s if known is None else known * (1 - weight) + cost_s * weight

    def left(self, remaining: int, workers: int) -> None:
        """So many tasks are left of the job at hand, for so many live workers."""
        self._remaining = remaining
        self._workers = max(1, workers)
        self._untold = 0

    def met(self, cost_s: float | None, remaining: int) -> None:
        """A job was met for the first time; others may know what its tasks cost."""
        self._cost_s = cost_s
        self._remaining = remaining
        self._untold = 0

    def batch(self, free: int | None) -> int:
        """Returns how many tasks to take, at least 1.

        Args:
            free: places for concurrent calls, when those are what runs; else None.
        """
        # The fetch goes out with the commit, so what is left is not told yet: the other workers
        # will have done about as much as this one since they were last heard of.
        remaining = self._remaining - self._untold * self._workers
        share = ceil(remaining / (_SHARES * self._workers))
        if free is not None:
            return max(1, min(BATCH_MOST, share, free))
        if self._cost_s is None:
            return 1
        affordable = int(BATCH_S / max(self._cost_s, 1e-7))
        return max(1, min(BATCH_MOST, share, affordable))
