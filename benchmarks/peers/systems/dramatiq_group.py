"""Dramatiq: https://dramatiq.io/cookbook.html#groups and its completion callbacks"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import uuid4

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import RedisBackend as RateLimiterBackend
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend as ResultBackend

from benchmarks.peers import functions
from benchmarks.peers.interface import (
    BLOCKING,
    WAITS_AT_A_TIME,
    Peer,
    by_workload,
    redis_url,
)

_DAY_MS = 24 * 3600 * 1000
# All threads of a process share it: a connection each, and some for the consumers.
_CONNECTIONS = 2 * WAITS_AT_A_TIME

# The client blocks for the result; redis-py 8 would end that after some seconds.
_pool = redis.ConnectionPool.from_url(
    redis_url(), max_connections=_CONNECTIONS, socket_timeout=None
)
_client = redis.Redis(connection_pool=_pool)
_results = ResultBackend(client=_client)
broker = RedisBroker(client=_client)
broker.add_middleware(GroupCallbacks(RateLimiterBackend(client=_client)))
broker.add_middleware(Results(backend=_results))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True, time_limit=_DAY_MS)
def call(mapper: str, body: Any) -> Any:
    return getattr(functions, mapper)(body)


@dramatiq.actor(store_results=True, time_limit=_DAY_MS)
def reduce_all(group: str, tasks: int, reducer: str) -> Any:
    outputs = [_message(group, at).get_result(backend=_results) for at in range(tasks)]
    return functions.reduced(reducer, outputs)


def _message(group: str, at: int, *args: Any) -> Any:
    """Returns a message whose id the callback can tell.

    Each message of a group carries its callback, so that a callback with all ids would make the
    group quadratic.
    """
    return call.message(*args).copy(message_id=f"{group}-{at}")


class DramatiqGroup(Peer):
    """A group with a completion callback (GroupCallbacks); the callback reads the results from the
    Redis result backend. 2 processes of 8 threads, the default; 1 thread for computation, 600 for
    waits; one pool of up to 1,200 connections a process."""

    libraries: ClassVar = ("dramatiq", "redis")
    survives_client: ClassVar = True
    functions: ClassVar = BLOCKING

    def start(self) -> None:
        threads = by_workload(8, computing=1, waiting=WAITS_AT_A_TIME)
        size = ("--processes", str(self.place.workers), "--threads", str(threads))
        self.launch("dramatiq", __name__, *size)

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        name = uuid4().hex
        calls = dramatiq.group(_message(name, at, mapper, body) for at, body in enumerate(inputs))
        callback = reduce_all.message(name, len(inputs), reducer)
        calls.add_completion_callback(callback)
        calls.run()
        return callback.get_result(backend=_results, block=True, timeout=_DAY_MS)
