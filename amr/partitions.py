"""Several streams as one set: their names, and which of them a job goes to.

A job lives on one stream, so that each of its scripts touches one slot. More streams are for more
than one Redis, or one node of a Cluster, can do. The K streams of ``inputs/K`` are ``inputs.0`` and
on; each is an ordinary stream that a URL may also name by itself. A job goes to the stream of its
id's hash, or to one that is named; it is found again wherever it went.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from amr.errors import SettingsError
from amr.redis_url import RedisTarget
from amr.suggest import did_you_mean

_NAMES_SHOWN = 8


class HasTarget(Protocol):
    """Whatever stands for one stream."""

    @property
    def target(self) -> RedisTarget: ...


Member = TypeVar("Member", bound=HasTarget)


def partitions(target: RedisTarget) -> tuple[RedisTarget, ...]:
    """Returns the streams that a target means, each as a target of its own.

    Raises:
        SettingsError: the stream's name is too long to be numbered.
    """
    if target.streams == 1:
        return (target,)
    numbers = range(target.streams)
    return tuple(target.with_stream(f"{target.stream}.{number}") for number in numbers)


def shares(processes: int, streams: int) -> list[int]:
    """Returns how many of the worker processes each stream gets: at least one."""
    least, more = divmod(max(processes, streams), streams)
    return [least + (number < more) for number in range(streams)]


class StreamSet(Generic[Member]):
    """The members that stand for the streams of a set. Most sets have one, and cost nothing.

    Args:
        members: one a stream; every user of the set has to name them in the same order.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = tuple(members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members)

    def of_job(self, job: str) -> Member:
        """Returns the member that a job goes to when none is named."""
        return self._members[zlib.crc32(job.encode()) % len(self._members)]

    def named(self, stream: str) -> Member:
        """Returns the member of the stream with this name.

        Raises:
            SettingsError: none has this name, or streams of several servers have it.
        """
        found = [member for member in self._members if member.target.stream == stream]
        if len(found) == 1:
            return found[0]
        if found:
            raise SettingsError(
                f"the stream {stream!r} is on {len(found)} servers: name one of them only, with "
                "one --redis-url"
            )
        names = [member.target.stream for member in self._members]
        shown = ", ".join(names[:_NAMES_SHOWN]) + (" …" if len(names) > _NAMES_SHOWN else "")
        raise SettingsError(
            f"there is no stream {stream[:100]!r} here; there are: {shown}"
            f"{did_you_mean(stream, names)}"
        )

    def find(self, first: Member, has: Callable[[Member], bool]) -> Member:
        """Returns the member that ``has`` what is looked for; ``first``, asked first, if none."""
        if len(self._members) == 1:
            return first
        others = (member for member in self._members if member is not first)
        return next((member for member in (first, *others) if has(member)), first)
