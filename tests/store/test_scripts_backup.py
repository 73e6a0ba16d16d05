"""backup: a straggler at the end of a stage runs twice, and counts once."""

from __future__ import annotations

import time
from typing import Any

import pytest

from amr.store.replies import Code
from amr.store.transitions import Done
from amr.task import Task
from tests.support.store_bench import StoreBench


def backup(bench: StoreBench, least_s: float = 0.001) -> int:
    reply = bench.link.run(bench.transitions.backup("j", least_s))
    assert reply.code is Code.OK
    time.sleep(0.002)
    begun: int = reply.values[0]
    return begun


def commit(bench: StoreBench, *tasks: Task, us: float = 1.0) -> None:
    done = [Done(task, b"1", None) for task in tasks]
    bench.link.run(bench.transitions.commit("j", done, us, us))


def straggler(bench: StoreBench, **fields: Any) -> Task:
    """Returns the last of three tasks, which has been running for a moment."""
    bench.submit(3, **fields)
    *others, last = bench.fetch()
    commit(bench, *others)
    time.sleep(0.005)
    return last


def test_a_straggler_gets_a_second_entry_and_the_first_commit_wins(bench: StoreBench) -> None:
    last = straggler(bench)
    assert backup(bench) == 1
    (second,) = bench.fetch(worker="w2")
    assert (second.index, second.attempt) == (last.index, 2)
    assert (bench.flight("2") or "").split()[1] == "1"
    assert bench.status().backups == 1
    bench.check()
    epoch = int(bench.redis("GET", bench.keys.stream_key("epoch")) or 0)
    commit(bench, last)
    assert int(bench.redis("GET", bench.keys.stream_key("epoch"))) == epoch + 1
    assert bench.inspector.are_open([last, second]) == [False, False]
    commit(bench, second)
    assert bench.status().succeeded == 3
    bench.check()


def test_the_second_may_win_and_the_first_can_fail_nothing(bench: StoreBench) -> None:
    last = straggler(bench)
    backup(bench)
    (second,) = bench.fetch(worker="w2")
    assert bench.fail(last).code is Code.STALE
    assert bench.recover(last).code is Code.STALE
    assert bench.inspector.are_open([second]) == [True]
    commit(bench, second)
    assert bench.status().succeeded == 3
    bench.check()


def test_there_is_no_third(bench: StoreBench) -> None:
    straggler(bench)
    assert backup(bench) == 1
    assert backup(bench) == 0  # it waits for a worker
    bench.fetch(worker="w2")
    time.sleep(0.005)
    assert backup(bench) == 0  # both run
    assert bench.status().backups == 1


def test_a_backup_that_fails_is_retried_like_any_attempt(bench: StoreBench) -> None:
    straggler(bench, max_attempts=2)
    backup(bench)
    (second,) = bench.fetch(worker="w2")
    assert bench.fail(second) == (Code.RETRY, (2,))
    bench.check()


@pytest.mark.parametrize("fields", [{"max_attempts": 1}, {"max_attempts": 2, "skip_most": 5}])
def test_a_task_on_an_attempt_that_decides_is_left_alone(
    bench: StoreBench, fields: dict[str, Any]
) -> None:
    straggler(bench, **fields)
    assert backup(bench) == 0
    bench.check()


@pytest.mark.parametrize("why", ["off", "young", "early", "waiting", "queued", "paused", "fast"])
def test_no_backup_without_a_reason(bench: StoreBench, why: str) -> None:
    least_s = 0.001
    match why:
        case "off":
            straggler(bench, backup=False)
        case "young":
            straggler(bench)
            least_s = 60.0
        case "early":
            bench.submit(3)
            bench.fetch()
            time.sleep(0.005)
        case "waiting":
            bench.submit(4, concurrency=2)
            commit(bench, bench.fetch()[0])
            time.sleep(0.005)
            bench.fetch(worker="w2")
        case "queued":
            bench.submit(3)
            commit(bench, *bench.fetch(count=1))
            bench.fetch(count=1)
            time.sleep(0.005)
        case "paused":
            straggler(bench)
            bench.pause()
        case "fast":
            bench.submit(3)
            *others, _ = bench.fetch()
            commit(bench, *others, us=60e6)
            time.sleep(0.005)
    assert backup(bench, least_s) == 0


def test_a_partition_that_takes_long_is_backed_up_too(bench: StoreBench) -> None:
    bench.submit(1, partitions=3)
    commit(bench, *bench.fetch())
    tasks = {task.index: task for task in bench.fetch()}
    assert backup(bench) == 0  # none is done: nothing is known of this stage
    bench.finish(tasks[0])
    bench.finish(tasks[1])
    time.sleep(0.005)
    assert backup(bench) == 1
    (second,) = bench.fetch(worker="w2")
    assert (second.stage, second.index) == ("reduce", 2)
    assert bench.finish(tasks[2]).code is Code.OK
    assert bench.finish(second).code is Code.GONE
    assert bench.status().state == "succeeded"


def test_the_time_of_the_slower_tasks_is_followed(bench: StoreBench) -> None:
    bench.submit(1000)
    tasks = bench.fetch()
    for at, task in enumerate(tasks):
        commit(bench, task, us=100_000.0 if at % 50 == 49 else 1000.0)
        if at == 400:
            break
    p95 = float(bench.redis("HGET", bench.keys.job_key("job", "j"), "p95_us"))
    assert 900 <= p95 < 20_000


def test_nothing_is_known_of_a_stage_that_begins_again(bench: StoreBench) -> None:
    bench.submit(2, policy="collect")
    first, second = bench.fetch()
    commit(bench, first)
    bench.fail(second, permanent=True)
    (reduce,) = bench.fetch()
    bench.fail(reduce, permanent=True)
    bench.redrive("1")
    bench.forward("1")
    bench.fetch()
    time.sleep(0.005)
    assert backup(bench) == 0


def test_a_job_that_has_failed_backs_nothing_up(bench: StoreBench) -> None:
    bench.submit(3)
    first, second, _ = bench.fetch()
    commit(bench, first)
    bench.fail(second, permanent=True)
    time.sleep(0.005)
    entries = bench.stream_length()
    assert bench.link.run(bench.transitions.backup("j", 0.001)).code is Code.GONE
    assert bench.stream_length() == entries
