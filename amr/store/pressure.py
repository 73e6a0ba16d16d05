"""How full a stream and its Redis are."""

from __future__ import annotations

from typing import NamedTuple

from amr.store.connection import ResponseError
from amr.store.keys import Keys
from amr.store.link import Call, Link, same

_PAGE = 1000


class Memory(NamedTuple):
    """The memory of a Redis.

    Attributes:
        used_bytes: what it uses.
        max_bytes: its maxmemory; 0 for no limit, or where we may not ask for it.
    """

    used_bytes: int
    max_bytes: int


class Gauge:
    """Reads how full a stream and its Redis are; changes nothing."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._active = Call(("ZRANGE", keys.stream_key("active"), 0, -1), same)
        self._memory = Call(("INFO", "memory"), _read_memory)
        self._keys = keys

    def read(self) -> tuple[int, Memory]:
        """Returns how many map tasks of all jobs have not ended, and the memory of the Redis.

        It takes one round trip, and one more for each 1,000 jobs that have not ended.
        """
        try:
            jobs, memory = self._link.run_all([self._active, self._memory])
        except ResponseError:
            jobs, memory = self._link.run(self._active), self.memory()
        names = [job.decode() for job in jobs]
        pages = (names[start : start + _PAGE] for start in range(0, len(names), _PAGE))
        return sum(map(self._unfinished, pages)), memory

    def memory(self) -> Memory:
        """Returns the memory of the Redis."""
        try:
            memory: Memory = self._link.run(self._memory)
        except ResponseError:
            return Memory(0, 0)
        return memory

    def _unfinished(self, jobs: list[str]) -> int:
        calls = []
        for job in jobs:
            calls.append(Call(("LLEN", self._keys.job_key("inputs", job)), same))
            fields = (self._keys.job_key("job", job), "done", "failed")
            calls.append(Call(("HMGET", *fields), same))
        replies = self._link.run_all(calls)
        ended = sum(int(count or 0) for row in replies[1::2] for count in row)
        appended: int = sum(replies[0::2])
        return max(0, appended - ended)


def _read_memory(reply: bytes) -> Memory:
    lines = (line.partition(b":") for line in reply.splitlines())
    facts = {name: value for name, _, value in lines}
    return Memory(int(facts.get(b"used_memory", 0)), int(facts.get(b"maxmemory", 0)))
