"""What confirms a job's writes on each version of Redis: WAIT, WAITAOF, appendfsync always."""

from __future__ import annotations

import pytest

from amr.controller import submit
from amr.errors import RedisUnsuitableError, UnconfirmedError
from amr.jobspec.fields import Durability
from amr.jobspec.job import parse_job
from amr.store.connection import connect
from amr.store.durability import Confirmer
from amr.store.inspect import Inspector
from amr.store.keys import Keys
from amr.store.link import Link
from amr.store.transitions import Transitions
from tests.conftest import NewRedis
from tests.support.redis_server import RedisServer
from tests.support.replicas import PRIMARY_OPTIONS, follow, has_acknowledged_all, stopped
from tests.support.store_bench import StoreBench
from tests.support.wait import wait_for

EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")


def confirm_job(bench: StoreBench, durability: Durability, timeout_s: float = 0.3) -> None:
    """Submits job ``j`` and confirms it."""
    spec = parse_job({"mapper": "f.map", "inputs": [1, 2], "durability": durability})
    confirmer = Confirmer(bench.link, bench.transitions, timeout_s)
    submit(bench.link, bench.transitions, spec, "j", confirmer=confirmer)


def is_stored(bench: StoreBench) -> bool:
    return bench.inspector.status("j") is not None


def is_stored_on_replica(replica: RedisServer) -> bool:
    link = Link(replica.target)
    found = Inspector(link, Keys(replica.target.stream)).status("j")
    link.close()
    return found is not None


@pytest.fixture
def pair(new_redis: NewRedis) -> tuple[RedisServer, RedisServer]:
    """A primary and its replica."""
    primary = new_redis(tcp=True, options=PRIMARY_OPTIONS)
    replica = new_redis(tcp=True)
    follow(replica, primary.port)
    return primary, replica


def test_a_job_is_confirmed_when_a_replica_has_it(pair: tuple[RedisServer, RedisServer]) -> None:
    bench = StoreBench(pair[0].target)
    confirm_job(bench, "replica", timeout_s=10)
    assert is_stored_on_replica(pair[1])


def test_a_stopped_replica_leaves_a_job_unconfirmed_until_it_is_asked_for_again(
    pair: tuple[RedisServer, RedisServer],
) -> None:
    bench = StoreBench(pair[0].target)
    with stopped(pair[1]):
        for _ in range(2):
            with pytest.raises(UnconfirmedError, match=r"^unconfirmed: .* with the same --id j$"):
                confirm_job(bench, "replica")
            assert is_stored(bench)
    confirm_job(bench, "replica", timeout_s=10)


def test_a_wait_is_made_again_when_scripts_had_to_be_loaded(
    pair: tuple[RedisServer, RedisServer],
) -> None:
    bench = StoreBench(pair[0].target)
    bench.submit(1)
    confirmation = Confirmer(bench.link, bench.transitions, 0.3).confirmation("j", "replica")
    bench.redis("SCRIPT", "FLUSH")
    # From then on a wait behind a script that was not there is content at once.
    with connect(pair[0].target) as client:
        wait_for(lambda: has_acknowledged_all(client))
    with stopped(pair[1]):
        assert bench.link.run_all(confirmation.calls)[1] == 0


def test_a_primary_without_replicas_confirms_nothing(bench: StoreBench) -> None:
    with pytest.raises(UnconfirmedError, match=r"no replica has acknowledged it within 0\.1 s"):
        confirm_job(bench, "replica", timeout_s=0.1)


def test_memory_asks_nobody(bench: StoreBench) -> None:
    confirm_job(bench, "memory")
    assert bench.redis("HGET", bench.keys.job_key("job", "j"), "confirmed") is None


def test_disk_is_had_where_every_write_goes_there_at_once(new_redis: NewRedis) -> None:
    server = new_redis(append_only=True)
    bench = StoreBench(server.target)
    confirm_job(bench, "disk")
    bench.link.close()
    server.restart(kill=True)
    assert is_stored(bench)


def test_disk_is_unconfirmed_when_the_setting_was_changed_meanwhile(new_redis: NewRedis) -> None:
    server = new_redis(append_only=True)
    bench = StoreBench(server.target)
    confirmer = Confirmer(bench.link, bench.transitions, 1.0)
    confirmation = confirmer.confirmation("j", "disk")
    bench.redis("CONFIG", "SET", "appendfsync", "everysec")
    bench.submit(1)
    with pytest.raises(UnconfirmedError, match="was not written to disk"):
        confirmation.check(bench.link.run_all(confirmation.calls), "it was submitted", "again")


def test_disk_waits_for_the_append_only_file(new_redis: NewRedis) -> None:
    server = new_redis(options=EVERYSEC)
    if server.version < (7, 2):
        pytest.skip("WAITAOF came with Redis 7.2")
    bench = StoreBench(server.target)
    confirm_job(bench, "disk", timeout_s=10)
    bench.link.close()
    server.restart(kill=True)
    assert is_stored(bench)
    bench.redis("CONFIG", "SET", "appendfsync", "no")
    with pytest.raises(RedisUnsuitableError, match="appendfsync is no"):
        confirm_job(bench, "disk")


def test_disk_is_unconfirmed_before_the_append_only_file_is_written(new_redis: NewRedis) -> None:
    server = new_redis(options=EVERYSEC)
    if server.version < (7, 2):
        pytest.skip("WAITAOF came with Redis 7.2")
    bench = StoreBench(server.target)
    confirmation = Confirmer(bench.link, bench.transitions, 0.05).confirmation("j", "disk")
    bench.redis("CONFIG", "SET", "appendfsync", "no")
    bench.submit(1)
    with pytest.raises(UnconfirmedError, match="was not written to disk within"):
        confirmation.check(bench.link.run_all(confirmation.calls), "it was submitted", "again")


def test_disk_is_refused_where_redis_cannot_tell(new_redis: NewRedis) -> None:
    server = new_redis(options=EVERYSEC)
    if server.version >= (7, 2):
        pytest.skip("this Redis has WAITAOF")
    bench = StoreBench(server.target)
    with pytest.raises(RedisUnsuitableError, match=r"everysec.* set appendfsync always, or use"):
        confirm_job(bench, "disk")
    assert not is_stored(bench)


def test_disk_is_refused_without_an_append_only_file(bench: StoreBench) -> None:
    with pytest.raises(RedisUnsuitableError, match="set appendonly yes"):
        confirm_job(bench, "disk")
    assert not is_stored(bench)


def test_a_confirmation_of_a_job_that_is_gone_says_so(bench: StoreBench) -> None:
    assert bench.link.run(bench.transitions.confirm("j")).code == "GONE"
    assert not is_stored(bench)


def test_a_long_confirmation_is_not_taken_for_a_silent_redis(redis_server: RedisServer) -> None:
    link = Link(redis_server.target, timeout_s=0.2)
    bench = StoreBench(redis_server.target.with_stream("patient"))
    bench.submit(1)
    confirmation = Confirmer(link, Transitions(bench.keys), 0.5).confirmation("j", "replica")
    assert link.run_all(confirmation.calls)[1] == 0
    link.close()
    bench.link.close()
