"""One connection to Redis: sends calls in one round trip and reads what comes back.

redis-py's own client sends one command at a time or a pipeline of them; a worker also needs to send
a blocking read and go on working until its answer is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import redis
from redis.exceptions import NoScriptError, ResponseError

from amr.redis_url import RedisTarget
from amr.store.connection import call_with_retries, connect, is_read_only
from amr.store.loader import Script, load_scripts
from amr.store.replies import read_reply

#: Times that scripts are loaded for one round trip: somebody may flush them in between.
_LOADS_MOST = 3

Argument = bytes | str | int | float


class Call(NamedTuple):
    """One Redis command, and what makes a value of its reply.

    Attributes:
        arguments: the command.
        read: makes the value.
        confirms_s: seconds for which it waits until the writes before it are kept; None for calls
            that do no such thing. It is made again when one of those before it is.
    """

    arguments: tuple[Argument, ...]
    read: Callable[[Any], Any]
    confirms_s: float | None = None


def same(reply: Any) -> Any:
    """Reads a reply as it is."""
    return reply


def script_call(script: Script, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Call:
    """Returns the call of ``script``; it reads a ``Reply``."""
    return Call(("EVALSHA", script.sha, len(keys), *keys, *arguments), read_reply)


SCRIPTS = load_scripts()


class Link:
    """One connection, made at first use and again after every error.

    Threads may share it: each round trip is whole. After an error it is not known whether the calls
    took effect, so only calls that may be repeated go through it.

    Args:
        target: the Redis to reach.
        timeout_s: seconds an answer may take.
        patience_s: seconds for which calls are repeated when a connection that was there breaks,
            or Redis asks for time. A server that was never reached is told of at once.
    """

    def __init__(
        self, target: RedisTarget, timeout_s: float = 10.0, patience_s: float = 0.0
    ) -> None:
        self.target = target
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._was_connected = False
        self._connection: Any = None
        self._lock = threading.RLock()
        self._sent: list[Call] = []

    def run(self, call: Call) -> Any:
        """Returns the value of one call."""
        return self.run_all([call])[0]

    def run_all(self, calls: Sequence[Call]) -> list[Any]:
        """Returns the values of the calls, after one round trip for all of them.

        Raises:
            redis.RedisError: of the first call that failed; the others may have taken effect.
        """
        if not calls:
            return []
        if not self._patience_s or not self._was_connected:
            return self._run_once(calls)
        return call_with_retries(lambda: self._run_once(calls), for_s=self._patience_s)

    def begin(self, calls: Sequence[Call]) -> None:
        """Sends calls without waiting; ``finish`` gives their values."""
        self._send(calls)
        self._sent = list(calls)

    def finish(self, timeout_s: float) -> list[Any]:
        """Returns the values of the calls that ``begin`` sent."""
        calls, self._sent = self._sent, []
        replies = self._receive(len(calls), timeout_s)
        return self._values(calls, replies)

    def waiting(self) -> bool:
        """Whether calls were begun and not finished."""
        return bool(self._sent)

    def ready(self) -> bool:
        """Whether an answer has begun to come."""
        return bool(self._connection.can_read(0))

    def fileno(self) -> int:
        """File descriptor that becomes readable when an answer comes."""
        return int(self._connection._sock.fileno())

    def close(self) -> None:
        """Ends the connection; the next call makes a new one."""
        self._sent = []
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _run_once(self, calls: Sequence[Call]) -> list[Any]:
        with self._lock:
            replies = self._round_trip(calls)
            replies = self._load_and_repeat(calls, replies)
        return self._values(calls, replies)

    def _connected(self) -> Any:
        if self._connection is None:
            connection = connect(self.target).connection_pool.make_connection()
            connection.connect()  # type: ignore[no-untyped-call]
            self._connection = connection
            self._was_connected = True
        return self._connection

    def _send(self, calls: Sequence[Call]) -> None:
        try:
            connection = self._connected()
            packed: list[bytes] = []
            for call in calls:
                packed += connection.pack_command(*call.arguments)
            connection.send_packed_command([b"".join(packed)], check_health=False)
        except (redis.RedisError, OSError):
            self.close()
            raise

    def _receive(self, count: int, timeout_s: float) -> list[Any]:
        replies: list[Any] = []
        try:
            for _ in range(count):
                try:
                    replies.append(self._connection.read_response(timeout=timeout_s))
                except ResponseError as error:
                    replies.append(error)
        except BaseException:
            # Answers may still be on their way: none of them may meet the next call.
            self.close()
            raise
        return replies

    def _values(self, calls: Sequence[Call], replies: list[Any]) -> list[Any]:
        for reply in replies:
            if isinstance(reply, Exception):
                if is_read_only(reply):
                    self.close()  # the next connection finds the primary that there is now
                raise reply
        return [call.read(reply) for call, reply in zip(calls, replies, strict=True)]

    def _round_trip(self, calls: Sequence[Call]) -> list[Any]:
        self._send(calls)
        timeout_s = self._timeout_s + sum(call.confirms_s or 0.0 for call in calls)
        return self._receive(len(calls), timeout_s)

    def _load_and_repeat(self, calls: Sequence[Call], replies: list[Any]) -> list[Any]:
        """Repeats the calls of scripts that Redis did not have, after loading all of them."""
        for _ in range(_LOADS_MOST):
            missing = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
            if not missing:
                break
            self._load_and_repeat_once(calls, replies, missing)
        return replies

    def _load_and_repeat_once(
        self, calls: Sequence[Call], replies: list[Any], missing: list[int]
    ) -> None:
        waits = [at for at, call in enumerate(calls) if call.confirms_s is not None]
        again = sorted({*missing, *(at for at in waits if at > missing[0])})
        self._round_trip([Call(("SCRIPT", "LOAD", s.source), same) for s in SCRIPTS.values()])
        repeated = self._round_trip([calls[at] for at in again])
        for at, reply in zip(again, repeated, strict=True):
            replies[at] = reply
