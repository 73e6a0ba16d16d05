"""create, append, seal: a submission may be cut and repeated anywhere."""

from __future__ import annotations

import pytest

from amr.store.replies import Code
from tests.support.store_bench import StoreBench


@pytest.mark.fault(16)
def test_the_same_submission_again_gives_the_same_job(bench: StoreBench) -> None:
    bench.submit(3)
    assert bench.create() == (Code.EXISTS, (0, 3))
    assert bench.append(range(3)).code is Code.SEALED
    assert bench.seal(3).code is Code.OK
    bench.check()


def test_another_content_under_the_same_id_is_refused(bench: StoreBench) -> None:
    bench.submit(3)
    assert bench.create(digest="other").code is Code.CONFLICT
    assert bench.status().total == 3


@pytest.mark.fault(15)
def test_a_cut_submission_goes_on_where_it_stopped(bench: StoreBench) -> None:
    bench.create()
    bench.append(range(5))
    assert bench.create() == (Code.EXISTS, (1, 5))
    assert bench.append(range(3, 8)) == (Code.OK, (8,))
    assert bench.append(range(2)) == (Code.OK, (8,))
    bench.seal(8)
    bench.check()
    assert [task.body for task in bench.fetch()] == [b"%d" % value for value in range(8)]


def test_a_gap_is_refused_and_changes_nothing(bench: StoreBench) -> None:
    bench.create()
    bench.append(range(2))
    assert bench.append(range(3, 5)) == (Code.GAP, (2,))
    assert bench.seal(5) == (Code.GAP, (2,))
    bench.check()


def test_mapping_begins_before_the_job_is_sealed(bench: StoreBench) -> None:
    bench.create()
    bench.append(range(4))
    bench.commit(*bench.fetch())
    assert bench.status().state == "submitting"
    bench.check()
    bench.seal(4)
    assert [task.stage for task in bench.fetch()] == ["reduce"]


def test_workers_are_told_that_an_id_may_be_used_anew(bench: StoreBench) -> None:
    epoch = bench.keys.stream_key("epoch")
    bench.create("random-id", digest="random-id")
    assert bench.redis("GET", epoch) is None
    bench.create("chosen", digest="of its content")
    assert bench.redis("GET", epoch) == b"1"


def test_an_empty_job_reduces_at_once(bench: StoreBench) -> None:
    bench.submit(0)
    (task,) = bench.fetch()
    assert (task.stage, task.attempt) == ("reduce", 1)


def test_an_empty_job_without_reducer_has_succeeded(bench: StoreBench) -> None:
    bench.submit(0, reducer=False)
    assert bench.status().state == "succeeded"
    bench.check()


@pytest.mark.fault(15)
def test_an_abandoned_job_begins_anew(bench: StoreBench) -> None:
    bench.create()
    bench.append(range(3))
    assert bench.link.run(bench.transitions.expire("j", 3600)).code is Code.OK
    assert bench.link.run(bench.transitions.expire("j", -1)).code is Code.ABANDONED
    assert "same --id" in str(bench.status().error)
    bench.check()
    assert bench.append(range(3, 5)).code is Code.GONE
    assert bench.create().code is Code.CREATED
    assert bench.append(range(3)) == (Code.OK, (3,))
    bench.seal(3)
    bench.check()
    old_and_new = bench.fetch()
    assert len(old_and_new) == 6
    assert bench.commit(*old_and_new).values[0] == 3


def test_a_deadline_ends_the_job_and_names_what_is_missing(bench: StoreBench) -> None:
    bench.submit(5, deadline_ms=1)
    bench.commit(*bench.fetch(2))
    while (code := bench.link.run(bench.transitions.expire("j", 60)).code) is Code.OK:
        pass
    assert code is Code.DEADLINE
    assert bench.status().error == "the deadline passed with 3 of 5 map tasks (2, 3, 4) not done"
    bench.check()
    assert bench.link.run(bench.transitions.expire("j", 60)).code is Code.GONE


@pytest.mark.parametrize("concurrency", [1, 7, 500])
def test_concurrency_is_an_exact_cap_from_first_to_last(
    bench: StoreBench, concurrency: int
) -> None:
    bench.submit(40, concurrency=concurrency, max_attempts=5)
    ended = 0
    while ended < 40:
        task = bench.fetch(1)[0]
        bench.check()
        assert bench.stream_length() <= concurrency
        if task.attempt == 1 and task.index % 3 == 0:
            assert bench.fail(task, delay_s=0).code is Code.RETRY
        else:
            bench.commit(task)
            ended += 1
        bench.forward(*[field for _, field in bench.fleet.due_retries(100)])
        bench.check()
    assert bench.status().state == "reducing"


@pytest.mark.fault(24)
def test_a_long_job_never_fills_the_stream(bench: StoreBench) -> None:
    bench.submit(20_000)
    assert bench.stream_length() == 32
    for _ in range(20):
        bench.commit(*bench.fetch(200))
        assert bench.stream_length() <= 10_000
        bench.check()


def test_slow_tasks_keep_a_small_window(bench: StoreBench) -> None:
    bench.submit(5000)
    tasks = bench.fetch(32)
    done = bench.transitions.commit
    from amr.store.transitions import Done

    bench.link.run(done("j", [Done(t, b"1", None) for t in tasks], 500_000.0))
    # Two seconds of half-second tasks, for one worker.
    assert bench.status().running == 4
    bench.check()
