"""Dask distributed: https://distributed.dask.org/en/stable/client.html (`Client.map`)"""

from __future__ import annotations

from typing import Any, ClassVar

from distributed import Client, LocalCluster

from benchmarks.peers import functions
from benchmarks.peers.interface import WAITS_AT_A_TIME, Peer, by_workload


class Dask(Peer):
    """`Client.map`, and `submit` of the reducer with all futures. A local cluster of 2 worker
    processes with 1 thread each; 600 for waits. Nothing is durable."""

    libraries: ClassVar = ("distributed", "dask")
    survives_client: ClassVar = False

    def start(self) -> None:
        self._cluster = LocalCluster(
            n_workers=self.place.workers,
            threads_per_worker=by_workload(1, computing=1, waiting=WAITS_AT_A_TIME),
            processes=True,
            dashboard_address=None,
            local_directory=str(self.place.folder),
        )
        self._client = Client(self._cluster)

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        futures = self._client.map(getattr(functions, mapper), inputs, pure=False)
        return self._client.submit(functions.reduced, reducer, futures, pure=False).result()

    def stop(self) -> None:
        self._client.close()
        self._cluster.close()
