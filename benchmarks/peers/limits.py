"""Which measures are worth their time: a slow system must not hold up the run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.peers.orders import Order

#: What one run of a measure gave, by the figure's name.
Figures = dict[str, float]


class Growth:
    """What is known of a measure that is taken in growing sizes.

    Args:
        limit_s: seconds that one run of a measure may take.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._last: tuple[int, float] | None = None

    def keep(self, order: Order, runs: Sequence[Figures] | None) -> None:
        """Keeps what the runs of ``order`` gave; None where they did not end well."""
        times = [run.get("seconds", 0.0) for run in runs or ()]
        self._last = (order.size, statistics.median(times) if times else self._limit_s)

    def objection(self, order: Order) -> str | None:
        """Returns why ``order`` is not to be run, or None."""
        if not order.grows or self._last is None:
            return None
        size, seconds = self._last
        expected_s = seconds * order.size / size
        if expected_s <= self._limit_s:
            return None
        if seconds >= self._limit_s:
            return f"{size:,} did not end within {self._limit_s:g} s, or failed"
        return f"{size:,} took {seconds:,.1f} s, so that these would take over {self._limit_s:g} s"
