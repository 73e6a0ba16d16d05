"""How many tasks a worker takes at a time: guided by their cost and by how many are left."""

from __future__ import annotations

from math import ceil

#: Most tasks of one batch: what one script may carry.
BATCH_MOST = 256

#: Seconds of work that one batch holds.
BATCH_S = 0.05

_WEIGHT = 0.3


class Pace:
    """Sizes batches as guided self-scheduling does: large at first, single tasks at the end.

    A batch is the smaller of about 50 ms of work and a fair half of what is left of the job
    (Polychronopoulos and Kuck, "Guided self-scheduling", 1987, with the worker count doubled).
    """

    def __init__(self) -> None:
        self._cost_s: float | None = None
        self._remaining = 0
        self._workers = 1

    def ran(self, cost_s: float, tasks: int) -> None:
        """``tasks`` were run, at ``cost_s`` seconds of this worker's time each."""
        weight = min(1.0, _WEIGHT * tasks)
        known = self._cost_s
        self._cost_s = cost_s if known is None else known * (1 - weight) + cost_s * weight

    def left(self, remaining: int, workers: int) -> None:
        """So many tasks are left of the job at hand, for so many live workers."""
        self._remaining = remaining
        self._workers = max(1, workers)

    def met(self, cost_s: float | None, remaining: int) -> None:
        """A job was met for the first time; others may know what its tasks cost."""
        self._cost_s = cost_s
        self._remaining = remaining

    def batch(self, free: int | None) -> int:
        """Returns how many tasks to take, at least 1.

        Args:
            free: places for concurrent calls, when those are what runs; else None.
        """
        share = ceil(self._remaining / (2 * self._workers))
        if free is not None:
            return max(1, min(BATCH_MOST, share, free))
        if self._cost_s is None:
            return 1
        affordable = int(BATCH_S / max(self._cost_s, 1e-7))
        return max(1, min(BATCH_MOST, share, affordable))
