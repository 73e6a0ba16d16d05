"""redrive: dead letters run again, and what has been done stays done."""

from __future__ import annotations

import time

import pytest

from amr.store.replies import Code
from amr.task import Task
from tests.support.store_bench import StoreBench


def take(bench: StoreBench) -> dict[int, Task]:
    """Forwards what is due and fetches everything."""
    due = [field for job, field in bench.fleet.due_retries(1000) if job == "j"]
    bench.forward(*due)
    return {task.index: task for task in bench.fetch() if task.stage == "map"}


def kill(bench: StoreBench, *tasks: Task) -> None:
    for task in tasks:
        assert bench.fail(task, permanent=True).code is Code.DEAD


def reduce(bench: StoreBench, output: bytes) -> None:
    (task,) = (t for t in bench.fetch() if t.stage == "reduce")
    assert bench.finish(task, output).code is Code.OK


def test_a_failed_job_is_repaired_at_the_cost_of_its_dead_task(bench: StoreBench) -> None:
    bench.submit(5)
    tasks = take(bench)
    bench.commit(tasks[0], tasks[1])
    kill(bench, tasks[3])
    assert bench.status().state == "failed"
    assert bench.redrive("3") == (Code.OK, (1, 1))
    status = bench.status()
    assert (status.state, status.failed, status.error, status.ended_ms) == (
        *("mapping", 0, None),
        None,
    )
    bench.check()
    bench.commit(tasks[2], tasks[4])  # their calls went on
    again = take(bench)
    assert [(t.index, t.attempt, t.body) for t in again.values()] == [(3, 1, b"3")]
    bench.commit(*again.values())
    assert bench.status().state == "reducing"
    reduce(bench, b"1")
    assert bench.inspector.result("j") == b"1"
    assert bench.stream_length() == 0
    bench.check()


def test_what_the_end_cut_off_runs_again(bench: StoreBench) -> None:
    bench.submit(200, concurrency=20)
    tasks = take(bench)
    bench.fail(tasks[7], delay_s=60)
    kill(bench, tasks[3])
    for task in tasks.values():  # workers see that the job has ended
        bench.link.run(bench.transitions.drop([task.entry_id]))
    assert bench.status().pending == 0
    bench.redrive("3")
    bench.check()
    done: set[int] = set()
    while again := take(bench):
        bench.commit(*again.values())
        done |= again.keys()
    assert done == set(range(200))
    assert bench.status().state == "reducing"
    bench.check()


def test_a_job_past_its_deadline_gets_a_new_one(bench: StoreBench) -> None:
    bench.submit(3, deadline_ms=60_000)
    bench.redis("HSET", bench.keys.job_key("job", "j"), "deadline", 1, "created", -59_999)
    expire = bench.transitions.expire("j", 60.0)
    assert bench.link.run(expire).code is Code.DEADLINE
    assert "3 of 3 map tasks (0, 1, 2) not done" in (bench.status().error or "")
    assert bench.redrive() == (Code.OK, (1, 0))
    assert bench.link.run(expire).code is Code.OK
    bench.commit(*take(bench).values())
    assert bench.status().state == "reducing"
    bench.check()


def test_a_collect_job_gets_a_new_version_and_the_old_one_stays(bench: StoreBench) -> None:
    bench.submit(4, policy="collect")
    tasks = take(bench)
    kill(bench, tasks[1], tasks[2])
    bench.commit(tasks[0], tasks[3])
    reduce(bench, b'"first"')
    assert bench.redrive("1") == (Code.OK, (2, 1))
    assert bench.status().version == 2
    bench.check()
    bench.commit(*take(bench).values())
    reduce(bench, b'"second"')
    assert bench.inspector.result("j", 1) == b'"first"'
    assert bench.inspector.result("j", 2) == b'"second"'
    assert [f.index for f in bench.inspector.failures("j", 1)] == [1, 2]
    assert [f.index for f in bench.inspector.failures("j", 2)] == [2]
    bench.check()
    bench.redrive("2")
    bench.commit(*take(bench).values())
    reduce(bench, b'"third"')
    assert [f.index for f in bench.inspector.failures("j", 1)] == [1, 2]
    assert [f.index for f in bench.inspector.failures("j", 2)] == [2]
    assert list(bench.inspector.failures("j")) == []
    assert bench.inspector.result("j", 2) == b'"second"'
    bench.check()


def test_no_key_of_a_redriven_job_expires_while_it_lives(bench: StoreBench) -> None:
    bench.submit(2, policy="collect", reducer=False, ttl_ms=60_000)
    tasks = take(bench)
    kill(bench, tasks[0])
    bench.commit(tasks[1])
    bench.redrive("0")
    keys = bench.redis("KEYS", f"{bench.keys.base}:job:*")
    assert {bench.redis("PTTL", key) for key in keys} == {-1}
    bench.commit(*take(bench).values())
    bench.check()
    assert all(0 < bench.redis("PTTL", key) <= 60_000 for key in keys if bench.redis("EXISTS", key))


def test_a_dead_reduce_is_redriven_alone(bench: StoreBench) -> None:
    bench.submit(2, max_attempts=1)
    bench.commit(*take(bench).values())
    (task,) = bench.fetch()
    assert bench.fail(task).code is Code.DEAD
    assert bench.status().state == "failed"
    assert bench.redrive("reduce") == (Code.OK, (1, 0))
    assert list(bench.inspector.failures("j")) == []
    bench.check()
    reduce(bench, b"7")
    assert bench.inspector.result("j") == b"7"


def test_a_dead_letter_of_a_live_job_runs_again(bench: StoreBench) -> None:
    bench.submit(2, policy="collect")
    tasks = take(bench)
    kill(bench, tasks[0])
    assert bench.redrive("0") == (Code.OK, (1, 1))
    assert bench.redrive("0") == (Code.OK, (1, 0))
    bench.check()
    bench.commit(tasks[1], *take(bench).values())
    assert bench.status().state == "reducing"
    assert bench.redrive("0").code is Code.REDUCING


def test_a_redrive_that_leaves_too_many_dead_is_refused(bench: StoreBench) -> None:
    bench.submit(10, policy="tolerate", tolerance=0.1)
    tasks = take(bench)
    kill(bench, tasks[0], tasks[1])
    assert bench.status().state == "failed"
    assert bench.redrive() == (Code.REMAIN, (2,))
    assert bench.status().state == "failed"
    bench.check()
    assert bench.redrive("0").code is Code.OK
    bench.check()


def test_a_redrive_in_several_calls_is_one(bench: StoreBench) -> None:
    bench.submit(6, policy="collect", reducer=False)
    tasks = take(bench)
    kill(bench, *tasks.values())
    assert bench.redrive("0", "1", chosen=4, more=True) == (Code.OK, (2, 2))
    bench.commit(*take(bench).values())
    assert bench.status().state == "mapping"
    assert bench.redrive("2", "3", chosen=4) == (Code.OK, (2, 2))
    bench.commit(*take(bench).values())
    assert (bench.status().state, bench.status().failed) == ("succeeded", 2)
    assert [f.index for f in bench.inspector.failures("j", 1)] == [0, 1, 2, 3, 4, 5]
    bench.check()


def test_a_redrive_that_stopped_half_way_goes_on_by_itself(bench: StoreBench) -> None:
    bench.submit(2, policy="collect", reducer=False)
    kill(bench, *take(bench).values())
    bench.redrive("0", chosen=2, more=True)
    bench.commit(*take(bench).values())
    assert bench.status().state == "mapping"
    bench.redis("HSET", bench.keys.job_key("job", "j"), "held_until", 1)
    bench.sweep()
    assert bench.status().state == "succeeded"
    bench.check()


@pytest.mark.parametrize("end", ["cancelled", "unsealed", "nobody", "nothing"])
def test_what_cannot_be_redriven_is_left_as_it_is(bench: StoreBench, end: str) -> None:
    expected = {"cancelled": Code.ENDED, "unsealed": Code.UNSEALED, "nobody": Code.GONE}
    if end == "cancelled":
        bench.submit(1)
        bench.cancel()
    elif end == "unsealed":
        bench.create()
        bench.append(range(2))
        kill(bench, take(bench)[0])
    elif end == "nothing":
        bench.submit(1, reducer=False)
        bench.commit(*take(bench).values())
    assert bench.redrive("0").code is expected.get(end, Code.NOTHING)
    bench.check()


@pytest.mark.parametrize("permanent", [True, False], ids=["permanent", "the last attempt"])
def test_what_began_before_the_redrive_does_not_fail_the_job_again(
    bench: StoreBench, permanent: bool
) -> None:
    bench.submit(2, max_attempts=1)
    tasks = take(bench)
    kill(bench, tasks[0])
    assert bench.redrive("0").code is Code.OK
    assert bench.fail(tasks[1], permanent=permanent) == (Code.RETRY, (1,))
    bench.check()
    time.sleep(0.002)
    bench.make_retries_due()
    assert bench.fail(take(bench)[1], permanent=permanent).code is Code.DEAD
    bench.check()


def test_the_epoch_tells_workers_of_a_job_that_lives_again(bench: StoreBench) -> None:
    bench.submit(1)
    kill(bench, *take(bench).values())
    epoch = bench.keys.stream_key("epoch")
    before = int(bench.redis("GET", epoch) or 0)
    bench.redrive("0")
    assert int(bench.redis("GET", epoch)) == before + 1


def test_timed_out_tasks_that_run_again_are_no_longer_counted(bench: StoreBench) -> None:
    bench.submit(1)
    (task,) = take(bench).values()
    bench.fail(task, permanent=True, timed_out=True, error=b'{"type":"TaskTimeoutError"}')
    assert bench.status().timed_out == 1
    bench.redrive("0")
    assert bench.status().timed_out == 0
