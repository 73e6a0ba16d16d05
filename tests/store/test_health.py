from __future__ import annotations

import logging
from dataclasses import replace
from unittest.mock import Mock

import pytest
import redis
from redis.exceptions import NoPermissionError

from amr.errors import RedisUnsuitableError
from amr.store.connection import connect
from amr.store.health import ServerReport, check_server, require_suitable
from tests.conftest import NewRedis
from tests.support.redis_server import RedisServer

ALL_RIGHTS = ("--user", "default", "on", "nopass", "~*", "&*", "+@all")

GOOD = ServerReport(
    version=(8, 4, 0),
    flavour="redis",
    role="master",
    cluster=False,
    policy="noeviction",
    appendonly=True,
    snapshots="",
    last_write_ok=True,
    memory_used_bytes=1,
    memory_max_bytes=0,
    clock_difference_s=0.0,
)


def test_a_real_server_is_suitable_and_its_facts_are_read(
    redis_client: redis.Redis, redis_server: RedisServer
) -> None:
    report = require_suitable(redis_client)
    if report.flavour == "redis":  # Valkey tells the version of Redis that it is compatible with
        assert report.version == redis_server.version
    assert report.role == "master"
    assert report.policy == "noeviction"
    assert report.appendonly is False
    assert report.snapshots == ""
    assert report.last_write_ok is True
    assert report.memory_used_bytes
    assert report.memory_max_bytes == 0
    assert report.clock_difference_s is not None
    assert abs(report.clock_difference_s) < 1
    assert report.unreadable == ()


@pytest.mark.fault(37)
def test_an_evicting_policy_is_refused_with_the_command_that_ends_it(new_redis: NewRedis) -> None:
    server = new_redis(options=["--maxmemory-policy", "allkeys-lru"])
    with (
        connect(server.target) as client,
        pytest.raises(RedisUnsuitableError, match="CONFIG SET maxmemory-policy noeviction"),
    ):
        require_suitable(client)


def test_a_replica_is_refused(new_redis: NewRedis) -> None:
    primary = new_redis(tcp=True)
    replica = new_redis(options=["--replicaof", "127.0.0.1", str(primary.port)])
    with (
        connect(replica.target) as client,
        pytest.raises(RedisUnsuitableError, match="read-only replica"),
    ):
        require_suitable(client)


def test_without_config_rights_the_policy_comes_from_info(
    new_redis: NewRedis, caplog: pytest.LogCaptureFixture
) -> None:
    server = new_redis(options=[*ALL_RIGHTS, "-config"])
    with connect(server.target) as client:
        report = require_suitable(client)
    assert report.policy == "noeviction"
    assert report.snapshots is None
    assert "CONFIG GET" in report.unreadable[0]
    assert not caplog.records


def test_a_policy_that_cannot_be_read_is_a_warning(
    new_redis: NewRedis, caplog: pytest.LogCaptureFixture
) -> None:
    server = new_redis(options=[*ALL_RIGHTS, "-config", "-info"])
    with caplog.at_level(logging.WARNING), connect(server.target) as client:
        report = require_suitable(client)
    assert report.version is None
    assert "cannot read the maxmemory-policy" in caplog.text


@pytest.mark.bad_input(42)
@pytest.mark.parametrize("version", [(6, 0, 16), (5, 0, 7), (4, 0, 0)])
def test_a_redis_before_6_2_is_refused(version: tuple[int, int, int]) -> None:
    (obstacle,) = replace(GOOD, version=version).obstacles()
    assert "is too old: 6.2 or newer is needed" in obstacle


def test_every_obstacle_is_told_at_once() -> None:
    bad = replace(GOOD, version=(6, 0, 0), role="slave", policy="volatile-lru")
    assert len(bad.obstacles()) == 3


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"appendonly": False}, "appendonly is off"),
        ({"last_write_ok": False}, "write to disk failed"),
        ({"clock_difference_s": -5.0}, "by -5.0 s"),
        ({"memory_used_bytes": 95, "memory_max_bytes": 100}, "95% of its maxmemory"),
        ({"version": (7, 2, 10)}, "CVE-2025-49844"),
        ({"unreadable": ("INFO (no)",)}, "cannot read INFO (no)"),
    ],
)
def test_what_an_operator_should_know_is_a_warning(change: dict[str, object], warning: str) -> None:
    assert GOOD.warnings() == ()
    (told,) = replace(GOOD, **change).warnings()  # type: ignore[arg-type]
    assert warning in told


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((6, 2, 20), True),
        ((7, 0, 99), False),
        ((8, 2, 2), True),
        ((8, 1, 0), False),
        ((8, 4, 0), True),
    ],
)
def test_the_hole_is_known_by_version(version: tuple[int, int, int], safe: bool) -> None:
    assert (replace(GOOD, version=version).warnings() == ()) is safe


def test_valkey_is_told_apart_and_judged_by_its_redis_version() -> None:
    client = Mock(spec=redis.Redis)
    client.info.return_value = {"redis_version": "7.2.4", "valkey_version": "8.1.0"}
    client.config_get.side_effect = NoPermissionError("no")
    client.time.return_value = (1, 2)
    report = check_server(client)
    assert report.flavour == "valkey"
    assert report.version == (7, 2, 4)
    assert not any("CVE" in warning for warning in report.warnings())
