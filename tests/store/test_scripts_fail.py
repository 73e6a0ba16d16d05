"""fail, release, recover, forward: attempts, retries, dead letters and policies."""

from __future__ import annotations

import pytest

from amr.store.replies import Code
from amr.task import Task
from tests.support.store_bench import StoreBench


def lease(bench: StoreBench, worker: str, seconds: float) -> None:
    """Gives a worker a lease, or takes it away with a negative time."""
    bench.link.run(bench.transitions.renew("t", b"{}", seconds, [worker]))


def test_a_failed_attempt_waits_and_comes_back(bench: StoreBench) -> None:
    bench.submit(1)
    (task,) = bench.fetch()
    assert bench.fail(task, delay_s=0) == (Code.RETRY, (2,))
    assert (bench.status().retrying, bench.status().retries) == (1, 1)
    bench.check()
    assert bench.fail(task).code is Code.STALE
    assert bench.fleet.due_retries(10) == [("j", "0")]
    assert bench.forward("0").values == (1,)
    assert bench.forward("0").values == (0,)
    (again,) = bench.fetch()
    assert (again.attempt, again.body) == (2, b"0")
    bench.check()


def test_the_last_attempt_is_a_dead_letter_and_fails_the_job(bench: StoreBench) -> None:
    bench.submit(5, max_attempts=2)
    task = bench.fetch(1)[0]
    bench.fail(task, delay_s=0)
    bench.forward("0")
    again = next(t for t in bench.fetch() if t.index == 0)
    assert bench.fail(again, timed_out=True).code is Code.DEAD
    status = bench.status()
    assert (status.state, status.failed, status.timed_out) == ("failed", 1, 1)
    assert status.error == "map task 0 failed after 2 attempt(s): E: broken"
    (failure,) = bench.inspector.failures("j")
    assert (failure.index, failure.attempts, failure.input) == (0, 2, 0)
    bench.check()


def test_a_permanent_error_skips_the_other_attempts(bench: StoreBench) -> None:
    bench.submit(1)
    assert bench.fail(bench.fetch()[0], permanent=True).code is Code.DEAD


def test_putting_off_uses_no_attempt_up_but_not_for_ever(bench: StoreBench) -> None:
    bench.submit(1, max_attempts=1)
    for _ in range(100):
        assert bench.fail(bench.fetch()[0], deferred=True, delay_s=0) == (Code.RETRY, (1,))
        bench.forward("0")
    assert bench.fail(bench.fetch()[0], deferred=True, delay_s=0).code is Code.DEAD


def test_collect_reduces_when_the_last_task_dies(bench: StoreBench) -> None:
    bench.submit(3, policy="collect", max_attempts=1)
    first, second, third = bench.fetch()
    bench.fail(first)
    bench.commit(second)
    bench.check()
    bench.fail(third)
    (reduce,) = bench.fetch()
    assert reduce.stage == "reduce"
    assert bench.status().failed == 2
    bench.check()


@pytest.mark.parametrize(("tolerance", "state"), [(0.2, "mapping"), (0.19, "failed")])
def test_tolerance_is_exact(bench: StoreBench, tolerance: float, state: str) -> None:
    bench.submit(10, policy="tolerate", tolerance=tolerance, max_attempts=1)
    for task in bench.fetch(2):
        bench.fail(task)
    assert bench.status().state == state
    bench.check()


def test_tolerance_holds_at_a_fraction_that_floats_miss(bench: StoreBench) -> None:
    bench.submit(100, policy="tolerate", tolerance=0.29, max_attempts=1, concurrency=100)
    tasks: list[Task] = []
    while len(tasks) < 29:
        found = bench.fetch(29 - len(tasks))
        tasks += found
        for task in found:
            bench.fail(task)
    assert bench.status().state == "mapping"


def test_tolerance_is_judged_once_the_job_is_sealed(bench: StoreBench) -> None:
    bench.create(policy="tolerate", tolerance=0.5, max_attempts=1)
    bench.append(range(2))
    for task in bench.fetch():
        bench.fail(task)
    assert bench.status().state == "submitting"
    bench.seal(2)
    assert bench.status().state == "failed"
    bench.check()


def test_a_failing_reducer_is_retried_and_then_fails_the_job(bench: StoreBench) -> None:
    bench.submit(1, max_attempts=2, policy="collect")
    bench.commit(*bench.fetch())
    bench.fail(bench.fetch()[0], delay_s=0)
    bench.check()
    bench.forward("reduce")
    (again,) = bench.fetch()
    assert (again.stage, again.attempt) == ("reduce", 2)
    assert bench.fail(again).code is Code.DEAD
    assert "the reduce task failed after 2 attempt(s)" in str(bench.status().error)
    bench.check()


def test_a_failure_after_a_success_changes_nothing(bench: StoreBench) -> None:
    bench.submit(2)
    first, _ = bench.fetch()
    bench.commit(first)
    assert bench.fail(first).code is Code.STALE
    assert bench.status().succeeded == 1
    bench.check()


@pytest.mark.fault(7)
def test_a_zombie_cannot_fail_its_successor(bench: StoreBench) -> None:
    bench.submit(1, max_attempts=2)
    (old,) = bench.fetch()
    bench.recover(old)
    (new,) = bench.fetch(worker="w2")
    assert bench.fail(old, permanent=True).code is Code.STALE
    assert (new.attempt, bench.status().failed) == (2, 0)
    assert bench.commit(new).values[0] == 1
    bench.check()


@pytest.mark.fault(45)
def test_released_tasks_keep_their_attempt(bench: StoreBench) -> None:
    bench.submit(3)
    tasks = bench.fetch()
    assert bench.release(*tasks).values == (3,)
    assert bench.release(*tasks).values == (0,)
    again = bench.fetch(worker="w2")
    assert [(task.index, task.attempt, task.body) for task in again] == [
        (0, 1, b"0"),
        (1, 1, b"1"),
        (2, 1, b"2"),
    ]
    bench.check()


def test_recovery_of_a_running_task_uses_an_attempt_up(bench: StoreBench) -> None:
    bench.submit(1, max_attempts=2)
    (task,) = bench.fetch()
    assert bench.recover(task) == (Code.REQUEUED, (2,))
    assert bench.recover(task).code is Code.STALE
    (again,) = bench.fetch(worker="w2")
    assert (again.attempt, again.suspect) == (2, True)
    assert bench.recover(again, worker="w2").code is Code.DEAD
    bench.check()


def test_recovery_of_an_idle_task_is_free(bench: StoreBench) -> None:
    bench.submit(1, max_attempts=1)
    (task,) = bench.fetch()
    assert bench.recover(task, "idle") == (Code.REQUEUED, (1,))
    assert not bench.fetch(worker="w2")[0].suspect


def test_a_task_in_the_hands_of_a_lost_machine_is_spared_once(bench: StoreBench) -> None:
    bench.submit(2, max_attempts=1, policy="collect")
    first, second = bench.fetch()
    assert bench.recover(first, "unknown", alone=False).code is Code.REQUEUED
    assert bench.recover(second, "unknown", alone=True).code is Code.DEAD
    (again,) = bench.fetch(worker="w2")
    assert bench.recover(again, "unknown", alone=False, worker="w2").code is Code.DEAD
    bench.check()


@pytest.mark.fault(6)
def test_nothing_is_recovered_from_a_worker_that_lives(bench: StoreBench) -> None:
    bench.submit(1)
    (task,) = bench.fetch()
    lease(bench, "w1", 60)
    assert bench.recover(task).code is Code.ALIVE
    lease(bench, "w1", -1)
    assert bench.recover(task).code is Code.REQUEUED


@pytest.mark.fault(2, 5)
def test_recovery_and_commit_in_either_order_count_once(bench: StoreBench) -> None:
    bench.submit(2)
    first, second = bench.fetch()
    bench.commit(first)
    assert bench.recover(first).code is Code.STALE
    bench.recover(second)
    assert bench.commit(second).values[0] == 1
    bench.check()
    assert bench.status().succeeded == 2


def test_due_retries_wait_for_a_place_and_go_first(bench: StoreBench) -> None:
    bench.submit(5, concurrency=2)
    first, second = bench.fetch()
    bench.fail(first, delay_s=0)
    assert bench.status().running == 3
    third = bench.fetch()[0]
    assert bench.forward("0").values == (0,)
    bench.check()
    bench.commit(second)
    bench.check()
    assert bench.forward("0").values == (1,)
    assert [task.index for task in bench.fetch()] == [0]
    bench.commit(third)
    bench.check()


def test_a_task_that_waits_for_its_retry_is_neither_failed_nor_moved_again(
    bench: StoreBench,
) -> None:
    bench.submit(1)
    (task,) = bench.fetch()
    bench.fail(task)
    assert bench.fail(task).code is Code.STALE
    assert bench.recover(task).code is Code.STALE
    assert bench.release(task).values == (0,)
    assert (bench.status().retrying, bench.stream_length()) == (1, 0)
    bench.check()


def test_reduce_tasks_have_their_own_number_of_attempts(bench: StoreBench) -> None:
    bench.submit(2, max_attempts=1, reduce_attempts=2, policy="collect")
    first, second = bench.fetch()
    assert bench.fail(first).code is Code.DEAD
    bench.commit(second)
    (reduce,) = bench.fetch()
    assert bench.fail(reduce, delay_s=0) == (Code.RETRY, (2,))
    bench.forward("reduce")
    (again,) = bench.fetch()
    assert bench.recover(again).code is Code.DEAD
    assert bench.status().state == "failed"
