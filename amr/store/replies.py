"""The codes that scripts answer with: all of them, in one place."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple


class Code(StrEnum):
    """First element of a script's reply; each script's header names those that it uses."""

    OK = "OK"
    CREATED = "CREATED"  #: the job is new
    EXISTS = "EXISTS"  #: the same job was submitted before
    CONFLICT = "CONFLICT"  #: the id belongs to a job with other content
    SEALED = "SEALED"  #: the job takes no more inputs
    GAP = "GAP"  #: inputs before this offset are missing
    GONE = "GONE"  #: the job has ended, or is not known
    ENDED = "ENDED"  #: the job had ended before
    STALE = "STALE"  #: the task has another entry than the caller's, or none
    RETRY = "RETRY"  #: the task will be attempted again
    DEAD = "DEAD"  #: the task is a dead letter
    REQUEUED = "REQUEUED"  #: the task has a new entry
    ALIVE = "ALIVE"  #: the worker's lease has not ended
    HOLDS = "HOLDS"  #: entries are pending for the worker
    DEADLINE = "DEADLINE"  #: the job ran past its deadline
    NOTHING = "NOTHING"  #: there is nothing to run again
    REMAIN = "REMAIN"  #: more tasks would stay dead than the job's policy allows
    REDUCING = "REDUCING"  #: the reduce has begun with the failures that there are
    UNSEALED = "UNSEALED"  #: the job ended before all of its inputs had come
    LIVE = "LIVE"  #: the job has not ended
    YOUNG = "YOUNG"  #: the job ended too short a time ago
    ABANDONED = "ABANDONED"  #: the job's submission never went on


class Reply(NamedTuple):
    """A script's reply: its code and the values behind it, as Redis gave them."""

    code: Code
    values: tuple[Any, ...]


def read_reply(reply: list[Any]) -> Reply:
    """Returns a script's raw reply with its code read."""
    return Reply(Code(reply[0].decode()), tuple(reply[1:]))
