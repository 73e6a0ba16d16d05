"""ask, gather, adopt: the inputs of a job come from a function, whole or not at all."""

from __future__ import annotations

import time

import pytest

from amr.store.replies import Code, Reply
from amr.task import Task
from tests.support.store_bench import StoreBench


def ask(bench: StoreBench) -> Task:
    bench.create()
    assert bench.link.run(bench.transitions.ask("j")).code is Code.OK
    (task,) = bench.fetch()
    assert task.stage == "source"
    return task


def gather(bench: StoreBench, task: Task, *items: int, offset: int = 0) -> Reply:
    bodies = [str(item).encode() for item in items]
    reply: Reply = bench.link.run(bench.transitions.gather(task, offset, bodies))
    return reply


def adopt(bench: StoreBench, task: Task, total: int) -> Reply:
    reply: Reply = bench.link.run(bench.transitions.adopt(task, total))
    return reply


def test_what_was_gathered_becomes_the_inputs(bench: StoreBench) -> None:
    task = ask(bench)
    assert gather(bench, task, 0, 1) == (Code.OK, (2,))
    assert gather(bench, task, 2, offset=2) == (Code.OK, (3,))
    assert bench.status().total == 0
    bench.check()
    assert adopt(bench, task, 3).code is Code.OK
    status = bench.status()
    assert (status.state, status.total, status.running) == ("mapping", 3, 3)
    bench.check()
    assert [one.body for one in bench.fetch()] == [b"0", b"1", b"2"]


def test_asking_twice_makes_one_task(bench: StoreBench) -> None:
    task = ask(bench)
    assert bench.link.run(bench.transitions.ask("j")).code is Code.OK
    assert bench.fetch() == []
    gather(bench, task, 0)
    adopt(bench, task, 1)
    before = bench.stream_length()
    assert bench.link.run(bench.transitions.ask("j")).code is Code.OK
    assert bench.stream_length() == before


def test_items_that_came_twice_are_kept_once_and_a_gap_is_told(bench: StoreBench) -> None:
    task = ask(bench)
    gather(bench, task, 0, 1)
    assert gather(bench, task, 0, 1) == (Code.OK, (2,))
    assert gather(bench, task, 1, 2, offset=1) == (Code.OK, (3,))
    assert gather(bench, task, 9, offset=9) == (Code.GAP, (3,))
    assert adopt(bench, task, 4) == (Code.GAP, (3,))
    assert bench.status().state == "submitting"
    bench.check()


def test_an_attempt_does_not_mix_with_the_one_before(bench: StoreBench) -> None:
    first = ask(bench)
    gather(bench, first, 7, 8, 9)
    bench.recover(first)
    (second,) = bench.fetch()
    assert gather(bench, first, 6, offset=3).code is Code.STALE
    assert gather(bench, second, 0) == (Code.OK, (1,))
    assert adopt(bench, first, 3).code is Code.STALE
    assert adopt(bench, second, 1).code is Code.OK
    assert adopt(bench, second, 1).code is Code.STALE
    assert [one.body for one in bench.fetch()] == [b"0"]
    bench.check()


@pytest.mark.parametrize(("reducer", "state"), [(False, "succeeded"), (True, "reducing")])
def test_no_items_are_no_inputs(bench: StoreBench, reducer: bool, state: str) -> None:
    bench.create(reducer=reducer)
    bench.link.run(bench.transitions.ask("j"))
    (task,) = bench.fetch()
    assert adopt(bench, task, 0).code is Code.OK
    assert bench.status().state == state
    bench.check()


def test_a_source_that_fails_for_good_fails_the_job_and_may_be_redriven(bench: StoreBench) -> None:
    task = ask(bench)
    gather(bench, task, 7)
    assert bench.fail(task, permanent=True).code is Code.DEAD
    status = bench.status()
    assert status.state == "failed"
    assert status.error == "the inputs could not be made after 1 attempt(s): E: broken"
    assert bench.link.run(bench.transitions.ask("j")).code is Code.GONE
    assert gather(bench, task, 7).code is Code.STALE
    assert adopt(bench, task, 1).code is Code.GONE
    (failed,) = bench.inspector.failures("j")
    assert (failed.index, failed.partition) == (None, None)
    assert bench.redrive(chosen=0).code is Code.OK
    assert bench.status().state == "submitting"
    bench.check()
    (again,) = bench.fetch()
    assert again.attempt == 1
    gather(bench, again, 0)
    adopt(bench, again, 1)
    assert bench.status().total == 1
    assert list(bench.inspector.failures("j")) == []


def test_a_retry_of_the_source_waits_like_any_other(bench: StoreBench) -> None:
    task = ask(bench)
    assert bench.fail(task).code is Code.RETRY
    bench.check()
    assert gather(bench, task, 7).code is Code.STALE
    assert adopt(bench, task, 0).code is Code.STALE
    bench.make_retries_due()
    bench.forward("source")
    (again,) = bench.fetch()
    assert (again.stage, again.attempt) == ("source", 2)


def test_a_job_whose_inputs_are_being_made_is_not_given_up(bench: StoreBench) -> None:
    task = ask(bench)
    time.sleep(0.002)
    assert bench.link.run(bench.transitions.expire("j", 0.001)).code is Code.OK
    gather(bench, task, 0)
    bench.cancel()
    assert not bench.redis("EXISTS", bench.keys.job_key("gathered", "j"))
    assert gather(bench, task, 1, offset=1).code is Code.STALE
