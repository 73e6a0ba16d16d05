"""A primary and its replicas: real servers on ports of this machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from amr.redis_url import RedisTarget
from amr.store.connection import connect
from tests.support.redis_server import RedisServer
from tests.support.wait import wait_for

#: What a primary of a test needs: a new replica is served at once.
PRIMARY_OPTIONS = ("--repl-diskless-sync-delay", "0")


def follow(replica: RedisServer, port: int) -> None:
    """Makes ``replica`` follow the primary at ``port`` and returns once it is sent all writes."""
    primary = RedisTarget("redis", host="127.0.0.1", port=port)
    with connect(replica.target) as client, connect(primary) as source:
        client.replicaof("127.0.0.1", port)  # type: ignore[no-untyped-call]
        wait_for(lambda: is_in_step(client), what="the replica's first copy")
        # The primary holds writes back until it has heard of that, up to a second later.
        source.set("sign", "sent")
        wait_for(lambda: client.get("sign"), what="the replica's first write")
        source.delete("sign")


def is_in_step(client: redis.Redis) -> bool:
    """Whether the replica that ``client`` talks to has an open link and its first copy."""
    facts = client.info("replication")
    return bool(facts["role"] == "slave" and facts["master_link_status"] == "up")


def has_acknowledged_all(client: redis.Redis) -> bool:
    """Whether the one replica of the primary that ``client`` talks to has told of all it was sent.

    It tells so about once a second.
    """
    facts = client.info("replication")
    return bool(facts["slave0"]["offset"] == facts["master_repl_offset"])


def promote(replica: RedisServer) -> None:
    """Makes a primary of a replica, as an operator or a sentinel does."""
    with connect(replica.target) as client:
        client.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]


@contextmanager
def stopped(server: RedisServer) -> Iterator[None]:
    """Stops a server's process meanwhile; it goes on as if it had slept."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)
