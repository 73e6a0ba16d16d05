"""SAQ: https://saq-py.readthedocs.io (`queue.map`)"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from redis.asyncio import Redis
from saq.queue.redis import RedisQueue

from benchmarks.peers import functions
from benchmarks.peers.interface import WAITS_AT_A_TIME, Peer, by_workload, redis_url
from benchmarks.peers.systems.coroutines import Loop, called

_POLL_S = 0.01


async def call(_context: Any, *, mapper: str, body: Any) -> Any:
    return await called(mapper, body)


# Workers block until there is a job, for each job at a time on a connection of its own; redis-py 8
# would end that after some seconds, and allows too few connections by itself.
queue = RedisQueue(
    Redis.from_url(redis_url(), socket_timeout=None, max_connections=2 * WAITS_AT_A_TIME)
)
settings = {
    "queue": queue,
    "functions": [call],
    "concurrency": by_workload(10, computing=1, waiting=WAITS_AT_A_TIME),
}


class Saq(Peer):
    """`queue.map` with a poll interval of 10 ms (the default is 500 ms); the client reduces. 2
    worker processes of 10 jobs at a time, the default; 1 for computation, 600 for waits."""

    libraries: ClassVar = ("saq", "redis")
    survives_client: ClassVar = False

    def start(self) -> None:
        self.launch("saq", f"{__name__}.settings", "--workers", str(self.place.workers), "--quiet")
        self._loop = Loop()
        self._loop.run(self._connect())

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        return self._loop.run(self._map_reduce(mapper, inputs, reducer))

    async def _connect(self) -> None:
        """Waits for the workers: jobs that a starting worker finds being taken, it sweeps away."""
        await queue.connect()
        while len((await queue.info())["workers"]) < self.place.workers:  # noqa: ASYNC110
            # Nothing tells of them but the queue's own list.
            await asyncio.sleep(_POLL_S)

    async def _map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        calls = [{"mapper": mapper, "body": body} for body in inputs]
        outputs = await queue.map(call.__name__, calls, timeout=None, poll_interval=_POLL_S)
        return functions.reduced(reducer, outputs)

    def stop(self) -> None:
        self._loop.run(queue.disconnect())
        self._loop.close()
        super().stop()
