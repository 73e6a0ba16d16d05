"""Where a job stands, for tests that need no Redis to know it."""

from __future__ import annotations

from amr.states import JobState
from amr.store.status import JobStatus

#: A job of a thousand tasks that are all in flight.
RUNNING = JobStatus(
    job="pi-1",
    name="pi",
    state=JobState.MAPPING,
    submitted=True,
    total=1000,
    pending=0,
    running=1000,
    succeeded=0,
    failed=0,
    timed_out=0,
    cancelled=0,
    retrying=0,
    retries=0,
    created_ms=0,
    ended_ms=None,
    error=None,
    counters={},
    has_reducer=False,
    paused=False,
    concurrency=10_000,
    rate=None,
    version=1,
)
