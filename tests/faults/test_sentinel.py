"""A primary that dies while sentinels watch it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amr.client import Client
from tests.conftest import NewRedis
from tests.faults.conftest import StartTrigger
from tests.support.redis_server import RedisServer
from tests.support.replicas import PRIMARY_OPTIONS, follow
from tests.support.sentinels import Sentinels
from tests.support.wait import wait_for


@pytest.fixture
def primary(new_redis: NewRedis) -> RedisServer:
    return new_redis(tcp=True, options=PRIMARY_OPTIONS)


@pytest.fixture
def replica(new_redis: NewRedis, primary: RedisServer) -> RedisServer:
    replica = new_redis(tcp=True)
    follow(replica, primary.port)
    return replica


@pytest.fixture
def sentinels(tmp_path: Path, primary: RedisServer, replica: RedisServer) -> Iterator[Sentinels]:
    with Sentinels(tmp_path, primary) as sentinels:
        yield sentinels


@pytest.mark.fault(34)
def test_a_job_goes_on_at_the_replica_when_the_primary_is_killed(
    primary: RedisServer, replica: RedisServer, sentinels: Sentinels, trigger: StartTrigger
) -> None:
    running = trigger(url=sentinels.target.url())
    workers = sorted(running.workers())
    with Client(sentinels.target) as client:
        job = client.invoke(
            {"mapper": "faulty.sleep", "reducer": "faulty.total", "inputs": [0.02] * 200}
        )
        wait_for(lambda: job.status().succeeded > 10)
        primary.kill()
        assert job.result(60) == {"sum": sum(range(200)), "count": 200}
        assert sentinels.primary_port() == replica.port
        assert job.status().failed == 0
    assert sorted(running.workers()) == workers
