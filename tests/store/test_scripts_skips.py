"""Records that are given up: counted once, listed, and never more than the job allows."""

from __future__ import annotations

import pytest

from amr.store.replies import Code
from amr.store.transitions import Done
from amr.task import Task
from tests.support.store_bench import StoreBench

ERROR = b'{"type":"E","message":"m","input":5}'


def commit(bench: StoreBench, task: Task, *skipped: int, records: int = 10) -> None:
    rows = [(record, ERROR) for record in skipped]
    counters = {"amr.records": records}
    bench.link.run(bench.transitions.commit("j", [Done(task, b"[]", counters, (), rows)], 1.0))


def test_skipped_records_are_listed_in_order(bench: StoreBench) -> None:
    bench.submit(11, skip_most=5, reducer=False)
    tasks = {task.index: task for task in bench.fetch()}
    for index, task in tasks.items():
        commit(bench, task, *{2: (7, 3), 10: (0,)}.get(index, ()))
    assert bench.status().state == "succeeded"
    assert bench.status().skipped == 3
    found = list(bench.inspector.skipped("j"))
    assert [(one.index, one.record) for one in found] == [(2, 3), (2, 7), (10, 0)]
    assert (found[0].error, found[0].input) == ({"type": "E", "message": "m"}, 5)
    assert bench.inspector.skipped_of("j", 2) == {3, 7}
    bench.check()


@pytest.mark.parametrize(("most", "state"), [(2, "succeeded"), (1, "failed"), (0, "failed")])
def test_a_number_is_the_most_of_the_job(bench: StoreBench, most: int, state: str) -> None:
    bench.submit(2, skip_most=most, reducer=False)
    for task in bench.fetch():
        commit(bench, task, 4)
    status = bench.status()
    assert status.state == state
    if state == "failed":
        assert "bad records are more than skip_bad_records allows" in (status.error or "")
    bench.check()


@pytest.mark.parametrize(("share", "state"), [(0.1, "succeeded"), (0.05, "failed")])
def test_a_share_is_judged_when_all_records_are_known(
    bench: StoreBench, share: float, state: str
) -> None:
    bench.submit(2, skip_most=share, reducer=False)
    first, second = bench.fetch()
    commit(bench, first, 4, 5)
    assert bench.status().state == "mapping"
    commit(bench, second)
    assert bench.status().state == state
    bench.check()


def test_skips_of_a_lost_race_do_not_count(bench: StoreBench) -> None:
    bench.submit(2, skip_most=5)
    first, second = bench.fetch()
    bench.recover(first)
    (again,) = bench.fetch()
    commit(bench, again, 1)
    late = [Done(first, b"[]", None, (), [(2, ERROR), (3, ERROR)]), Done(second, b"[]", None)]
    bench.link.run(bench.transitions.commit("j", late, 1.0))
    assert bench.status().skipped == 1
    assert bench.inspector.skipped_of("j", 0) == {1}
    bench.check()


def test_a_record_that_kills_its_worker_each_time_is_given_up(bench: StoreBench) -> None:
    bench.submit(1, skip_most=1, max_attempts=2)
    for attempt in (1, 2):
        (task,) = bench.fetch()
        assert task.attempt == attempt
        assert bench.recover(task, record=7).code is Code.REQUEUED
    assert bench.inspector.skipped_of("j", 0) == {7}
    (task,) = bench.fetch()
    assert (task.attempt, task.suspect) == (2, True)
    assert bench.recover(task, record=8).code is Code.DEAD
    assert bench.status().state == "failed"
    bench.check()


def test_without_leave_a_task_dies_of_its_record(bench: StoreBench) -> None:
    bench.submit(1, max_attempts=1)
    (task,) = bench.fetch()
    assert bench.recover(task, record=7).code is Code.DEAD
    assert bench.status().skipped == 0
