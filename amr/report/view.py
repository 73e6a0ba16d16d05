"""Who works on streams, and how fast: a look at several numbers at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from amr.store.fleet import Fleet
from amr.store.inspect import Inspector


@dataclass(frozen=True, slots=True)
class StreamView:
    """Who works on a stream, and how fast.

    Attributes:
        workers: live workers.
        lag: entries that no worker has taken.
        pending: entries that workers hold.
        active_jobs: jobs that have not ended.
        rate: map tasks that end in a second.
    """

    workers: int
    lag: int
    pending: int
    active_jobs: int
    rate: float


def view_streams(streams: Sequence[tuple[Inspector, Fleet]], sample_s: float) -> StreamView:
    """Returns the sum of what is to be told of streams, measured over ``sample_s`` seconds."""
    active = [(inspector, inspector.active_ids()) for inspector, _ in streams]
    jobs = sum(len(ids) for _, ids in active)
    before = _done(active)
    started = time.monotonic()
    if jobs:
        time.sleep(sample_s)
    rate = (_done(active) - before) / max(sample_s, time.monotonic() - started)
    backlogs = [fleet.backlog() for _, fleet in streams]
    return StreamView(
        workers=sum(len(fleet.live_workers()) for _, fleet in streams),
        lag=sum(backlog.lag for backlog in backlogs),
        pending=sum(backlog.pending for backlog in backlogs),
        active_jobs=jobs,
        rate=round(rate, 1),
    )


def _done(active: Sequence[tuple[Inspector, list[str]]]) -> int:
    """Returns how many map tasks of the jobs have ended."""
    statuses = [status for inspector, ids in active for status in inspector.statuses(ids)]
    return sum(s.succeeded + s.failed for s in statuses if s is not None)
