"""Outputs that a worker has not told yet, in memory that it shares with its supervisor.

They outlive the worker: after a crash its supervisor tells them, and only what was running runs
again. A ring of records between two counters that only grow: ``tail``, up to which the outcomes are
told, and ``head``, where the next one goes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import orjson

from amr.task import Outcome, Task

#: Bytes of one worker's journal.
JOURNAL_BYTES = 1 << 20

_COUNTERS = struct.Struct("<QQ")  # head, tail
#: Length of the record, index, attempt, seconds, lengths of output, counters, entry and job.
_RECORD = struct.Struct("<IIIdIIBB")
_SKIP = struct.Struct("<I")
_ROOM = JOURNAL_BYTES - _COUNTERS.size


class Journal:
    """One worker's journal: the worker writes, its supervisor reads when the worker has ended.

    Args:
        memory: the shared memory, ``JOURNAL_BYTES`` of it.
    """

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._ring = memory[_COUNTERS.size :]
        self._head: int
        self._tail: int
        self._head, self._tail = _COUNTERS.unpack_from(memory)

    def append(self, outcome: Outcome) -> bool:
        """Writes the output of a map task; False when there is no room until others are told."""
        task, output = outcome.task, outcome.output or b""
        counters = orjson.dumps(outcome.counters) if outcome.counters else b""
        entry, job = task.entry_id, task.job.encode()
        length = _RECORD.size + len(entry) + len(job) + len(counters) + len(output)
        at = self._head % _ROOM
        skipped = _ROOM - at if at + length > _ROOM else 0
        if self._head + skipped + length - self._tail > _ROOM:
            return False
        if skipped:
            if skipped >= _SKIP.size:
                _SKIP.pack_into(self._ring, at, 0)
            at = 0
        lengths = (len(output), len(counters), len(entry), len(job))
        head = _RECORD.pack(length, task.index, task.attempt, outcome.elapsed_s, *lengths)
        self._ring[at : at + length] = b"".join((head, entry, job, counters, output))
        self._head += skipped + length
        self._write_counters()  # last: a record that was not written whole does not count
        return True

    def mark(self) -> int:
        """Returns the place behind the last record, for ``release``."""
        return self._head

    def release(self, mark: int) -> None:
        """Forgets the records before ``mark``: they are told."""
        self._tail = mark
        self._write_counters()

    def clear(self) -> None:
        """A new worker takes the journal over."""
        self._head = self._tail = 0
        self._write_counters()

    def read(self) -> list[Outcome]:
        """Returns the outcomes that were not told, in the order in which they came."""
        self._head, self._tail = _COUNTERS.unpack_from(self._memory)
        return list(self._records())

    def _write_counters(self) -> None:
        _COUNTERS.pack_into(self._memory, 0, self._head, self._tail)

    def _records(self) -> Iterator[Outcome]:
        place = self._tail
        while place < self._head:
            at = place % _ROOM
            length = _SKIP.unpack_from(self._ring, at)[0] if at + _SKIP.size <= _ROOM else 0
            if not length:
                place += _ROOM - at
                continue
            yield _read_record(bytes(self._ring[at : at + length]))
            place += length


def _read_record(record: bytes) -> Outcome:
    _, index, attempt, elapsed_s, *lengths = _RECORD.unpack_from(record)
    output_bytes, counters_bytes, entry_bytes, job_bytes = lengths
    parts, at = [], _RECORD.size
    for length in (entry_bytes, job_bytes, counters_bytes, output_bytes):
        parts.append(record[at : at + length])
        at += length
    entry, job, counters, output = parts
    task = Task(entry, job.decode(), "map", index, attempt, b"")
    return Outcome(task, output, None, orjson.loads(counters) if counters else None, elapsed_s)
