"""The recoverer: whose lease ended, and when a lease tells nothing."""

from __future__ import annotations

import pytest

from amr.redis_url import RedisTarget
from amr.store.connection import RedisError
from amr.trigger.recoverer import Recoverer
from tests.support.store_bench import StoreBench
from tests.support.wait import wait_for


def bench_with_lapsed_worker(target: RedisTarget) -> StoreBench:
    """Returns a stream on which worker w1 holds a task and has no lease."""
    bench = StoreBench(target)
    bench.submit(1)
    bench.fetch()
    return bench


def test_the_task_of_a_worker_without_a_lease_goes_back(redis_target: RedisTarget) -> None:
    bench = bench_with_lapsed_worker(redis_target)
    Recoverer(bench.link, bench.fleet, bench.transitions, grace_s=60).look()
    (task,) = bench.fetch(worker="w2")
    assert task.attempt == 2


@pytest.mark.fault(6)
def test_nobody_is_judged_until_heartbeats_could_come_after_redis_was_away(
    redis_target: RedisTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_with_lapsed_worker(redis_target)
    recoverer = Recoverer(bench.link, bench.fleet, bench.transitions, grace_s=0.3)

    def away() -> list[str]:
        raise RedisError("away")

    with monkeypatch.context() as patched:
        patched.setattr(bench.fleet, "lapsed_workers", away)
        with pytest.raises(RedisError):
            recoverer.look()
    recoverer.look()
    assert bench.fetch(worker="w2") == []

    def look() -> bool:
        recoverer.look()
        return bool(bench.fetch(worker="w2"))

    assert wait_for(look, 5)
