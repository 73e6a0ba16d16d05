"""Lithops: https://lithops-cloud.github.io/docs/source/compute_config/localhost.html"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any, ClassVar

from lithops import FunctionExecutor

from benchmarks.peers import functions
from benchmarks.peers.interface import BLOCKING, Peer


class Lithops(Peer):
    """`map_reduce` of a FunctionExecutor on localhost, version 2 (the default), with 2 worker
    processes and its files in the folder of the run."""

    libraries: ClassVar = ("lithops",)
    survives_client: ClassVar = False
    functions: ClassVar = BLOCKING
    backend_version: ClassVar = 2

    def start(self) -> None:
        self._executor = FunctionExecutor(
            config={
                "lithops": {"backend": "localhost", "storage": "localhost"},
                "localhost": {
                    "runtime": sys.executable,
                    "version": self.backend_version,
                    "worker_processes": self.place.workers,
                },
            },
            log_level="WARNING",
        )

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        call = partial(_call, mapper)
        reduce_all = partial(_reduce, reducer)
        # An input that is a mapping would be taken for the arguments themselves.
        self._executor.map_reduce(call, [{"body": body} for body in inputs], reduce_all)
        return self._executor.get_result()

    def stop(self) -> None:
        self._executor.clean()


def _call(mapper: str, body: Any) -> Any:
    return getattr(functions, mapper)(body)


def _reduce(reducer: str, results: list[Any]) -> Any:
    return functions.reduced(reducer, results)


class LithopsFirst(Lithops):
    """The same with version 1 of the localhost backend."""

    backend_version: ClassVar = 1
