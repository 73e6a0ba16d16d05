"""sweep, cancel, drop, quarantine, log, renew, retire: the rest of the house."""

from __future__ import annotations

import time

import pytest

from amr.store.replies import Code
from amr.store.stream import TaskStream, ensure_group
from tests.support.store_bench import StoreBench


def lose_all(bench: StoreBench, way: str) -> None:
    """Does to the entries of the stream what strangers do."""
    stream = bench.keys.stream_key("stream")
    ids = [row[0] for row in bench.redis("XRANGE", stream, "-", "+")]
    match way:
        case "xdel":
            bench.redis("XDEL", stream, *ids)
        case "xack":
            bench.redis("XACK", stream, "amr", *ids)
        case "delconsumer":
            bench.redis("XGROUP", "DELCONSUMER", stream, "amr", "w1")
        case "del":
            bench.redis("DEL", stream)
            ensure_group(bench.link, bench.keys)


@pytest.mark.fault(17, 18, 19)
@pytest.mark.parametrize("way", ["xdel", "xack", "delconsumer", "del"])
def test_tasks_whose_entry_is_lost_get_a_new_one(bench: StoreBench, way: str) -> None:
    bench.submit(3)
    assert len(bench.fetch()) == 3
    lose_all(bench, way)
    time.sleep(0.002)  # a new stream would give the ids of this very millisecond again
    assert bench.sweep().values[1] == 3
    assert bench.sweep().values[1] == 0
    bench.check()
    again = bench.fetch(worker="w2")
    assert sorted(task.index for task in again) == [0, 1, 2]
    bench.commit(*again)
    assert bench.status().state == "reducing"


def test_good_entries_are_left_alone(bench: StoreBench) -> None:
    bench.submit(4)
    first, second = bench.fetch(2)
    bench.fail(first)
    before = bench.redis("XRANGE", bench.keys.stream_key("stream"), "-", "+")
    assert bench.sweep().values[1] == 0
    assert bench.redis("XRANGE", bench.keys.stream_key("stream"), "-", "+") == before
    assert bench.commit(second).values[0] == 1


def test_young_entries_are_left_alone(bench: StoreBench) -> None:
    bench.submit(1)
    lose_all(bench, "xdel")
    assert bench.sweep(older_s=60).values[1] == 0
    assert bench.sweep(older_s=-1).values[1] == 1


def test_a_retry_that_somebody_forgot_runs_again(bench: StoreBench) -> None:
    bench.submit(1)
    bench.fail(bench.fetch()[0])
    bench.redis("DEL", bench.keys.stream_key("delayed"))
    assert bench.sweep().values[1] == 1
    assert bench.forward("0").values == (1,)
    assert bench.fetch()[0].attempt == 2
    bench.check()


def test_cancel_ends_at_once_and_leaves_no_data(bench: StoreBench) -> None:
    bench.submit(200_000)
    bench.commit(*bench.fetch(30))
    started = time.perf_counter()
    assert bench.cancel().code is Code.OK
    assert time.perf_counter() - started < 0.25
    status = bench.status()
    assert (status.state, status.succeeded, status.cancelled) == ("cancelled", 30, 199_970)
    for name in ("inputs", "outputs", "inflight", "failures", "results"):
        assert not bench.redis("EXISTS", bench.keys.job_key(name, "j"))
    bench.check()
    assert bench.cancel() == (Code.ENDED, (b"cancelled",))


def test_cancel_after_the_end_changes_nothing(bench: StoreBench) -> None:
    bench.submit(0, reducer=False)
    assert bench.cancel() == (Code.ENDED, (b"succeeded",))
    assert bench.link.run(bench.transitions.cancel("nobody")).code is Code.GONE


def test_the_epoch_tells_of_ends_with_work_in_hand(bench: StoreBench) -> None:
    stream = TaskStream(bench.keys, "w1")
    before = bench.link.run(stream.epoch())
    bench.submit(1, reducer=False, digest="j")
    bench.commit(*bench.fetch())
    assert bench.link.run(stream.epoch()) == before
    bench.submit(1, job="k", digest="k")
    bench.cancel("k")
    assert bench.link.run(stream.epoch()) == before + 1


def test_an_alien_is_put_aside_with_its_fields(bench: StoreBench) -> None:
    stream = bench.keys.stream_key("stream")
    bench.redis("XADD", stream, "*", "hello", b"\xff\x00")
    entries, _ = bench.link.run_all(TaskStream(bench.keys, "w1").fetch(10))
    (alien,) = entries.aliens
    bench.link.run(bench.transitions.quarantine(alien.entry_id, "odd", alien.fields))
    assert bench.stream_length() == 0
    (row,) = bench.redis("XRANGE", bench.keys.stream_key("quarantine"), "-", "+")
    assert row[1][-2:] == [b"hello", b"\xff\x00"]


def test_dropped_entries_are_gone_and_nothing_else_is(bench: StoreBench) -> None:
    bench.submit(3)
    tasks = bench.fetch()
    bench.link.run(bench.transitions.drop([tasks[0].entry_id]))
    assert bench.stream_length() == 2
    assert bench.sweep().values[1] == 1
    bench.check()


def test_a_log_line_after_the_jobs_expiry_makes_no_key(bench: StoreBench) -> None:
    row = ("map", 0, 1, 1_700_000_000_000, "print", "hello")
    assert bench.link.run(bench.transitions.log("gone", [row])).code is Code.GONE
    assert not bench.redis("EXISTS", bench.keys.job_key("log", "gone"))
    bench.submit(0, reducer=False)
    assert bench.link.run(bench.transitions.log("j", [row])).code is Code.OK
    bench.check()


@pytest.mark.fault(20, 21)
def test_a_worker_is_forgotten_only_when_it_is_gone_and_empty(bench: StoreBench) -> None:
    bench.submit(1)
    (task,) = bench.fetch()
    renew, retire = bench.transitions.renew, bench.transitions.retire
    assert bench.link.run(renew("t", b"{}", 60, ["w1"])).values == (0,)
    assert bench.link.run(retire("w1")).code is Code.ALIVE
    bench.link.run(renew("t", b"{}", -1, ["w1"]))
    assert bench.link.run(renew("t", b"{}", -1, ["w1"])).values == (1,)
    assert bench.fleet.lapsed_workers() == ["w1"]
    assert bench.link.run(retire("w1")).code is Code.HOLDS
    bench.recover(task)
    assert bench.link.run(retire("w1")).code is Code.OK
    assert bench.link.run(retire("w1")).code is Code.OK
    assert bench.fleet.known_workers() == []
    assert bench.fleet.backlog().consumers == ()


@pytest.mark.fault(19)
def test_a_pending_entry_whose_content_was_deleted_is_seen_as_lost(bench: StoreBench) -> None:
    bench.submit(2)
    tasks = bench.fetch()
    bench.redis("XDEL", bench.keys.stream_key("stream"), tasks[0].entry_id)
    held = bench.fleet.held_by("w1", 10)
    assert held.lost == [tasks[0].entry_id]
    assert [task.entry_id for task in held.tasks] == [tasks[1].entry_id]
