"""Reads who works on a stream: triggers, workers, and what is pending for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import orjson
from redis.exceptions import ResponseError

from amr.store.keys import GROUP, Keys
from amr.store.link import Argument, Call, Link, same
from amr.store.stream import Entries, is_group_missing, read_entries
from amr.task import Task

#: Entries that are read in one round trip, for each may be as large as an input.
_READ_PAGE = 64

#: Entries that one look at what workers hold may give.
_HELD_PAGE = 500


@dataclass(frozen=True, slots=True)
class TriggerFacts:
    """What a trigger told of itself at its last heartbeat.

    Attributes:
        trigger: its id.
        beat_ms: time of the heartbeat, in milliseconds since the epoch, by the clock of Redis.
        facts: host, pid, processes, functions, what its workers run, and the like.
    """

    trigger: str
    beat_ms: int
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What stands on a stream.

    Attributes:
        entries: entries on the stream.
        pending: entries that a worker holds.
        consumers: names of the group's consumers.
        lag: entries that no worker has taken yet; strangers' deletions may make it too small.
    """

    entries: int
    pending: int
    consumers: tuple[str, ...]

    @property
    def lag(self) -> int:
        return max(0, self.entries - self.pending)


class Held(NamedTuple):
    """An entry that is pending for a worker, and for how many milliseconds since it was taken."""

    entry: bytes
    worker: str
    held_ms: int


class Fleet:
    """Read-only view of the workers of one stream."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def now_ms(self) -> int:
        """Returns the time of Redis in milliseconds since the epoch."""
        now_ms: int = self._link.run(self._time())
        return now_ms

    def live_workers(self) -> list[str]:
        """Returns the workers whose lease has not ended."""
        return self._workers(f"({self.now_ms()}", "+inf")

    def lapsed_workers(self) -> list[str]:
        """Returns the workers whose lease has ended and who were not retired yet."""
        return self._workers("-inf", str(self.now_ms()))

    def known_workers(self) -> list[str]:
        """Returns all workers that have or had a lease and were not retired."""
        return self._workers("-inf", "+inf")

    def triggers(self) -> list[TriggerFacts]:
        """Returns the triggers that ever beat and were not forgotten, by their ids."""
        return _read_triggers(self._link.run(self._facts()))

    def live_triggers(self) -> list[TriggerFacts]:
        """Returns the triggers whose last heartbeat is younger than their lease."""
        return self.heard()[1]

    def heard(self) -> tuple[int, list[TriggerFacts]]:
        """Returns the time of Redis in milliseconds, and the triggers that live by it."""
        now_ms, flat = self._link.run_all([self._time(), self._facts()])
        found = _read_triggers(flat)
        return now_ms, [t for t in found if now_ms - t.beat_ms < t.facts["lease_s"] * 1000]

    def served_functions(self) -> set[str] | None:
        """Returns the functions that the live triggers serve, or None when there is no trigger."""
        live = self.live_triggers()
        return set().union(*(trigger.facts["functions"] for trigger in live)) if live else None

    def backlog(self) -> Backlog:
        """Returns what stands on the stream; zeros when it does not exist."""
        stream = self._keys.stream_key("stream")
        try:
            entries, groups, consumers = self._link.run_all(
                [
                    Call(("XLEN", stream), same),
                    Call(("XINFO", "GROUPS", stream), same),
                    Call(("XINFO", "CONSUMERS", stream, GROUP), same),
                ]
            )
        except ResponseError as error:
            if not str(error).startswith(("ERR no such key", "no such key", "NOGROUP")):
                raise
            return Backlog(0, 0, ())
        ours = next(
            (group for group in map(_pairs, groups) if group[b"name"] == GROUP.encode()), {}
        )
        names = (_pairs(consumer)[b"name"].decode() for consumer in consumers)
        return Backlog(entries, int(ours.get(b"pending", 0)), tuple(names))

    def held_by(self, worker: str, count: int) -> Entries:
        """Returns up to ``count`` of the entries that are pending for ``worker``."""
        stream = self._keys.stream_key("stream")
        pending = self._link.run(Call(("XPENDING", stream, GROUP, "-", "+", count, worker), same))
        return read_entries(self._rows_of([row[0] for row in pending]))

    def held_for(self, least_ms: float, most: int) -> list[Held]:
        """Returns up to ``most`` entries that workers took at least so long ago, oldest ids first.

        An entry's time begins when it is delivered, with all others of its batch.
        """
        held: list[Held] = []
        after = "-"
        while len(held) < most:
            page = self._pending([("IDLE", int(least_ms), after, "+", _HELD_PAGE)])
            held += page
            if len(page) < _HELD_PAGE:
                break
            after = f"({held[-1].entry.decode()}"
        return held[:most]

    def holders(self, entries: Sequence[bytes]) -> list[Held]:
        """Returns those of the entries that workers hold."""
        return self._pending([(entry, entry, 1) for entry in entries])

    def tasks_of(self, entries: Sequence[bytes]) -> dict[bytes, Task]:
        """Returns the tasks of those entries that are on the stream, without their bodies."""
        tasks: dict[bytes, Task] = {}
        for start in range(0, len(entries), _READ_PAGE):
            read = read_entries(self._rows_of(entries[start : start + _READ_PAGE]))
            tasks |= {task.entry_id: task._replace(body=b"") for task in read.tasks}
        return tasks

    def job_of(self, entry: bytes) -> str | None:
        """Returns the job that an entry of the stream is of, or None when it is gone."""
        task = self.tasks_of([entry]).get(entry)
        return task.job if task else None

    def due_retries(self, most: int) -> list[tuple[str, str]]:
        """Returns job and field of up to ``most`` retries whose time has come."""
        key = self._keys.stream_key("delayed")
        range_ = ("ZRANGEBYSCORE", key, "-inf", self.now_ms(), "LIMIT", 0, most)
        members = self._link.run(Call(range_, same))
        return [tuple(member.decode().split(" ", 1)) for member in members]

    def next_retry_s(self) -> float | None:
        """Returns the seconds until the next retry is due, or None when there is none."""
        key = self._keys.stream_key("delayed")
        first = self._link.run(Call(("ZRANGE", key, 0, 0, "WITHSCORES"), same))
        return max(0.0, (float(first[1]) - self.now_ms()) / 1000) if first else None

    def forget_trigger(self, trigger: str) -> Call:
        """Removes what a trigger told of itself."""
        return Call(("HDEL", self._keys.stream_key("triggers"), trigger), same)

    def depart(self, worker: str) -> Call:
        """Ends the lease of a worker of ours that is known to be gone."""
        return Call(("ZREM", self._keys.stream_key("workers"), worker), same)

    def forget_expired_jobs(self) -> int:
        """Takes jobs whose data has expired off the list of jobs; returns how many."""
        key = self._keys.stream_key("jobs")
        jobs = self._link.run(Call(("ZRANGE", key, 0, -1), same))
        gone: list[bytes] = []
        for start in range(0, len(jobs), 1000):
            page = jobs[start : start + 1000]
            exists = [Call(("EXISTS", self._keys.job_key("job", j.decode())), same) for j in page]
            found = self._link.run_all(exists)
            gone += [job for job, there in zip(page, found, strict=True) if not there]
        for start in range(0, len(gone), 1000):
            page = gone[start : start + 1000]
            active = self._keys.stream_key("active")
            self._link.run_all([Call(("ZREM", k, *page), same) for k in (key, active)])
        return len(gone)

    def _time(self) -> Call:
        return Call(("TIME",), read_time)

    def _pending(self, looks: Sequence[tuple[Argument, ...]]) -> list[Held]:
        """Returns what each look at the pending entries finds; without a group there are none."""
        look = ("XPENDING", self._keys.stream_key("stream"), GROUP)
        try:
            pages = self._link.run_all([Call((*look, *each), same) for each in looks])
        except ResponseError as error:
            if is_group_missing(error):
                return []
            raise
        rows = chain.from_iterable(pages)
        return [Held(entry, worker.decode(), idle) for entry, worker, idle, _ in rows]

    def _rows_of(self, entries: Sequence[bytes]) -> list[Any]:
        """Returns id and fields of each entry, None for the fields of one that is gone."""
        stream = self._keys.stream_key("stream")
        found = self._link.run_all([Call(("XRANGE", stream, i, i), same) for i in entries])
        return [row[0] if row else (i, None) for i, row in zip(entries, found, strict=True)]

    def _facts(self) -> Call:
        return Call(("HGETALL", self._keys.stream_key("triggers")), same)

    def _workers(self, least: str, most: str) -> list[str]:
        key = self._keys.stream_key("workers")
        reply = self._link.run(Call(("ZRANGEBYSCORE", key, least, most), same))
        return [worker.decode() for worker in reply]


def read_time(reply: Any) -> int:
    """Returns what TIME tells, in milliseconds since the epoch."""
    seconds, micros = reply
    return int(seconds) * 1000 + int(micros) // 1000


def _read_triggers(flat: Any) -> list[TriggerFacts]:
    found = []
    for name, value in zip(flat[0::2], flat[1::2], strict=True):
        beat_ms, _, facts = value.partition(b" ")
        found.append(TriggerFacts(name.decode(), int(beat_ms), orjson.loads(facts)))
    return sorted(found, key=lambda trigger: trigger.trigger)


def _pairs(flat: Any) -> dict[bytes, Any]:
    return dict(zip(flat[0::2], flat[1::2], strict=True))
