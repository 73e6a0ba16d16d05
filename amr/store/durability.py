"""Waits until what was written is kept by more than the primary's memory.

WAIT and WAITAOF look only at writes of their own connection. So the script ``confirm`` writes a
mark into the job's record on it, and the wait follows in the same round trip: a replica, or a disk,
that has this mark has everything that was written before it, by whomever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amr.errors import RedisUnsuitableError, UnconfirmedError
from amr.jobspec.fields import Durability
from amr.store.connection import ResponseError
from amr.store.link import Call, Link, same
from amr.store.replies import Code, Reply
from amr.store.transitions import Transitions

#: First Redis with WAITAOF; every Valkey calls itself compatible with it.
_WAITAOF_VERSION = (7, 2)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The calls that confirm a job's writes, to be sent behind them, and what their replies say.

    Attributes:
        job: whose writes.
        kept_by: who has to keep them, in words; empty where nobody is asked.
        timeout_s: seconds they have for it.
        calls: to send; there are none where the primary's memory is enough.
    """

    job: str
    kept_by: str
    timeout_s: float
    calls: tuple[Call, ...] = ()

    def check(self, replies: Sequence[Any], what: str, retry: str) -> bytes:
        """Returns the state in which the job was confirmed.

        Args:
            replies: the values of ``calls``; at least these two.
            what: is unconfirmed if they say so.
            retry: what confirms it then.

        Raises:
            UnconfirmedError: too few have acknowledged the writes, or the job is gone.
        """
        reply: Reply = replies[0]
        if reply.code is Code.GONE:
            raise UnconfirmedError(self.job, f"{what}, but Redis has no such job: {retry}")
        if replies[1] < 1:
            late = f"{what}, but {self.kept_by} within {self.timeout_s:g} s"
            raise UnconfirmedError(self.job, f"{late}: {retry}")
        state: bytes = reply.values[0]
        return state


class Confirmer:
    """Confirms the writes of jobs, each at the durability that it asks for.

    Args:
        link: on which confirmations will be sent.
        transitions: of the stream.
        timeout_s: seconds that replicas and disks have to acknowledge.
    """

    def __init__(self, link: Link, transitions: Transitions, timeout_s: float) -> None:
        self._link = link
        self._transitions = transitions
        self._timeout_s = timeout_s
        self._disk_call: Call | None = None

    def confirmation(self, job: str, durability: Durability) -> Confirmation:
        """Returns what confirms the job's writes.

        Raises:
            RedisUnsuitableError: this Redis cannot give the durability.
        """
        if durability == "memory":
            return Confirmation(job, "", 0.0)
        if durability == "replica":
            wait = Call(("WAIT", 1, self._timeout_ms), int, self._timeout_s)
            kept_by = "no replica has acknowledged it"
        else:
            self._disk_call = wait = self._disk_call or self._find_disk_call()
            kept_by = "its append-only file was not written to disk"
        calls = (self._transitions.confirm(job), wait)
        return Confirmation(job, kept_by, self._timeout_s, calls)

    @property
    def _timeout_ms(self) -> int:
        return max(1, round(self._timeout_s * 1000))  # 0 would be for ever

    def _find_disk_call(self) -> Call:
        """Returns the call that tells whether the writes before it are on disk."""
        facts = _read_info(self._link.run(Call(("INFO",), same)))
        sync = self._sync_setting()
        if facts.get("aof_enabled") == "1" and sync == "always":
            # It writes to disk before it answers. Asked with every confirmation: it may be changed,
            # or another server may have become the primary.
            return Call(("CONFIG", "GET", "appendfsync"), _is_always, 0.0)
        version = facts.get("redis_version", "0")
        too_old = tuple(int(part) for part in version.split(".")[:2]) < _WAITAOF_VERSION
        if facts.get("aof_enabled") != "1":
            reason = "its appendonly is off: set appendonly yes"
        elif sync == "no":
            reason = "its appendfsync is no: set it to everysec or always"
        elif too_old:
            reason = (
                f"its appendfsync is {sync or 'not ours to read'}, and Redis {version} has no "
                "WAITAOF: set appendfsync always, or use Redis 7.2 or newer, or Valkey"
            )
        else:
            return Call(("WAITAOF", 1, 0, self._timeout_ms), lambda r: int(r[0]), self._timeout_s)
        raise RedisUnsuitableError(f'durability "disk" cannot be had of this Redis: {reason}')

    def _sync_setting(self) -> str | None:
        """Returns ``appendfsync``, or None where we may not read settings."""
        try:
            reply = self._link.run(Call(("CONFIG", "GET", "appendfsync"), same))
        except ResponseError:
            return None
        return reply[1].decode() if reply else None


def _is_always(reply: Any) -> int:
    return int(reply[1:2] == [b"always"])


def _read_info(reply: bytes) -> dict[str, str]:
    """Returns the facts of INFO by their names."""
    lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}
