"""Reads task entries off the stream, for one consumer of its group."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

from redis.exceptions import ResponseError

from amr.store.keys import GROUP, Keys
from amr.store.link import Call, Link, same
from amr.task import Stage, Task

_FIELDS = [b"job", b"stage", b"index", b"attempt", b"suspect", b"body"]


class Alien(NamedTuple):
    """An entry that is not ours to understand: its id and fields."""

    entry_id: bytes
    fields: list[bytes]


class Entries(NamedTuple):
    """What a read of the stream gave.

    Attributes:
        tasks: the entries that are tasks.
        aliens: the entries that are not.
        lost: ids of entries that are pending and whose content somebody deleted.
    """

    tasks: list[Task]
    aliens: list[Alien]
    lost: list[bytes]


def read_entries(rows: Sequence[Any]) -> Entries:
    """Sorts stream rows, each an id and a flat list of names and values."""
    tasks: list[Task] = []
    aliens: list[Alien] = []
    lost: list[bytes] = []
    for entry_id, fields in rows:
        if fields is None:
            lost.append(entry_id)
            continue
        try:
            if fields[0::2] != _FIELDS:
                raise ValueError
            _, job, _, stage, _, index, _, attempt, _, suspect, _, body = fields
            task = Task(
                entry_id,
                job.decode(),
                _STAGES[stage],
                int(index),
                int(attempt),
                body,
                suspect == b"1",
            )
        except (ValueError, KeyError, UnicodeDecodeError):
            aliens.append(Alien(entry_id, fields))
        else:
            tasks.append(task)
    return Entries(tasks, aliens, lost)


#: As commands tell it, and as scripts do: Redis 6.2 puts its own words before the error's.
_GROUP_MISSING = re.compile(r"\b(?:NOGROUP|UNBLOCKED|no such key)\b")

_STAGES: Any = {stage.encode(): stage for stage in get_args(Stage)}


def _read_group_reply(reply: Any) -> Entries:
    return read_entries(reply[0][1] if reply else ())


class TaskStream:
    """The task stream as one consumer of its group reads it.

    Args:
        keys: of the stream.
        consumer: the worker's name.
    """

    def __init__(self, keys: Keys, consumer: str) -> None:
        self._stream = keys.stream_key("stream")
        self._epoch = keys.stream_key("epoch")
        self._consumer = consumer

    def fetch(self, count: int, block_ms: int | None = None) -> list[Call]:
        """New entries, and the epoch that stands when they are read.

        Two calls: one reads ``Entries``, at most ``count``, after a wait of up to ``block_ms``
        milliseconds when there are none; the other an int.
        """
        block = () if block_ms is None else ("BLOCK", block_ms)
        read = ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count, *block)
        return [
            Call((*read, "STREAMS", self._stream, ">"), _read_group_reply),
            self.epoch(),
        ]

    def epoch(self) -> Call:
        """Count of the jobs that ended with work still in workers' hands."""
        return Call(("GET", self._epoch), lambda reply: int(reply or 0))

    def own_pending(self, after: bytes = b"0", count: int = 256) -> Call:
        """Entries that are pending for this consumer, from id ``after`` on, exclusive."""
        read = ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count)
        return Call((*read, "STREAMS", self._stream, after), _read_group_reply)


def entry_order(entry_id: bytes) -> tuple[int, int]:
    """Returns what sorts entry ids as the stream does."""
    ms, _, seq = entry_id.partition(b"-")
    return int(ms), int(seq)


def ensure_group(link: Link, keys: Keys) -> None:
    """Creates the stream and its group where they are missing.

    A group made anew starts at the beginning: entries that were delivered before are delivered
    again, and what is no longer in flight is dropped.
    """
    stream = keys.stream_key("stream")
    try:
        link.run(Call(("XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM"), same))
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


def is_group_missing(error: Exception) -> bool:
    """Whether an error says that the stream or its group is gone."""
    return isinstance(error, ResponseError) and bool(_GROUP_MISSING.search(str(error)))
