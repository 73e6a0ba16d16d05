"""A real Redis Cluster of three primaries on loopback; `redis-cli` is not needed."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from amr.redis_url import RedisTarget
from tests.support.redis_server import RedisServer, free_port
from tests.support.wait import wait_for

SLOTS = 16384
NODES = 3

#: A node's bus listens this far above its port.
_BUS_OFFSET = 10_000


def slot_of(stream: str) -> int:
    """Returns the slot of a stream's keys: that of their hash tag."""
    return binascii.crc_hqx(stream.encode(), 0) % SLOTS


class ClusterNode(RedisServer):
    """One node, with a client of it."""

    def __init__(self, directory: Path, **options: Any) -> None:
        more = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"]
        super().__init__(directory, tcp=True, options=more, **options)
        while self.port + _BUS_OFFSET > 65_535:
            self.port = free_port()
        self.client = redis.Redis(port=self.port, decode_responses=True)

    def ask(self, *words: str | int) -> Any:
        """Returns the answer to a command."""
        return self.client.execute_command(*words)

    @property
    def id(self) -> str:
        """Its name in the Cluster."""
        return str(self.ask("CLUSTER", "MYID"))

    def jobs_of(self, stream: str) -> list[str]:
        """Returns the ids of the jobs that it has of a stream, or raises MovedError."""
        return list(self.client.zrange(f"amr:{{{stream}}}:jobs", 0, -1))


class RedisCluster:
    """Three nodes, each with a third of the slots; use it as a context manager.

    Args:
        directory: where they work.
        options: of each ``RedisServer``.
    """

    def __init__(self, directory: Path, **options: Any) -> None:
        folders = [directory / str(number) for number in range(NODES)]
        for folder in folders:
            folder.mkdir()
        self.nodes = [ClusterNode(folder, **options) for folder in folders]
        self._directory = directory
        self._options = options
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _start(self) -> None:
        for node in self.nodes:
            self._start_node(node)
        share = -(-SLOTS // NODES)
        for number, node in enumerate(self.nodes):
            node.ask("CLUSTER", "ADDSLOTS", *range(SLOTS)[number * share : (number + 1) * share])
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        wait_for(self._is_whole, what="the Cluster's start")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start_node(self, node: ClusterNode) -> None:
        self._stack.callback(node.kill)
        self._stack.callback(node.client.close)
        node.start()

    def add_replica(self, of: ClusterNode) -> ClusterNode:
        """Starts a replica of a node; returns it when it has all of the node's data."""
        folder = self._directory / "replica"
        folder.mkdir()
        replica = ClusterNode(folder, **self._options)
        self._start_node(replica)
        replica.ask("CLUSTER", "MEET", "127.0.0.1", of.port)
        wait_for(lambda: of.id in str(replica.ask("CLUSTER", "NODES")), what="the meeting")
        replica.ask("CLUSTER", "REPLICATE", of.id)
        wait_for(
            lambda: replica.client.info("replication").get("master_link_status") == "up",
            what="the replica's copy",
        )

        def follows() -> bool:
            # Until its first acknowledgement the node sends it nothing of what is new.
            row = of.client.info("replication").get("slave0")
            return row is not None and row["state"] == "online"

        wait_for(follows, what="the replica's acknowledgement")
        return replica

    def target(self, stream: str, *, node: int | None = None, streams: int = 1) -> RedisTarget:
        """Returns how to reach a stream, or several, by way of all nodes, or of one."""
        named = self.nodes if node is None else [self.nodes[node]]
        addresses = tuple(("127.0.0.1", each.port) for each in named)
        return RedisTarget("redis+cluster", nodes=addresses, stream=stream, streams=streams)

    def owner(self, stream: str) -> ClusterNode:
        """Returns the node that serves a stream."""
        (owner,) = [node for node in self.nodes if self._serves(node, stream)]
        return owner

    def streams(self, prefix: str) -> Iterator[str]:
        """Yields names of streams, each on another node than the one before."""
        number, last = 0, None
        while True:
            name = f"{prefix}-{number}"
            if self.owner(name) is not last:
                last = self.owner(name)
                yield name
            number += 1

    def begin_move(self, stream: str, to: ClusterNode) -> None:
        """Begins to move a stream's slot; its keys are where they were."""
        slot, source = slot_of(stream), self.owner(stream)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)

    def move_keys(self, stream: str, to: ClusterNode, most: int = 10_000) -> int:
        """Moves up to ``most`` of the keys of a slot that is on its way; returns how many."""
        slot, source = slot_of(stream), self.owner(stream)
        keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, most)
        if keys:
            source.ask("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *keys)
        return len(keys)

    def end_move(self, stream: str, to: ClusterNode) -> None:
        """Makes the other node the owner of a slot whose keys it has."""
        while self.move_keys(stream, to):
            pass
        source = self.owner(stream)
        others = [node for node in self.nodes if node not in (to, source)]
        for node in (to, source, *others):
            node.ask("CLUSTER", "SETSLOT", slot_of(stream), "NODE", to.id)

    def move(self, stream: str, to: ClusterNode) -> None:
        """Moves a stream with all its keys to another node."""
        self.begin_move(stream, to)
        self.end_move(stream, to)

    def _serves(self, node: ClusterNode, stream: str) -> bool:
        try:
            node.client.exists(f"amr:{{{stream}}}")
        except redis.exceptions.AskError as error:
            return not isinstance(error, redis.exceptions.MovedError)
        return True

    def _is_whole(self) -> bool:
        """Says if every node knows of every other one and of all slots."""
        for node in self.nodes:
            told = str(node.ask("CLUSTER", "INFO"))
            if "cluster_state:ok" not in told or f"cluster_known_nodes:{NODES}" not in told:
                return False
        return True
