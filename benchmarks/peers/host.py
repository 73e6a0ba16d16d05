"""The process that runs one system: ``python -m benchmarks.peers.host NAME FOLDER``.

The runner writes one JSON object a line to its input, and reads one answer a line from its output:
``{"do": "describe"}`` and no more, or ``{"do": "start", "workload": …, "warm": …}`` and any number
of ``{"do": "measure", "order": …}``. It ends at the end of its input, and with it the system and
the private Redis.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import redis

from amr.store.embedded import EmbeddedRedis
from benchmarks.peers.interface import SOCKET_VARIABLE, WORKLOAD_VARIABLE, Place
from benchmarks.peers.measures import MEASURES, Bench
from benchmarks.peers.orders import Order
from benchmarks.peers.processes import adopt_orphans, descendants
from benchmarks.peers.registry import peer_class, uses_redis

_WORKERS = 2


def main() -> None:
    """Does what the runner asks for, until its input ends."""
    answers = _own_output()
    adopt_orphans()
    with ExitStack() as resources:
        host = _Host(sys.argv[1], Path(sys.argv[2]), resources)
        for line in sys.stdin:
            answers.write(json.dumps(host.answer(json.loads(line))) + "\n")
            answers.flush()


def _own_output() -> IO[str]:
    """Returns what the runner reads; whatever else is printed goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


class _Host:
    def __init__(self, name: str, folder: Path, resources: ExitStack) -> None:
        self._name = name
        self._folder = folder
        self._resources = resources
        self._bench: Bench | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Returns what a request gives, or the error that it ended with."""
        try:
            if request["do"] == "describe":
                return self._describe()
            if request["do"] == "start":
                return self._start(request["workload"], request["warm"])
            return self._measure(Order(**request["order"]))
        except Exception as error:
            message = " ".join(str(error).split())
            return {"error": f"{type(error).__name__}: {message[:300]}"}

    def _describe(self) -> dict[str, Any]:
        # For the import only; nothing connects.
        os.environ.update({SOCKET_VARIABLE: "/nowhere", WORKLOAD_VARIABLE: "noop"})
        found = peer_class(self._name)
        return {
            "setup": found.setup(),
            "survives_client": found.survives_client,
            "versions": found.versions(),
            "workloads": sorted(found.workloads),
        }

    def _start(self, workload: str, warm: bool) -> dict[str, Any]:
        os.environ[WORKLOAD_VARIABLE] = workload
        # First: modules make their connections' settings as they are imported.
        redis_client = self._start_redis() if uses_redis(self._name) else None
        peer = peer_class(self._name)(Place(self._folder, _WORKERS))
        beside = descendants(os.getpid())
        self._resources.callback(peer.stop)
        peer.start()
        self._bench = Bench(peer, beside, redis_client)
        if warm and peer.needs_warming:
            self._bench.warm_up()
        return {}

    def _start_redis(self) -> redis.Redis:
        server = EmbeddedRedis(self._folder / "redis", durable=True)
        self._resources.enter_context(server)
        os.environ[SOCKET_VARIABLE] = str(server.target.path)
        return redis.Redis(unix_socket_path=server.target.path)

    def _measure(self, order: Order) -> dict[str, Any]:
        assert self._bench is not None
        return {"figures": MEASURES[order.workload](self._bench, order)}


if __name__ == "__main__":
    main()
