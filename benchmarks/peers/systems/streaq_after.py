"""streaQ: https://streaq.readthedocs.io (task dependencies, `start(after=…)`)"""

from __future__ import annotations

from typing import Any, ClassVar

from streaq import Worker

from benchmarks.peers import functions
from benchmarks.peers.interface import WAITS_AT_A_TIME, Peer, by_workload, redis_url
from benchmarks.peers.systems.coroutines import Loop, called

#: Results that the reducer reads at a time: they are there, and `result_by_id` would subscribe to
#: each, which takes a tenth of a second.
_RESULTS = 1000

worker = Worker(
    redis_url(),
    concurrency=by_workload(16, computing=1, waiting=WAITS_AT_A_TIME),
)


@worker.task
async def call(mapper: str, body: Any) -> Any:
    return await called(mapper, body)


@worker.task
async def reduce_all(tasks: list[str], reducer: str) -> Any:
    outputs = []
    for first in range(0, len(tasks), _RESULTS):
        keys = [worker.results_key + task for task in tasks[first : first + _RESULTS]]
        for stored in await worker.redis.mget(keys):
            result = await worker.deserialize(stored)
            if not result["s"]:
                raise result["r"]
            outputs.append(result["r"])
    return functions.reduced(reducer, outputs)


class Streaq(Peer):
    """A task after all others, which reads their results with MGET; they are enqueued with
    `enqueue_many`. 2 worker processes of 16 tasks at a time, the default; 1 for computation, 600
    for waits."""

    libraries: ClassVar = ("streaq", "coredis")
    survives_client: ClassVar = True

    def start(self) -> None:
        self.launch("streaq", "run", f"{__name__}:worker", "--workers", str(self.place.workers))
        self._loop = Loop()

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        return self._loop.run(self._map_reduce(mapper, inputs, reducer))

    async def _map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        async with worker:
            calls = [call.enqueue(mapper, body) for body in inputs]
            await worker.enqueue_many(calls)
            names = [each.id for each in calls]
            last = await reduce_all.enqueue(names, reducer).start(after=names)
            return (await last.result()).result

    def stop(self) -> None:
        self._loop.close()
        super().stop()
