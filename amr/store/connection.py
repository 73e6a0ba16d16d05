"""Connections to Redis: how they are made, which of their errors pass, what is said of the rest.

The client library repeats nothing on its own: a repeated XADD or half a script's reply would
count twice. Only :func:`call_with_retries` repeats, around calls that may be made again.

Modules above the store catch ``RedisError``, ``ResponseError`` and ``ReplyTimeoutError`` by their
names here, and never import the client library themselves.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    InvalidResponse,
    MovedError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as ReplyTimeoutError
from redis.retry import Retry

from amr.errors import RedisUnavailableError
from amr.log import RateLimited
from amr.redis_url import RedisTarget
from amr.settings import BLOCK_S
from amr.store.cluster import NodeConnection, SlotMovedError, TlsNodeConnection
from amr.store.keys import Keys

if TYPE_CHECKING:
    import threading

__all__ = [
    "RedisError",
    "ReplyTimeoutError",
    "ResponseError",
    "call_with_retries",
    "connect",
    "is_passing",
    "is_read_only",
    "redis_errors",
]

log = logging.getLogger("amr.store.connection")
log.addFilter(RateLimited())

Result = TypeVar("Result")

#: Seconds to wait for a new connection.
CONNECT_TIMEOUT_S = 5.0
#: Seconds to wait for a reply.
REPLY_TIMEOUT_S = 10.0

#: Longest pause between two calls of one repetition, in seconds.
_MAX_PAUSE_S = 2.0

#: Codes of the refusals that end by themselves or by an operator's hand, whether Redis sends them
#: plain or, as 6.2 does, inside the error of the script that met them.
_PASSING_CODES = re.compile(
    r"(?:(?:ERR )?Error running script .*-)?"
    r"(?:LOADING|READONLY|BUSY|TRYAGAIN|MASTERDOWN|CLUSTERDOWN|OOM|MISCONF|NOREPLICAS|NOSCRIPT)\s",
    re.DOTALL,
)


def connect(target: RedisTarget, *, blocking: bool = False) -> redis.Redis:
    """Returns a client of the target; nothing is sent before its first command.

    Replies are bytes, the protocol is RESP2, which hiredis reads fastest.

    Args:
        target: the server.
        blocking: the client is for blocking reads of at most ``BLOCK_S`` seconds: its patience is
            above that. Give such reads a client of their own.
    """
    options = _options(target, REPLY_TIMEOUT_S + (BLOCK_S if blocking else 0.0))
    if target.scheme == "redis+sentinel":
        return _connect_by_sentinels(target, options)
    kind: type[redis.Connection] | type[redis.UnixDomainSocketConnection]
    if target.scheme == "unix":
        kind = redis.UnixDomainSocketConnection
        options |= {"path": target.path}
    elif target.nodes:
        kind = TlsNodeConnection if target.uses_tls else NodeConnection
        key = Keys(target.stream).stream_key("stream")
        options |= {"nodes": target.nodes, "stream_key": key, "socket_keepalive": True}
        options |= _tls_options(target)
    else:
        kind = redis.SSLConnection if target.uses_tls else redis.Connection
        options |= {"host": target.host, "port": target.port, "socket_keepalive": True}
        options |= _tls_options(target)
    pool = redis.ConnectionPool(connection_class=kind, **options)
    client = redis.Redis(connection_pool=pool)
    client.auto_close_connection_pool = True
    return client


def is_passing(error: BaseException) -> bool:
    """Says if the same call may succeed a little later: the link, a restart, a failover, memory."""
    if isinstance(error, (AuthenticationError, AuthorizationError)):
        return False
    if isinstance(error, (redis.ConnectionError, ReplyTimeoutError)):
        return not _is_tls_refusal(error)
    if isinstance(error, ResponseError):
        return type(error).__name__ in _PASSING_CLASSES or bool(_PASSING_CODES.match(str(error)))
    return False


def is_read_only(error: BaseException) -> bool:
    """Says if the server is a replica, and no longer the primary that was looked for."""
    return isinstance(error, ReadOnlyError) or bool(_READ_ONLY.match(str(error)))


#: How Redis 6.2 words it when it was a script that wanted to write.
_READ_ONLY = re.compile(r"(?:ERR )?Error running script .*-READONLY\s", re.DOTALL)

#: redis-py takes the code off the message of errors that have a class of their own.
_PASSING_CLASSES = frozenset(
    {
        "ReadOnlyError",
        "TryAgainError",
        "ClusterDownError",
        "MasterDownError",
        "NoScriptError",
        "OutOfMemoryError",
    }
)


def call_with_retries(
    call: Callable[[], Result],
    *,
    for_s: float,
    stopping: threading.Event | None = None,
) -> Result:
    """Calls ``call`` until it succeeds, repeating while its errors are passing ones.

    Args:
        call: sends to Redis, and may be made again after a lost reply.
        for_s: seconds after which the last error is raised.
        stopping: once set, there is no further pause and no further call.

    Returns:
        What ``call`` returned.

    Raises:
        RedisError: the last passing error when the time ran out; any other error at once.
    """
    try:
        return call()
    except RedisError as error:
        if not is_passing(error):
            raise
        first = error
    return _repeat(call, first, for_s, stopping)


@contextmanager
def redis_errors(target: RedisTarget) -> Iterator[None]:
    """Turns every error of Redis into RedisUnavailableError.

    Each message names the server, its password masked, and what to do.

    Raises:
        RedisUnavailableError: Redis cannot be reached, or refuses us.
    """
    try:
        yield
    except RedisError as error:
        reason = _explain(error, target) or f"it refused a command: {error}"
        raise RedisUnavailableError(f"Redis at {target.masked}: {reason}") from error


def _options(target: RedisTarget, reply_timeout_s: float) -> dict[str, Any]:
    return {
        "db": target.db,
        "username": target.username,
        "password": target.password,
        "client_name": "amr",
        "decode_responses": False,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": reply_timeout_s,
    }


def _tls_options(target: RedisTarget) -> dict[str, Any]:
    options: dict[str, Any] = dict(target.tls)
    if options.get("ssl_cert_reqs") == "none":
        options["ssl_check_hostname"] = False
    return options


def _connect_by_sentinels(target: RedisTarget, options: dict[str, Any]) -> redis.Redis:
    from redis.sentinel import Sentinel

    # Without these, the sentinels' own clients would have the library's retries and patience.
    asking = {
        name: options[name]
        for name in ("retry", "socket_connect_timeout", "client_name", "protocol")
    }
    asking["socket_timeout"] = CONNECT_TIMEOUT_S
    options |= {"socket_keepalive": True}
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call] # redis-py has no types here
        list(target.sentinels), sentinel_kwargs=asking
    )
    client: redis.Redis = sentinel.master_for(target.service, **options)
    return client


def _repeat(
    call: Callable[[], Result],
    first: RedisError,
    for_s: float,
    stopping: threading.Event | None,
) -> Result:
    """Goes on where ``call`` failed with ``first``; tenacity is not in the way of good calls."""
    import tenacity

    pause = tenacity.wait_random_exponential(multiplier=0.05, max=_MAX_PAUSE_S)
    stop: tenacity.stop.stop_base = tenacity.stop_before_delay(for_s)
    options: dict[str, Any] = {}
    if stopping is not None:
        stop = tenacity.stop_any(stop, tenacity.stop_when_event_set(stopping))
        options["sleep"] = tenacity.sleep_using_event(stopping)

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("Redis: %s; trying again", error)

    pending: list[RedisError] = [first]

    def first_error_then_calls() -> Result:
        if pending:
            raise pending.pop()
        return call()

    repeating = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_passing),
        wait=pause,
        stop=stop,
        before_sleep=tell,
        reraise=True,
        **options,
    )
    return repeating(first_error_then_calls)


def _explain(error: RedisError, target: RedisTarget) -> str | None:
    """Returns what is wrong with the server or the way to it, or None."""
    if isinstance(error, (AuthenticationError, AuthorizationError)):
        return _explain_login(error, target)
    if isinstance(error, NoPermissionError):
        return f"its ACL does not let us work ({error}); allow this user that, on the keys amr:*"
    if isinstance(error, BusyLoadingError):
        return "it is still loading its data; try again in a moment"
    if isinstance(error, MovedError):
        return (
            f"it is a node of a Cluster, and the stream {target.stream!r} lives on "
            f"{error.host}:{error.port}: write redis+cluster:// for redis://"
        )
    if isinstance(error, SlotMovedError):
        return f"the stream {target.stream!r} has no node for the moment ({error}); try again"
    if isinstance(error, InvalidResponse):
        return "it does not speak Redis's protocol; is the port right?"
    if _is_tls_refusal(error):
        return _explain_tls(error)
    if isinstance(error, ReplyTimeoutError):
        hint = ", and does it speak TLS" if target.uses_tls else ""
        return f"it does not answer ({error}); is the address right{hint}, no firewall between?"
    if isinstance(error, redis.ConnectionError):
        hung_up = any(told in str(error) for told in ("closed by server", "reset by peer", "EOF"))
        hint = _HINTS.get(target.scheme, "") if hung_up else ""
        return f"it cannot be reached ({error}): is it running, and the address right?{hint}"
    if isinstance(error, ResponseError) and "DB index" in str(error):
        return f"it has no database {target.db}"
    if "OOM" in str(error) or type(error).__name__ == "OutOfMemoryError":
        return "its memory is full (maxmemory): raise it, or let running jobs end, and try again"
    if "MISCONF" in str(error):
        return "it cannot write to its disk, and takes no more data until it can"
    if is_passing(error):
        return f"it refuses for the moment: {error}"
    return None


_WANTS_CERTIFICATE = "wants a certificate of ours, name it with ?ssl_certfile=FILE&ssl_keyfile=FILE"

#: What a server that hangs up on us may want, by the scheme of the URL.
_HINTS = {
    "redis": " If it speaks TLS, write rediss://.",
    "rediss": f" If it {_WANTS_CERTIFICATE}.",
}


def _explain_login(error: RedisError, target: RedisTarget) -> str:
    asked = target.password is None
    what = "it wants a password" if asked else "it refuses this user and password"
    return f"{what} ({error}); give them in the URL, or in REDIS_PASSWORD"


def _is_tls_refusal(error: BaseException) -> bool:
    return _tls_error(error) is not None


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """Returns the TLS error behind ``error``: a certificate or a protocol, not a lost link."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


def _explain_tls(error: BaseException) -> str:
    cause = _tls_error(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"its certificate does not verify: {cause.verify_message}; "
            "name its CA with ?ssl_ca_certs=FILE"
        )
    reason = str(getattr(cause, "reason", None) or cause)
    if "CERTIFICATE_REQUIRED" in reason:
        return f"it {_WANTS_CERTIFICATE}"
    return f"TLS fails ({reason}); without TLS write redis://"
