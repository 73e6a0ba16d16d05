"""A job's events and its functions' lines, in the order in which they came."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amr.store.keys import Keys
from amr.store.link import Call, Link, same
from amr.task import field_of

_PAGE = 1000

#: Events, and lines of functions, that are kept of a job at least; those before may be gone.
KEPT_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a job's life.

    Attributes:
        id: its place among the job's lines, such as ``1763676800000-0``.
        time_ms: when, in milliseconds since the epoch.
        kind: ``created``, ``queued``, ``progress``, ``retry``, ``failed`` (a task when it names
            one, else the job), ``swept``, ``reducing``, ``succeeded``, ``cancelled``, or ``log``
            for a line that a function printed.
        fields: what there is to say, by name.
    """

    id: str
    time_ms: int
    kind: str
    fields: dict[str, str]

    @property
    def task(self) -> str | None:
        """The task that it is of, by its name among those of the job; None where it is of none."""
        if self.kind == "log":
            return field_of(self.fields.get("stage", "map"), int(self.fields.get("index", 0)))
        return self.fields.get("task")

    @property
    def ends_job(self) -> bool:
        """Whether this is the job's last event."""
        return self.kind in ("succeeded", "cancelled", "failed") and self.task is None


class EventReader:
    """Reads the lines of one job, from ``since_ms`` on; each line once.

    Args:
        link: a connection of its own: following blocks it.
        keys: of the stream.
        job: job id.
        since_ms: lines before this time are left out.
        lines: whether to read what functions printed as well.
    """

    def __init__(
        self, link: Link, keys: Keys, job: str, *, since_ms: int = 0, lines: bool = True
    ) -> None:
        self._link = link
        names = ("events", "log") if lines else ("events",)
        self._at = {keys.job_key(name, job): f"{max(0, since_ms - 1)}-9999999" for name in names}
        if since_ms <= 0:
            self._at = dict.fromkeys(self._at, "0-0")

    def new(self) -> list[Event]:
        """Returns the lines that have come since the last call."""
        return list(heapq.merge(*map(self._rest, self._at), key=_order))

    def wait(self, block_s: float) -> list[Event]:
        """Returns new lines, after a wait of up to ``block_s`` seconds when there are none."""
        read = ("XREAD", "COUNT", _PAGE, "BLOCK", max(1, round(block_s * 1000)))
        reply = self._link.run(Call((*read, "STREAMS", *self._at, *self._at.values()), same))
        pages = []
        for key, rows in reply or ():
            page = self._read(key, rows)
            # A full page has more behind it, which comes before the other stream's later lines.
            pages.append(page + self._rest(key) if len(rows) == _PAGE else page)
        return list(heapq.merge(*pages, key=_order))

    def wait_for_end(self, block_s: float, on_event: Callable[[Event], None] | None) -> None:
        """Returns when the job ends, or after ``block_s`` seconds.

        Args:
            block_s: how long to wait.
            on_event: is called with each new line.
        """
        until = time.monotonic() + block_s
        while (left_s := until - time.monotonic()) > 0:
            events = self.wait(left_s)
            if on_event:
                for event in events:
                    on_event(event)
            if any(event.ends_job for event in events):
                return

    def _rest(self, key: bytes) -> list[Event]:
        """Returns the lines of one stream that have not been read."""
        events: list[Event] = []
        while True:
            after = f"({self._at[key]}"
            rows = self._link.run(Call(("XRANGE", key, after, "+", "COUNT", _PAGE), same))
            events += self._read(key, rows)
            if len(rows) < _PAGE:
                return events

    def _read(self, key: bytes, rows: list[Any]) -> list[Event]:
        if rows:
            self._at[key] = rows[-1][0].decode()
        return [read_event(row) for row in rows]


def newest_events(keys: Keys, job: str, most: int) -> Call:
    """Returns the call that reads up to ``most`` of the job's events, the newest first."""
    return _newest(keys.job_key("events", job), most)


@dataclass(frozen=True, slots=True)
class Found:
    """Lines that were looked for.

    Attributes:
        lines: in the order in which they came.
        since_ms: time before which lines are not kept, or were not looked at; None where all were.
    """

    lines: tuple[Event, ...]
    since_ms: int | None


def find_newest(key: bytes, link: Link, wanted: Callable[[Event], bool]) -> Found:
    """Returns the wanted ones of the newest lines of a stream, as many as Redis keeps for sure.

    A stream of a job that has fewer was never cut.

    Args:
        key: of the job's events or its log.
        link: a connection.
        wanted: tells whether a line is.
    """
    lines: list[Event] = []
    before = "+"
    for _ in range(KEPT_LINES // _PAGE):
        page = link.run(_newest(key, _PAGE, before))
        lines += filter(wanted, page)
        if len(page) < _PAGE:
            return Found(tuple(reversed(lines)), None)
        before = f"({page[-1].id}"
    return Found(tuple(reversed(lines)), page[-1].time_ms)


def _newest(key: bytes, most: int, before: str = "+") -> Call:
    range_ = ("XREVRANGE", key, before, "-", "COUNT", most)
    return Call(range_, lambda rows: [read_event(row) for row in rows])


def _order(event: Event) -> tuple[int, bool, int]:
    """Orders lines of two streams by time; within a millisecond the job's end comes last."""
    ms, _, seq = event.id.partition("-")
    return int(ms), event.ends_job, int(seq)


def read_event(row: Any) -> Event:
    """Returns the event that a row of the stream tells."""
    entry_id, flat = row[0].decode(), [value.decode(errors="replace") for value in row[1]]
    fields = dict(zip(flat[0::2], flat[1::2], strict=True))
    kind = fields.pop("kind", "log")
    time_ms = int(fields.pop("time", 0) or entry_id.partition("-")[0])
    return Event(entry_id, time_ms, kind, {k: v for k, v in fields.items() if v != ""})
