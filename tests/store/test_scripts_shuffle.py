"""commit, finish and redrive of a shuffled job: runs, partitions, and what a redrive keeps."""

from __future__ import annotations

from amr.store.replies import Code
from amr.store.transitions import Done
from amr.task import Task
from tests.support.store_bench import StoreBench


def commit(bench: StoreBench, task: Task, *runs: tuple[str, bytes]) -> None:
    bench.link.run(bench.transitions.commit("j", [Done(task, b"[]", None, runs)], 1.0))


def map_all(bench: StoreBench, total: int, **fields: object) -> None:
    bench.submit(total, partitions=3, **fields)
    for task in bench.fetch():
        commit(bench, task, (f"0:{task.index}:0", b"run %d" % task.index))


def reduce_tasks(bench: StoreBench) -> dict[int, Task]:
    for job, field in bench.fleet.due_retries(1000):
        bench.forward(field, job=job)
    return {task.index: task for task in bench.fetch() if task.stage == "reduce"}


def test_the_last_map_starts_a_reduce_of_every_partition(bench: StoreBench) -> None:
    map_all(bench, 2)
    assert sorted(reduce_tasks(bench)) == [0, 1, 2]
    assert bench.inspector.runs("j", ["0:0:0", "0:1:0"]) == [b"run 0", b"run 1"]
    assert bench.status().state == "reducing"
    bench.check()


def test_runs_of_a_lost_race_change_nothing(bench: StoreBench) -> None:
    bench.submit(2, partitions=3)
    first, second = bench.fetch()
    bench.recover(first, blame="unknown")
    (again,) = bench.fetch()
    both = [Done(again, b"[]", None, [("0:0:0", b"winner")])]
    bench.link.run(bench.transitions.commit("j", both, 1.0))
    late = [Done(first, b"[]", None, [("0:0:0", b"loser")]), Done(second, b"[]", None, [])]
    bench.link.run(bench.transitions.commit("j", late, 1.0))
    assert bench.inspector.runs("j", ["0:0:0"]) == [b"winner"]
    bench.check()


def test_the_last_partition_ends_the_job_and_frees_the_runs(bench: StoreBench) -> None:
    map_all(bench, 1)
    tasks = reduce_tasks(bench)
    for partition, left in ((2, 1), (0, 2), (1, 3)):
        assert bench.finish(tasks[partition], b"[%d]" % partition).code is Code.OK
        assert bench.status().reduced == left
    assert bench.status().state == "succeeded"
    assert bench.inspector.result_parts("j", range(3)) == [b"[0]", b"[1]", b"[2]"]
    assert bench.inspector.runs("j", ["0:0:0"]) == [None]
    bench.check()


def test_a_partition_counts_once(bench: StoreBench) -> None:
    map_all(bench, 1)
    task = reduce_tasks(bench)[1]
    assert bench.finish(task, b"[1]").code is Code.OK
    assert bench.finish(task, b"[2]").code is Code.STALE
    assert bench.status().reduced == 1
    assert bench.inspector.result_parts("j", range(3))[1] == b"[1]"


def test_a_failed_partition_ends_the_job_and_a_redrive_makes_only_what_is_missing(
    bench: StoreBench,
) -> None:
    map_all(bench, 1)
    tasks = reduce_tasks(bench)
    bench.finish(tasks[0], b"[0]")
    bench.fail(tasks[2])
    bench.fail(tasks[1], permanent=True)
    status = bench.status()
    assert (status.state, status.error) == (
        "failed",
        "reduce task 1 failed after 1 attempt(s): E: broken",
    )
    assert bench.redrive(chosen=0).code is Code.OK
    assert bench.status().retrying == 0
    again = reduce_tasks(bench)
    assert sorted(again) == [1, 2]
    assert list(bench.inspector.failures("j")) == []
    for task in again.values():
        bench.finish(task, b"[9]")
    assert bench.inspector.result_parts("j", range(3)) == [b"[0]", b"[9]", b"[9]"]
    assert bench.status().state == "succeeded"


def test_a_redrive_of_map_tasks_makes_every_partition_again(bench: StoreBench) -> None:
    bench.submit(2, partitions=3, policy="collect")
    good, bad = bench.fetch()
    commit(bench, good)
    bench.fail(bad, permanent=True)
    tasks = reduce_tasks(bench)
    bench.finish(tasks[0], b"[0]")
    bench.fail(tasks[1], permanent=True)
    assert bench.redrive("1").code is Code.OK
    assert bench.inspector.result_parts("j", range(3)) == [None, None, None]
    assert bench.status().reduced == 0
    bench.forward("1")
    (again,) = bench.fetch()
    commit(bench, again)
    assert sorted(reduce_tasks(bench)) == [0, 1, 2]


def test_runs_are_kept_while_a_dead_task_may_be_redriven(bench: StoreBench) -> None:
    bench.submit(2, partitions=1, policy="collect")
    good, bad = bench.fetch()
    commit(bench, good, ("0:0:0", b"kept"))
    bench.fail(bad, permanent=True)
    bench.finish(reduce_tasks(bench)[0], b"[0]")
    assert bench.status().state == "succeeded"
    assert bench.inspector.runs("j", ["0:0:0"]) == [b"kept"]
    assert bench.redrive("1").code is Code.OK
    bench.forward("1")
    (again,) = bench.fetch()
    commit(bench, again)
    bench.finish(reduce_tasks(bench)[0], b"[1]")
    assert bench.inspector.result_parts("j", range(1), version=1) == [b"[0]"]
    assert bench.inspector.result_parts("j", range(1), version=2) == [b"[1]"]
    assert bench.status().state == "succeeded"
