"""Taskiq: https://taskiq-python.github.io/guide/getting-started.html and its Redis broker"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from taskiq import gather
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from benchmarks.peers import functions
from benchmarks.peers.interface import WAITS_AT_A_TIME, Peer, by_workload, redis_url
from benchmarks.peers.systems.coroutines import Loop, called

_CONNECTIONS = 100

broker = RedisStreamBroker(
    redis_url(),
    max_connection_pool_size=_CONNECTIONS,
    xread_count=by_workload(100, computing=1, waiting=100),
).with_result_backend(RedisAsyncResultBackend(redis_url(), max_connection_pool_size=_CONNECTIONS))


@broker.task
async def call(mapper: str, body: Any) -> Any:
    return await called(mapper, body)


class TaskiqGather(Peer):
    """Redis Streams broker (the one with acknowledgements) and Redis result backend, `gather` in
    the client every 10 ms; Taskiq itself has no fan-in. 2 worker processes of 100 tasks at a time,
    the default; 1 for computation, 600 for waits; pools of 100 connections."""

    libraries: ClassVar = ("taskiq", "taskiq-redis", "redis")
    survives_client: ClassVar = False

    def start(self) -> None:
        tasks = by_workload(100, computing=1, waiting=WAITS_AT_A_TIME)
        size = ("--workers", str(self.place.workers), "--max-async-tasks", str(tasks))
        self.launch("taskiq", "worker", f"{__name__}:broker", *size, "--log-level", "WARNING")
        self._loop = Loop()
        self._loop.run(broker.startup())

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        return self._loop.run(self._map_reduce(mapper, inputs, reducer))

    async def _map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        tasks = await asyncio.gather(*(call.kiq(mapper, body) for body in inputs))
        results = await gather(*tasks, periodicity=0.01)
        for result in results:
            result.raise_for_error()
        return functions.reduced(reducer, [result.return_value for result in results])

    def stop(self) -> None:
        self._loop.run(broker.shutdown())
        self._loop.close()
        super().stop()
