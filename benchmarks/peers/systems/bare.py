"""The limit: the bare protocol loop of ``benchmarks/bare_loop.py``."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from benchmarks.bare_loop import run_bare_loop
from benchmarks.peers.interface import SOCKET_VARIABLE, Peer


class Bare(Peer):
    """amr's protocol in a bare loop of 2 processes without guards, retries or a reducer
    (`benchmarks/bare_loop.py`): the limit for no-op tasks."""

    libraries: ClassVar = ("redis",)
    survives_client: ClassVar = False
    needs_warming: ClassVar = False
    workloads: ClassVar = frozenset({"noop"})

    def start(self) -> None:
        """Does nothing: the loop starts its processes for each job."""

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        return self.timed_map_reduce(mapper, inputs, reducer)[1]

    def timed_map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> tuple[float, Any]:
        """Leaves out the start of the processes, which are warm elsewhere."""
        assert (mapper, reducer) == ("noop", "count")
        seconds = run_bare_loop(os.environ[SOCKET_VARIABLE], len(inputs), self.place.workers)
        return seconds, len(inputs)
