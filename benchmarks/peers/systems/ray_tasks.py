"""Ray: https://docs.ray.io/en/latest/ray-core/tasks.html and actors/async_api.html"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from typing import Any, ClassVar

from benchmarks.peers import functions
from benchmarks.peers.interface import ROOT, WAITS_AT_A_TIME, Peer, by_workload

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray


class RayTasks(Peer):
    """A remote task for each input, and one for the reducer with all references. `ray.init` with 2
    CPUs; for waits 2 async actors with a `max_concurrency` of 600. Nothing is durable."""

    libraries: ClassVar = ("ray",)
    survives_client: ClassVar = False

    def start(self) -> None:
        ray.init(
            num_cpus=self.place.workers,
            include_dashboard=False,
            log_to_driver=False,
            _temp_dir=tempfile.gettempdir(),
            runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
        )
        if by_workload(False, computing=False, waiting=True):
            actor = ray.remote(_Caller).options(max_concurrency=WAITS_AT_A_TIME)
            self._actors = [actor.remote() for _ in range(self.place.workers)]

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        if by_workload(False, computing=False, waiting=True):
            actors = itertools.cycle(self._actors)
            outputs = [next(actors).call.remote(mapper, body) for body in inputs]
        else:
            outputs = [_call.remote(mapper, body) for body in inputs]
        return ray.get(_reduce.remote(reducer, *outputs))

    def stop(self) -> None:
        ray.shutdown()


@ray.remote
def _call(mapper: str, body: Any) -> Any:
    return getattr(functions, mapper)(body)


@ray.remote
def _reduce(reducer: str, *outputs: Any) -> Any:
    return functions.reduced(reducer, list(outputs))


class _Caller:
    async def call(self, mapper: str, body: Any) -> Any:
        output = getattr(functions, mapper)(body)
        return await output if asyncio.iscoroutine(output) else output
