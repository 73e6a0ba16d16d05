"""pause, resume, update, prune: what a client does to a job that runs or has ended."""

from __future__ import annotations

import time

import pytest

from amr.store.replies import Code
from tests.support.store_bench import StoreBench


def test_nothing_of_a_paused_job_begins(bench: StoreBench) -> None:
    bench.submit(100, concurrency=10)
    first = bench.fetch()
    assert bench.pause() == (Code.OK, ())
    assert bench.pause().code is Code.OK
    bench.commit(*first[:5])
    assert bench.fetch() == []
    assert (bench.status().paused, bench.status().pending) == (True, 90)
    bench.check()
    assert bench.resume().code is Code.OK
    assert bench.resume().code is Code.OK
    assert len(bench.fetch()) == 5
    assert not bench.status().paused
    bench.check()


def test_tasks_given_back_to_a_paused_job_come_again_when_it_is_resumed(bench: StoreBench) -> None:
    bench.submit(3)
    tasks = bench.fetch()
    bench.pause()
    assert bench.release(*tasks).values == (3,)
    assert bench.release(*tasks).values == (0,)
    assert bench.fetch() == []
    assert bench.sweep().values[1] == 0
    bench.check()
    bench.resume()
    assert bench.forward("0", "1", "2").values == (3,)
    again = bench.fetch()
    assert [(task.index, task.attempt) for task in again] == [(0, 1), (1, 1), (2, 1)]
    bench.commit(*again)
    assert bench.status().state == "reducing"
    bench.check()


def test_a_retry_that_is_due_in_a_pause_waits_for_its_end(bench: StoreBench) -> None:
    bench.submit(2)
    task, _ = bench.fetch()
    bench.fail(task, delay_s=0)
    bench.pause()
    assert bench.forward("0").values == (0,)
    assert bench.fleet.due_retries(9) == []
    bench.check()
    bench.resume()
    assert bench.forward("0").values == (1,)
    bench.check()


def test_the_reduce_of_a_paused_job_waits_too(bench: StoreBench) -> None:
    bench.submit(1)
    tasks = bench.fetch()
    bench.pause()
    bench.commit(*tasks)
    (reduce,) = bench.fetch()
    bench.release(reduce)
    assert bench.fetch() == []
    bench.resume()
    bench.forward("reduce")
    assert bench.finish(bench.fetch()[0]).code is Code.OK
    bench.check()


@pytest.mark.parametrize("what", ["pause", "resume", "update"])
def test_a_job_that_has_ended_is_not_controlled(bench: StoreBench, what: str) -> None:
    assert getattr(bench, what)().code is Code.GONE
    bench.submit(0, reducer=False)
    assert getattr(bench, what)() == (Code.ENDED, (b"succeeded",))


def test_a_paused_job_may_be_cancelled_and_its_deadline_runs_on(bench: StoreBench) -> None:
    bench.submit(5, job="a")
    bench.submit(5, job="b", deadline_ms=1)
    bench.pause("a")
    bench.pause("b")
    assert bench.cancel("a").code is Code.OK
    time.sleep(0.002)
    assert bench.link.run(bench.transitions.expire("b", 60.0)).code is Code.DEADLINE


def test_concurrency_can_be_raised_and_lowered(bench: StoreBench) -> None:
    bench.submit(100, concurrency=2)
    first = bench.fetch()
    assert len(first) == 2
    bench.update(concurrency=5)
    assert bench.status().concurrency == 5
    more = bench.fetch()
    assert len(more) == 3
    bench.update(concurrency=1)
    bench.commit(*first, *more[:2])
    assert bench.fetch() == []
    bench.commit(more[2])
    assert len(bench.fetch()) == 1
    bench.check()


def test_a_rate_is_kept_and_uses_its_time_up(bench: StoreBench) -> None:
    started = time.monotonic()
    bench.submit(100, rate=50.0)
    count = 0
    while time.monotonic() < started + 1.0:
        if due := [field for _, field in bench.fleet.due_retries(9)]:
            bench.forward(*due)
        tasks = bench.fetch()
        count += len(tasks)
        if tasks:
            bench.commit(*tasks)
    lasted = time.monotonic() - started
    most = 50 * lasted + 50 * 0.1 + 1  # what the burst adds
    assert 35 <= count <= most
    bench.check()


def test_retries_keep_to_the_rate(bench: StoreBench) -> None:
    bench.submit(3, rate=0.1)
    (task,) = bench.fetch()
    bench.fail(task, delay_s=0)
    assert bench.forward("0").values == (0,)
    assert bench.status().retrying == 1
    bench.update(rate=0)
    assert bench.status().rate is None
    bench.make_retries_due()
    assert bench.forward("0").values == (1,)
    assert len(bench.fetch()) == 3
    bench.check()


def test_what_a_rate_held_back_is_forgotten_with_the_job(bench: StoreBench) -> None:
    bench.submit(3, rate=0.1)
    delayed = bench.keys.stream_key("delayed")
    assert bench.redis("ZRANGE", delayed, 0, -1) == [b"j feed"]
    bench.cancel()
    assert bench.redis("ZRANGE", delayed, 0, -1) == []


def test_only_old_jobs_that_have_ended_are_pruned(bench: StoreBench) -> None:
    assert bench.prune("nobody").code is Code.GONE
    bench.submit(1)
    assert bench.prune().code is Code.LIVE
    bench.check()
    bench.commit(*bench.fetch())
    bench.finish(bench.fetch()[0])
    assert bench.prune(older_s=60).code is Code.YOUNG
    assert bench.inspector.result("j") == b"42"
    assert bench.prune().code is Code.OK
    assert bench.prune().code is Code.GONE
    assert bench.redis("KEYS", f"{bench.keys.base}:job:*") == []
    assert bench.inspector.job_ids() == []
