"""The states of a job, the places of a task, and which script moves them: one table each.

``docs/architecture.md`` draws the same tables; a test keeps them and the script files equal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class JobState(StrEnum):
    """State of a job. The comment of each says who moves it on."""

    SUBMITTING = "submitting"  #: inputs still come; its maps run already. `seal` moves it on.
    MAPPING = "mapping"  #: all inputs are known. The `commit` or `fail` of the last map does.
    REDUCING = "reducing"  #: the reduce task is queued or running. `finish` does.
    SUCCEEDED = "succeeded"  #: the result stands and never changes; `redrive` begins a new version.
    FAILED = "failed"  #: ended without a result; the job's error says why. `redrive` moves it on.
    CANCELLED = "cancelled"  #: a client ended it.


LIVE_STATES = frozenset({JobState.SUBMITTING, JobState.MAPPING, JobState.REDUCING})
ENDED_STATES = frozenset(JobState) - LIVE_STATES


class Place(StrEnum):
    """Where a map task is: always in exactly one of these."""

    WAITING = "waiting"  #: in the inputs list, at or behind `fed`
    IN_FLIGHT = "in flight"  #: in the inflight hash
    DONE = "done"  #: in the outputs hash
    FAILED = "failed"  #: in the failures hash


class Move(NamedTuple):
    """One row of a transition table: ``script`` moves something from ``source`` to ``target``."""

    script: str
    source: str
    target: str


JOB_MOVES = (
    Move("create", "nothing", "submitting"),
    Move("seal", "submitting", "mapping"),
    Move("seal", "submitting", "reducing"),
    Move("seal", "submitting", "succeeded"),
    Move("seal", "submitting", "failed"),
    Move("adopt", "submitting", "mapping"),
    Move("adopt", "submitting", "reducing"),
    Move("adopt", "submitting", "succeeded"),
    Move("commit", "mapping", "reducing"),
    Move("commit", "mapping", "succeeded"),
    Move("merge", "mapping", "reducing"),
    Move("fail", "submitting", "failed"),
    Move("fail", "mapping", "reducing"),
    Move("fail", "mapping", "succeeded"),
    Move("fail", "mapping", "failed"),
    Move("fail", "reducing", "failed"),
    Move("recover", "submitting", "failed"),
    Move("recover", "mapping", "reducing"),
    Move("recover", "mapping", "succeeded"),
    Move("recover", "mapping", "failed"),
    Move("recover", "reducing", "failed"),
    Move("finish", "reducing", "succeeded"),
    Move("cancel", "submitting", "cancelled"),
    Move("cancel", "mapping", "cancelled"),
    Move("cancel", "reducing", "cancelled"),
    Move("redrive", "failed", "submitting"),
    Move("redrive", "failed", "mapping"),
    Move("redrive", "succeeded", "mapping"),
    Move("sweep", "mapping", "reducing"),
    Move("sweep", "mapping", "succeeded"),
    Move("expire", "submitting", "failed"),
    Move("expire", "mapping", "failed"),
    Move("expire", "reducing", "failed"),
)

TASK_MOVES = (
    Move("append", "nothing", "waiting"),
    Move("append", "waiting", "in flight"),
    Move("adopt", "nothing", "waiting"),
    Move("adopt", "waiting", "in flight"),
    Move("commit", "in flight", "done"),
    Move("commit", "waiting", "in flight"),
    Move("merge", "waiting", "in flight"),
    Move("fail", "in flight", "in flight"),
    Move("fail", "in flight", "failed"),
    Move("fail", "waiting", "in flight"),
    Move("recover", "in flight", "in flight"),
    Move("recover", "in flight", "failed"),
    Move("recover", "waiting", "in flight"),
    Move("release", "in flight", "in flight"),
    Move("forward", "in flight", "in flight"),
    Move("forward", "waiting", "in flight"),
    Move("resume", "waiting", "in flight"),
    Move("update", "waiting", "in flight"),
    Move("redrive", "failed", "in flight"),
    Move("redrive", "waiting", "in flight"),
    Move("backup", "in flight", "in flight"),
    Move("sweep", "in flight", "in flight"),
    Move("sweep", "waiting", "in flight"),
)
