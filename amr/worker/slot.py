"""What a worker is doing just now, in memory that it shares with its supervisor.

It outlives the worker: after a crash it tells which task was running, and a task that runs past its
limit is seen even while it holds the interpreter.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
import time
from typing import NamedTuple

from amr.worker.journal import JOURNAL_BYTES, Journal

SLOT_BYTES = 64
_ENTRY_BYTES = 40
_LIMIT = struct.Struct("<Qq")
_RECORD = struct.Struct("<Q")  # behind the limit; 0 for none, else the position and 1
_RECORD_AT = _ENTRY_BYTES + _LIMIT.size


class Doing(NamedTuple):
    """What a slot says.

    Attributes:
        entry_id: entry of the task that is running, sync or alone; or empty.
        kill_at_ns: monotonic time after which the worker is to be killed, or 0.
        concurrent: async and HTTP calls that are running.
        record: position of the record of the task that is being mapped, where it is told.
    """

    entry_id: bytes
    kill_at_ns: int
    concurrent: int
    record: int | None = None


class Slots:
    """The slots and journals of all workers of one trigger, in one file.

    Args:
        count: number of workers.
        file_number: the supervisor's file, when a worker opens it; None makes a new one.
    """

    def __init__(self, count: int, file_number: int | None = None) -> None:
        self._file = None
        size = count * (SLOT_BYTES + JOURNAL_BYTES)
        if file_number is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as we do
            self._file.truncate(size)
            file_number = self._file.fileno()
        self.file_number = file_number
        self._memory = memoryview(mmap.mmap(file_number, size))
        self._journals = self._memory[count * SLOT_BYTES :]

    def close(self) -> None:
        """Gives the file back; slots that were handed out stay readable."""
        if self._file is not None:
            self._file.close()

    def slot(self, at: int) -> Slot:
        """Returns the slot of worker number ``at``."""
        return Slot(self._memory[at * SLOT_BYTES : (at + 1) * SLOT_BYTES])

    def journal(self, at: int) -> Journal:
        """Returns the journal of worker number ``at``."""
        return Journal(self._journals[at * JOURNAL_BYTES : (at + 1) * JOURNAL_BYTES])


class Slot:
    """One worker's slot: the worker writes, its supervisor reads."""

    def __init__(self, memory: memoryview) -> None:
        self._entry = memory[:_ENTRY_BYTES]
        self._memory = memory
        self._concurrent = 0
        self._in_sync = False

    def begin(self, entry_id: bytes, limit_s: float | None) -> None:
        """A sync task starts; the worker is to be killed ``limit_s`` seconds from now."""
        self._in_sync = True
        _RECORD.pack_into(self._memory, _RECORD_AT, 0)
        _LIMIT.pack_into(self._memory, _ENTRY_BYTES, _from_now_ns(limit_s), self._concurrent)
        self._entry[:] = entry_id.ljust(_ENTRY_BYTES, b"\0")

    def mark(self, record: int) -> None:
        """A record of the sync task is mapped now."""
        _RECORD.pack_into(self._memory, _RECORD_AT, record + 1)

    def end(self) -> None:
        """The sync task ended."""
        self._entry[:] = _NOTHING
        self._in_sync = False
        _LIMIT.pack_into(self._memory, _ENTRY_BYTES, 0, self._concurrent)

    def begin_concurrent(self, alone: bytes, limit_s: float | None) -> None:
        """An async call starts; ``alone`` is its entry when nothing runs beside it, else empty."""
        self._concurrent += 1
        kill_at_ns = self.read().kill_at_ns or _from_now_ns(limit_s)
        _LIMIT.pack_into(self._memory, _ENTRY_BYTES, kill_at_ns, self._concurrent)
        self._entry[:] = alone.ljust(_ENTRY_BYTES, b"\0")

    def watch_concurrent(self, running: int, kill_at_ns: int) -> None:
        """Async calls are running, and the first of them is to be ended at ``kill_at_ns``."""
        self._concurrent = running
        if not self._in_sync:
            _LIMIT.pack_into(self._memory, _ENTRY_BYTES, kill_at_ns, running)

    def kill_now(self) -> None:
        """What runs does not give way."""
        _LIMIT.pack_into(self._memory, _ENTRY_BYTES, time.monotonic_ns(), self._concurrent)

    def clear(self) -> None:
        """A new worker takes the slot over."""
        self._concurrent = 0
        self.end()

    def read(self) -> Doing:
        """Returns what the slot says."""
        kill_at_ns, concurrent = _LIMIT.unpack_from(self._memory, _ENTRY_BYTES)
        (record,) = _RECORD.unpack_from(self._memory, _RECORD_AT)
        entry = bytes(self._entry).rstrip(b"\0")
        return Doing(entry, kill_at_ns, concurrent, record - 1 if record else None)


def _from_now_ns(limit_s: float | None) -> int:
    """Returns a monotonic time so many seconds from now, or 0 for no limit."""
    return 0 if limit_s is None else time.monotonic_ns() + int(limit_s * 1e9)


_NOTHING = b"\0" * _ENTRY_BYTES
