"""follow: a job begins in the step that ends the one before it."""

from __future__ import annotations

import pytest

from amr.store.replies import Code, Reply
from amr.task import Task
from tests.support.store_bench import StoreBench


def follow(bench: StoreBench, job: str = "b", other: str = "a") -> Reply:
    reply: Reply = bench.link.run(bench.transitions.follow(job, other))
    return reply


def source_task(bench: StoreBench, job: str = "b") -> Task | None:
    """Returns the source task of a job, if it is due."""
    due = [field for name, field in bench.fleet.due_retries(1000) if name == job]
    bench.forward(*due, job=job)
    tasks = [task for task in bench.fetch() if task.job == job]
    assert len(tasks) <= 1
    return tasks[0] if tasks else None


def chain(bench: StoreBench) -> list[Task]:
    """Makes job a of two tasks, and job b that follows it; returns the tasks of a."""
    bench.submit(2, "a", reducer=False)
    bench.create("b")
    assert follow(bench).code is Code.OK
    return bench.fetch()


def test_the_next_job_begins_with_the_end_of_the_one_before(bench: StoreBench) -> None:
    first, second = chain(bench)
    assert (bench.status("b").after, bench.status("a").next) == ("a", "b")
    bench.commit(first)
    assert source_task(bench) is None
    bench.check("b")
    bench.commit(second)
    task = source_task(bench)
    assert task is not None
    assert (task.stage, task.attempt) == ("source", 1)
    bench.check("b")


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_it_learns_of_every_end(bench: StoreBench, end: str) -> None:
    task, _ = chain(bench)
    bench.cancel("a") if end == "cancelled" else bench.fail(task, permanent=True)
    assert bench.status("a").state == end
    assert source_task(bench) is not None


def test_following_twice_is_following_once(bench: StoreBench) -> None:
    tasks = chain(bench)
    assert follow(bench).code is Code.OK
    assert bench.status("b").retrying == 1
    bench.commit(*tasks)
    assert follow(bench).code is Code.OK
    assert source_task(bench) is not None
    assert follow(bench).code is Code.OK
    bench.check("b")
    assert source_task(bench) is None


def test_one_that_has_ended_is_followed_at_once(bench: StoreBench) -> None:
    bench.submit(0, "a", reducer=False)
    bench.create("b")
    assert follow(bench).code is Code.OK
    assert source_task(bench) is not None


def test_a_wake_up_that_was_lost_comes_again(bench: StoreBench) -> None:
    tasks = chain(bench)
    bench.sweep("b")
    assert source_task(bench) is None  # nothing is lost: it waits
    bench.commit(*tasks)
    bench.redis("ZREM", bench.keys.stream_key("delayed"), "b source")
    assert bench.inspector.followed_by(["a", "b"]) == {"b": "a"}
    follow(bench)
    assert source_task(bench) is not None


def test_nobody_is_not_followed_and_who_has_inputs_follows_nobody(bench: StoreBench) -> None:
    bench.create("b")
    assert follow(bench, other="nobody").code is Code.NOTHING
    assert follow(bench, job="unknown").code is Code.GONE
    bench.submit(1, "c")
    bench.submit(1, "a")
    assert follow(bench, job="c").code is Code.OK
    assert bench.status("c").after is None
    bench.cancel("b")
    assert follow(bench).code is Code.GONE


def test_a_source_that_waits_for_its_retry_goes_on_waiting(bench: StoreBench) -> None:
    bench.submit(0, "a", reducer=False)
    bench.create("b")
    follow(bench)
    task = source_task(bench)
    assert task is not None
    assert bench.fail(task, delay_s=60.0).code is Code.RETRY
    follow(bench)
    assert bench.fleet.due_retries(1000) == []
