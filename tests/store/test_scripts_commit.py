"""commit and finish: an outcome counts once, whoever brings it and however often."""

from __future__ import annotations

from dataclasses import replace

import pytest

from amr.store.replies import Code
from tests.support.store_bench import StoreBench


def outputs(bench: StoreBench, total: int) -> list[bytes | None]:
    return [output for _, output in bench.inspector.outputs("j", total)]


@pytest.mark.fault(3)
def test_the_last_commit_enqueues_one_reduce(bench: StoreBench) -> None:
    bench.submit(3)
    tasks = bench.fetch()
    bench.commit(*tasks[:2])
    assert bench.stream_length() == 1
    assert bench.commit(tasks[2]) == (Code.OK, (1, 0, 0))
    assert bench.commit(tasks[2]).values[0] == 0
    (reduce,) = bench.fetch()
    assert (reduce.stage, bench.stream_length()) == ("reduce", 1)
    assert outputs(bench, 3) == [b"0", b"10", b"20"]
    bench.check()


@pytest.mark.fault(2)
def test_a_commit_repeated_after_a_lost_answer_changes_nothing(bench: StoreBench) -> None:
    bench.submit(4)
    tasks = bench.fetch()
    bench.commit(*tasks[:2], counters={"seen": 1})
    assert bench.commit(*tasks[:2], counters={"seen": 1}).values[0] == 0
    assert bench.status().succeeded == 2
    assert bench.status().counters == {"seen": 2}
    bench.check()


def test_a_task_twice_in_one_batch_counts_once(bench: StoreBench) -> None:
    bench.submit(2)
    first, _ = bench.fetch()
    assert bench.commit(first, first, counters={"seen": 1}).values[0] == 1
    assert bench.status().counters == {"seen": 1}
    bench.check()


@pytest.mark.fault(5)
def test_a_zombie_may_commit_first_and_its_successor_changes_nothing(bench: StoreBench) -> None:
    bench.submit(1)
    (old,) = bench.fetch()
    bench.recover(old)
    (new,) = bench.fetch(worker="w2")
    assert new.attempt == 2
    assert bench.commit(old).values[0] == 1
    assert bench.commit(new).code in (Code.OK, Code.GONE)
    assert bench.status().succeeded == 1
    bench.check()


@pytest.mark.fault(11)
def test_what_ran_from_a_strangers_copy_is_not_taken(bench: StoreBench) -> None:
    bench.submit(1)
    (task,) = bench.fetch()
    stream = bench.keys.stream_key("stream")
    copy = ("job", "j", "stage", "map", "index", 0, "attempt", 1, "suspect", 0, "body", "evil")
    bench.redis("XADD", stream, "*", *copy)
    (forged,) = bench.fetch()
    assert forged.body == b"evil"
    assert bench.commit(forged).values[0] == 0
    assert bench.commit(task).values[0] == 1
    bench.check()


def test_a_task_that_waits_for_its_retry_may_still_be_committed(bench: StoreBench) -> None:
    bench.submit(2)
    first, _ = bench.fetch()
    bench.fail(first)
    assert bench.commit(first).values[0] == 1
    assert bench.status().retrying == 0
    assert bench.forward("0").values[0] == 0
    bench.check()


def test_what_ran_from_a_strangers_copy_of_a_delayed_task_is_not_taken(bench: StoreBench) -> None:
    bench.submit(2)
    first, _ = bench.fetch()
    bench.fail(first)
    forged = first._replace(entry_id=b"9999999999999-0")
    assert bench.commit(forged).values[0] == 0
    assert bench.status().retrying == 1
    bench.check()


def test_a_commit_to_an_ended_job_settles_its_entries(bench: StoreBench) -> None:
    bench.submit(2)
    tasks = bench.fetch()
    bench.cancel()
    assert bench.commit(*tasks).code is Code.GONE
    assert bench.stream_length() == 0
    bench.check()


def test_a_commit_to_a_job_that_is_gone_settles_its_entries(bench: StoreBench) -> None:
    bench.submit(1)
    tasks = bench.fetch()
    bench.redis("FLUSHALL")
    from amr.store.stream import ensure_group

    ensure_group(bench.link, bench.keys)
    assert bench.commit(*tasks).code is Code.GONE


@pytest.mark.fault(28)
def test_scripts_survive_a_flush_of_the_script_cache(bench: StoreBench) -> None:
    bench.submit(2)
    tasks = bench.fetch()
    bench.redis("SCRIPT", "FLUSH")
    assert bench.commit(tasks[0]).values[0] == 1
    bench.redis("SCRIPT", "FLUSH")
    assert bench.commit(tasks[1]).values[0] == 1
    bench.check()


def test_a_map_only_job_ends_with_its_last_commit(bench: StoreBench) -> None:
    bench.submit(2, reducer=False)
    bench.commit(*bench.fetch())
    assert bench.status().state == "succeeded"
    assert bench.stream_length() == 0
    bench.check()


def test_a_result_is_written_once_and_never_changes(bench: StoreBench) -> None:
    bench.submit(1)
    bench.commit(*bench.fetch())
    (reduce,) = bench.fetch()
    assert bench.finish(reduce, b"1").code is Code.OK
    assert bench.finish(reduce, b"2").code is Code.GONE
    assert bench.inspector.result("j") == b"1"
    assert bench.status().counters == {"r": 1}
    assert bench.stream_length() == 0
    bench.check()


@pytest.mark.fault(4)
def test_two_reducers_of_one_job_give_one_result(bench: StoreBench) -> None:
    bench.submit(1)
    bench.commit(*bench.fetch())
    (old,) = bench.fetch()
    bench.recover(old)
    (new,) = bench.fetch(worker="w2")
    assert bench.finish(old, b"1").code is Code.OK
    assert bench.finish(new, b"2").code is Code.GONE
    assert bench.inspector.result("j") == b"1"
    bench.check()


def test_finish_before_the_maps_are_done_changes_nothing(bench: StoreBench) -> None:
    bench.submit(2)
    task = bench.fetch()[0]._replace(stage="reduce")
    assert bench.finish(task).code is Code.STALE
    assert bench.status().state == "mapping"
    assert bench.inspector.result("j") is None


def test_progress_is_told_and_bounded(bench: StoreBench) -> None:
    bench.submit(2000)
    while tasks := [task for task in bench.fetch(10) if task.stage == "map"]:
        bench.commit(*tasks)
    events = bench.redis("XRANGE", bench.keys.job_key("events", "j"), "-", "+")
    kinds = [row[1][1].decode() for row in events]
    assert kinds[:2] == ["created", "queued"]
    assert kinds[-1] == "reducing"
    assert kinds.count("progress") <= 12


@pytest.mark.fault(42)
def test_a_key_of_another_type_gives_an_error_and_no_half_commit(bench: StoreBench) -> None:
    bench.submit(2)
    tasks = bench.fetch()
    bench.redis("SET", bench.keys.job_key("outputs", "j"), "not a hash")
    with pytest.raises(Exception, match="WRONGTYPE"):
        bench.commit(*tasks)
    assert bench.status().succeeded == 0
    assert bench.status().running == 2
    bench.redis("DEL", bench.keys.job_key("outputs", "j"))
    assert bench.commit(*tasks).values[0] == 2
    assert replace(bench.status(), error=None).succeeded == 2
