"""merge, and what commit, fail and redrive do for a reduce tree."""

from __future__ import annotations

import json

from amr.store.replies import Code
from amr.store.transitions import Done
from amr.task import TREE_LEVELS, Task
from tests.support.store_bench import StoreBench
from tests.support.tree import read_children

FIRST_LEVEL = [1, TREE_LEVELS + 1]  # the nodes over the first four map tasks, two by two
SECOND_LEVEL = 2  # the node over all four


def commit(bench: StoreBench, *tasks: Task) -> None:
    done = [Done(task, b"[%d]" % task.index, None) for task in tasks]
    bench.link.run(bench.transitions.commit("j", done, 1.0))
    bench.check()


def start(bench: StoreBench, total: int, **fields: object) -> list[Task]:
    bench.submit(total, branches=2, **fields)
    return bench.fetch()


def merge(bench: StoreBench, task: Task) -> Code:
    """Merges as a worker does."""
    joined = read_children(bench, task, 2)
    assert joined is not None
    code = bench.merge(task, joined).code
    bench.check()
    return code


def partial(bench: StoreBench, node: int) -> list[int] | None:
    (found,) = bench.inspector.partials("j", [node])
    return None if found is None else json.loads(found)


def kill(bench: StoreBench, task: Task) -> None:
    assert bench.fail(task, permanent=True).code is Code.DEAD
    bench.check()


def test_a_node_is_merged_while_others_are_mapped(bench: StoreBench) -> None:
    tasks = start(bench, 5)
    commit(bench, tasks[2])
    assert bench.fetch() == []
    commit(bench, tasks[3])
    (task,) = bench.fetch()
    assert (task.stage, task.index) == ("merge", FIRST_LEVEL[1])
    assert merge(bench, task) is Code.OK
    assert partial(bench, FIRST_LEVEL[1]) == [2, 3]
    assert bench.status().state == "mapping"


def test_a_partial_result_takes_the_place_of_what_it_was_made_of(bench: StoreBench) -> None:
    tasks = start(bench, 4)
    commit(bench, *tasks)
    lower = bench.fetch()
    merge(bench, lower[0])
    assert [output for _, output in bench.inspector.outputs("j", 4)] == [None, None, b"[2]", b"[3]"]
    merge(bench, lower[1])
    (upper,) = bench.fetch()
    assert upper.index == SECOND_LEVEL
    merge(bench, upper)
    assert [partial(bench, node) for node in FIRST_LEVEL] == [None, None]
    assert partial(bench, SECOND_LEVEL) == [0, 1, 2, 3]
    assert bench.status().succeeded == 4


def test_the_reduce_begins_when_the_last_merge_has_ended(bench: StoreBench) -> None:
    tasks = start(bench, 3)
    commit(bench, *tasks)
    (task,) = bench.fetch()
    assert bench.status().state == "mapping"
    merge(bench, task)
    (last,) = bench.fetch()
    assert last.stage == "reduce"
    assert json.loads(read_children(bench, last, 2) or b"") == [0, 1, 2]


def test_a_merge_counts_once(bench: StoreBench) -> None:
    tasks = start(bench, 5)
    commit(bench, *tasks[:2])
    (task,) = bench.fetch()
    assert merge(bench, task) is Code.OK
    assert bench.merge(task, b"[9]").code is Code.STALE
    assert partial(bench, FIRST_LEVEL[0]) == [0, 1]
    assert bench.status().counters == {"m": 1}
    bench.check()


def test_a_merge_from_a_strangers_entry_is_not_taken(bench: StoreBench) -> None:
    tasks = start(bench, 5)
    commit(bench, *tasks[:2])
    (task,) = bench.fetch()
    assert bench.merge(task._replace(entry_id=b"9-9"), b"[9]").code is Code.STALE
    assert partial(bench, FIRST_LEVEL[0]) is None
    assert merge(bench, task) is Code.OK


def test_a_merge_of_a_job_that_has_ended_changes_nothing(bench: StoreBench) -> None:
    tasks = start(bench, 5)
    commit(bench, *tasks[:2])
    (task,) = bench.fetch()
    bench.cancel()
    assert bench.merge(task).code is Code.GONE
    assert bench.merge(task._replace(job="nobody")).code is Code.GONE
    assert partial(bench, FIRST_LEVEL[0]) is None
    assert bench.stream_length() == 3  # of the tasks that were in hand


def test_a_merge_that_waits_for_its_retry_takes_no_place(bench: StoreBench) -> None:
    tasks = start(bench, 6, concurrency=2)
    commit(bench, *tasks)
    merging, third = bench.fetch()
    assert (merging.stage, third.index) == ("merge", 2)
    bench.fail(merging, delay_s=0)
    bench.check()
    (fourth,) = bench.fetch()
    assert fourth.index == 3
    # It takes its place again when it is due, and gives it to the next task when it has ended.
    bench.forward(merging.field)
    (again,) = bench.fetch()
    assert again.attempt == 2
    commit(bench, third)
    assert bench.fetch() == []
    merge(bench, again)
    assert [task.index for task in bench.fetch()] == [4]


def test_an_older_attempt_may_merge_while_the_next_one_waits(bench: StoreBench) -> None:
    tasks = start(bench, 5)
    commit(bench, *tasks[:2])
    (task,) = bench.fetch()
    bench.recover(task, "unknown")
    (again,) = bench.fetch()
    bench.fail(again)
    assert merge(bench, task) is Code.OK
    assert bench.status().retrying == 0
    assert bench.fleet.due_retries(10) == []
    bench.check()


def test_a_merge_that_is_out_of_attempts_fails_the_job(bench: StoreBench) -> None:
    tasks = start(bench, 3)
    commit(bench, *tasks[:2])
    (task,) = bench.fetch()
    kill(bench, task)
    status = bench.status()
    assert (status.state, status.failed) == ("failed", 0)
    assert status.error == "a merge of partial results failed after 1 attempt(s): E: broken"
    (failure,) = bench.inspector.failures("j")
    assert failure.place == "merge[1.0]"


def test_a_redrive_makes_the_dead_merge_again(bench: StoreBench) -> None:
    tasks = start(bench, 3)
    commit(bench, *tasks[:2])
    (task,) = bench.fetch()
    kill(bench, task)
    assert bench.redrive().code is Code.OK
    bench.check()
    assert list(bench.inspector.failures("j")) == []
    (again,) = bench.fetch()
    assert (again.stage, again.attempt) == ("merge", 1)
    commit(bench, tasks[2])
    assert merge(bench, again) is Code.OK
    assert bench.status().state == "reducing"


def test_a_redrive_goes_on_with_merges_that_the_end_cut_off(bench: StoreBench) -> None:
    tasks = start(bench, 5)
    commit(bench, *tasks[:2])
    kill(bench, tasks[4])
    for task in bench.fetch():
        assert bench.merge(task).code is Code.GONE
    assert bench.redrive("4").code is Code.OK
    bench.make_retries_due()
    bench.forward("4")
    again = [task for task in bench.fetch() if task.stage == "merge"]
    assert [merge(bench, task) for task in again] == [Code.OK]


def test_failures_that_are_collected_count_as_outcomes(bench: StoreBench) -> None:
    tasks = start(bench, 4, policy="collect")
    kill(bench, tasks[0])
    commit(bench, tasks[1], tasks[3])
    (task,) = bench.fetch()
    merge(bench, task)
    assert partial(bench, FIRST_LEVEL[0]) == [1]
    # What was merged is kept: the redrive of the one that failed needs the other again.
    assert bench.inspector.outputs("j", 2)
    kill(bench, tasks[2])
    merge(bench, bench.fetch()[0])
    merge(bench, bench.fetch()[0])
    assert partial(bench, SECOND_LEVEL) == [1, 3]


def redriven_node(bench: StoreBench) -> Task:
    """Fails the first of five, merges all above it, redrives it, and returns its next attempt."""
    tasks = start(bench, 5, policy="collect")
    kill(bench, tasks[0])
    commit(bench, *tasks[1:4])
    for _ in range(3):
        merge(bench, bench.fetch(1)[0])
    assert partial(bench, SECOND_LEVEL) == [1, 2, 3]
    assert bench.redrive("0").code is Code.OK
    bench.check()
    bench.make_retries_due()
    bench.forward("0")
    return bench.fetch()[-1]


def test_a_redrive_merges_anew_what_was_merged_without_it(bench: StoreBench) -> None:
    task = redriven_node(bench)
    assert [partial(bench, node) for node in (*FIRST_LEVEL, SECOND_LEVEL)] == [None, [2, 3], None]
    commit(bench, task)
    merge(bench, bench.fetch()[0])
    merge(bench, bench.fetch()[0])
    assert partial(bench, SECOND_LEVEL) == [0, 1, 2, 3]


def test_a_redrive_ends_the_merge_that_runs_without_it(bench: StoreBench) -> None:
    for state in ("running", "waiting for its retry"):
        job = bench.keys.job_key("job", "j")
        tasks = start(bench, 4, policy="collect")
        kill(bench, tasks[0])
        commit(bench, tasks[1])
        (old,) = bench.fetch()
        if state != "running":
            bench.fail(old)
        assert bench.redrive("0").code is Code.OK
        bench.check()
        assert bench.merge(old, b"[1]").code is Code.STALE
        assert bench.redis("HGET", job, "merging") == b"0"
        bench.make_retries_due()
        bench.forward("0")
        commit(bench, bench.fetch()[0])
        (again,) = bench.fetch()
        merge(bench, again)
        assert partial(bench, FIRST_LEVEL[0]) == [0, 1]
        bench.cancel()
        bench.prune()


def test_two_redriven_tasks_of_one_node_are_both_waited_for(bench: StoreBench) -> None:
    tasks = start(bench, 4, policy="collect")
    kill(bench, tasks[0])
    kill(bench, tasks[1])
    merge(bench, bench.fetch()[0])
    assert bench.redrive("0", "1").code is Code.OK
    bench.check()
    bench.make_retries_due()
    bench.forward("0", "1")
    first, second = bench.fetch()
    commit(bench, first)
    assert bench.fetch() == []
    commit(bench, second)
    merge(bench, bench.fetch()[0])
    assert partial(bench, FIRST_LEVEL[0]) == [0, 1]


def test_a_lost_merge_entry_is_replaced(bench: StoreBench) -> None:
    tasks = start(bench, 5)
    commit(bench, *tasks[:2])
    (task,) = bench.fetch()
    bench.redis("XDEL", bench.keys.stream_key("stream"), task.entry_id)
    bench.sweep(older_s=-1)
    (again,) = bench.fetch()
    assert (again.stage, again.index) == ("merge", task.index)
    bench.check()
