"""The floor: a pool of the standard library, which keeps nothing and survives nothing."""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
from itertools import chain
from typing import Any, ClassVar

from benchmarks.peers import functions
from benchmarks.peers.interface import Peer


class Pool(Peer):
    """`multiprocessing.Pool` of 2 processes and its `map` in its own chunks; the client reduces.
    Async functions are gathered, half of them in each process. Nothing is durable: the floor."""

    libraries: ClassVar = ()
    survives_client: ClassVar = False

    def start(self) -> None:
        self._pool = multiprocessing.get_context("spawn").Pool(self.place.workers)

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        function = getattr(functions, mapper)
        if inspect.iscoroutinefunction(function):
            shares = [
                (mapper, inputs[at :: self.place.workers]) for at in range(self.place.workers)
            ]
            outputs = list(chain(*self._pool.starmap(_gathered, shares, chunksize=1)))
        else:
            outputs = self._pool.map(function, inputs)
        return functions.reduced(reducer, outputs)

    def stop(self) -> None:
        self._pool.terminate()
        self._pool.join()


def _gathered(mapper: str, inputs: list[Any]) -> list[Any]:
    return asyncio.run(_gather(mapper, inputs))


async def _gather(mapper: str, inputs: list[Any]) -> list[Any]:
    return await asyncio.gather(*map(getattr(functions, mapper), inputs))
