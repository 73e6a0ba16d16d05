"""What strangers, odd clocks and extreme values do to the scripts: nothing that matters."""

from __future__ import annotations

import pytest

from amr.store.replies import Code
from amr.store.transitions import Done
from tests.support.store_bench import StoreBench


def test_an_older_entry_that_was_not_ours_gives_no_output(bench: StoreBench) -> None:
    bench.submit(1)
    (task,) = bench.fetch()
    forged = task._replace(entry_id=b"1-1")
    assert bench.commit(forged).values[0] == 0
    assert bench.commit(task).values[0] == 1
    bench.check()


def test_a_strangers_entry_gives_no_result(bench: StoreBench) -> None:
    bench.submit(0)
    (reduce,) = bench.fetch()
    forged = reduce._replace(entry_id=b"1-1")
    assert bench.finish(forged, b'"evil"').code is Code.STALE
    assert bench.finish(reduce, b"1").code is Code.OK
    assert bench.inspector.result("j") == b"1"


def test_every_entry_that_a_task_had_may_bring_its_output(bench: StoreBench) -> None:
    bench.submit(2, max_attempts=9)
    first, other = bench.fetch()
    for _ in range(4):
        bench.recover(next(t for t in bench.fleet.held_by("w1", 9).tasks if t.index == 0))
        bench.fetch()
    assert bench.commit(first).values[0] == 1
    assert bench.commit(other).values[0] == 1
    bench.check()


def test_a_counter_beyond_64_bits_does_not_stop_a_commit(bench: StoreBench) -> None:
    bench.submit(2)
    tasks = bench.fetch()
    done = [Done(task, b"1", {"big": 2**62, "n": 1}) for task in tasks]
    reply = bench.link.run(bench.transitions.commit("j", [*done], 50.0))
    assert reply.values[0] == 2
    assert bench.status().counters == {"big": 2**62, "n": 2}
    assert bench.status().state == "reducing"
    bench.check()


def test_events_that_cannot_be_written_do_not_stop_a_transition(bench: StoreBench) -> None:
    bench.submit(1)
    tasks = bench.fetch()
    bench.redis("DEL", bench.keys.job_key("events", "j"))
    bench.redis("SET", bench.keys.job_key("events", "j"), "not a stream")
    assert bench.commit(*tasks).values[0] == 1
    assert bench.finish(bench.fetch()[0]).code is Code.OK
    assert bench.status().state == "succeeded"


def test_a_job_begun_anew_has_no_tasks_of_its_former_life(bench: StoreBench) -> None:
    bench.create()
    bench.append(range(3))
    bench.link.run(bench.transitions.expire("j", -1.0))
    bench.redis("HSET", bench.keys.job_key("inflight", "j"), "7", "1-1 1 0 0 0")
    assert bench.create().code is Code.CREATED
    assert bench.flight("7") is None
    bench.check()


def test_a_retry_is_not_forwarded_before_its_time(bench: StoreBench) -> None:
    bench.submit(1)
    bench.fail(bench.fetch()[0], delay_s=60)
    assert bench.forward("0").values == (0,)
    assert bench.status().retrying == 1
    bench.make_retries_due()
    assert bench.forward("0").values == (1,)
    bench.check()


def test_a_full_job_does_not_hold_up_the_retries_of_others(bench: StoreBench) -> None:
    bench.submit(3, job="full", concurrency=1)
    (task,) = bench.fetch()
    bench.fail(task, delay_s=0)  # the next task takes its place
    assert bench.forward("0", job="full").values == (0,)
    bench.submit(1, job="other")
    other = next(t for t in bench.fetch() if t.job == "other")
    bench.fail(other, delay_s=0)
    assert ("other", "0") in bench.fleet.due_retries(2)
    assert bench.forward("0", job="other").values == (1,)
    bench.check("full")
    bench.check("other")


def test_what_is_put_aside_is_bounded(bench: StoreBench) -> None:
    entry = bench.redis("XADD", bench.keys.stream_key("stream"), "*", "hello", "there")
    fields = [b"x" * 10_000] * 20_000
    bench.link.run(bench.transitions.quarantine(entry, "odd", fields))
    (row,) = bench.redis("XRANGE", bench.keys.stream_key("quarantine"), "-", "+")
    assert sum(map(len, row[1])) < 300_000


@pytest.mark.fault(39)
def test_a_clock_that_was_set_back_hides_no_lost_task(bench: StoreBench) -> None:
    stream = bench.keys.stream_key("stream")
    bench.redis("XADD", stream, "9999999999999-1", "a", "stranger of the future")
    bench.submit(1)
    rows = bench.redis("XRANGE", stream, "-", "+")
    bench.redis("XDEL", stream, rows[1][0])
    assert bench.sweep(older_s=5).values[1] == 1
