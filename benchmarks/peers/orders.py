"""What is to be measured: the measures of a scale, as the runner orders them of a host."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """One measure.

    Attributes:
        workload: name of the workload.
        size: number of its tasks; of ``words``, the megabytes of text.
        task_ms: about how long one of its tasks computes, where tasks of several lengths are
            measured.
        runs: how often it is measured.
        grows: whether it is the same as the measure before it, but for its size.
    """

    workload: str
    size: int
    task_ms: int = 0
    runs: int = 3
    grows: bool = False

    def key(self) -> dict[str, Any]:
        """Returns what tells its figures from those of other measures."""
        return {"workload": self.workload, "size": self.size, "task_ms": self.task_ms}

    def asdict(self) -> dict[str, Any]:
        """Returns it as a host reads it."""
        return asdict(self)


_FULL = (
    Order("startup", 1),
    Order("latency", 100),
    Order("noop", 1_000),
    Order("noop", 10_000, grows=True),
    Order("noop", 100_000, grows=True),
    Order("memory", 2_000),
    Order("pi", 1_000, task_ms=2),
    Order("pi", 80, task_ms=50),
    Order("pi", 8, task_ms=1_000),
    Order("wait", 1_000),
    Order("fetch", 1_000),
    Order("outputs", 1_000),
    Order("words", 100),
)

_SMALL = (
    Order("startup", 1, runs=1),
    Order("latency", 10, runs=1),
    Order("noop", 100, runs=1),
    Order("noop", 200, runs=1, grows=True),
    Order("memory", 200, runs=1),
    Order("pi", 40, task_ms=2, runs=1),
    Order("pi", 8, task_ms=50, runs=1),
    Order("wait", 200, runs=1),
    Order("fetch", 200, runs=1),
    Order("outputs", 50, runs=1),
    Order("words", 4, runs=1),
)

SCALES = {"full": _FULL, "small": _SMALL}
WORKLOADS = tuple(dict.fromkeys(order.workload for order in _FULL))
