"""What is known of tasks that are no map tasks, and of outputs that are no plain values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from amr import UsageError
from amr.report.task_details import TaskOutput
from amr.shuffle.mapped import lay_out, name_parts
from amr.storage.spilled import spill
from amr.store.transitions import Done
from amr.task import Task, node_number
from tests.report.conftest import Look
from tests.support.store_bench import StoreBench


def commit(bench: StoreBench, task: Task, output: bytes, *runs: tuple[str, bytes]) -> None:
    bench.link.run(bench.transitions.commit("j", [Done(task, output, None, runs)], 1.0))


def output_of(look: Look, which: int | str) -> TaskOutput:
    output = look(which).output
    assert output is not None
    return output


def test_the_reduce_task_waits_for_the_map_tasks(bench: StoreBench, look: Look) -> None:
    bench.submit(1)
    assert look("reduce").state == "waiting"
    bench.commit(*bench.fetch())
    assert (look("reduce").state, look("reduce").attempt) == ("queued", 1)
    bench.finish(*bench.fetch())
    found = look("reduce")
    assert (found.state, found.input, found.ended_ms) == ("done", None, bench.status().ended_ms)
    assert output_of(look, "reduce").value == 42


def test_a_dead_reduce_task_ended_with_its_job(bench: StoreBench, look: Look) -> None:
    bench.submit(1)
    bench.commit(*bench.fetch())
    bench.fail(*bench.fetch(), error=b'{"type":"E","worker":"w1"}', permanent=True)
    found = look("reduce")
    assert (found.state, found.attempt, found.ended_ms) == ("failed", 1, bench.status().ended_ms)
    assert found.error is not None
    assert found.error["worker"] == "w1"
    bench.redrive(chosen=0)
    assert (look("reduce").state, look("reduce").error) == ("queued", None)


def test_each_partition_is_a_task(bench: StoreBench, look: Look) -> None:
    bench.submit(1, partitions=3)
    commit(bench, *bench.fetch(), b'{"runs":[]}')
    tasks = {task.index: task for task in bench.fetch()}
    bench.finish(tasks[2], b"[2]")
    found = look("reduce[2]")
    assert (found.state, found.place, found.ended_ms) == ("done", "reduce[2]", None)
    assert output_of(look, "reduce2").value == [2]
    assert [look(f"reduce[{n}]").state for n in (0, 1)] == ["queued", "queued"]
    with pytest.raises(UsageError, match=re.escape("j has 3 reduce tasks: reduce[0] to reduce[2]")):
        look("reduce[3]")


def test_a_redriven_job_has_no_output_of_its_next_version_yet(
    bench: StoreBench, look: Look
) -> None:
    bench.submit(2, policy="collect")
    good, bad = bench.fetch()
    bench.commit(good)
    bench.fail(bad, permanent=True)
    bench.finish(*bench.fetch())
    assert look("reduce").state == "done"
    bench.redrive("1")
    assert look("reduce").state == "waiting"


def test_of_runs_it_is_told_how_many_and_where(bench: StoreBench, look: Look) -> None:
    bench.submit(1, partitions=2)
    table, written = lay_out([[[("a", b"12345")]], [[("b", b"1")], [("c", b"12")]]], [])
    mapped = name_parts(0, table, written)
    commit(bench, *bench.fetch(), mapped.table, *mapped.parts)
    assert output_of(look, 0) == TaskOutput("runs", count=3, bytes=8)
    for task in bench.fetch():
        bench.finish(task, b"[]")
    assert output_of(look, 0).missing == "deleted when the last partition was reduced"


def test_runs_in_a_store_have_their_file(bench: StoreBench, look: Look) -> None:
    bench.submit(1, partitions=1)
    table, _ = lay_out([[[("a", b"12345")]]], [])
    table.file = "/store/j/000000.runs"
    commit(bench, *bench.fetch(), table.dump())
    assert output_of(look, 0) == TaskOutput("runs", count=1, bytes=5, path="/store/j/000000.runs")


def test_an_output_in_a_store_is_given_itself(
    bench: StoreBench, look: Look, tmp_path: Path
) -> None:
    bench.submit(1)
    commit(bench, *bench.fetch(), spill(b'{"n":1}', str(tmp_path), "map-000000"))
    (file,) = tmp_path.iterdir()
    assert output_of(look, 0) == TaskOutput("value", {"n": 1}, bytes=7, path=str(file))
    file.unlink()
    output = output_of(look, 0)
    assert (output.value, output.path) == (None, str(file))
    assert f"{file} is not on" in (output.missing or "")


def test_of_a_written_output_its_file_is_told(bench: StoreBench, look: Look) -> None:
    told = b'{"path":"out/0.json","outputs":3,"bytes":99}'
    bench.submit(1, spec=b'{"mapper":"f.map","output":"out/{partition}.json"}', reducer=False)
    commit(bench, *bench.fetch(), told)
    assert output_of(look, 0) == TaskOutput("file", count=3, bytes=99, path="out/0.json")
    bench.submit(1, job="k", spec=b'{"mapper":"f.map","output":"o.json"}')
    (task,) = bench.fetch()
    bench.commit(task)
    bench.finish(*bench.fetch(), told)
    reduce, mapped = look("reduce", "k").output, look(0, "k").output
    assert reduce == TaskOutput("file", count=3, bytes=99, path="out/0.json")
    assert mapped == TaskOutput("value", 0, bytes=1)


def test_a_merge_waits_for_its_children_and_takes_their_place(
    bench: StoreBench, look: Look
) -> None:
    bench.submit(5, branches=2)
    tasks = bench.fetch()
    bench.commit(tasks[0])
    assert (look("merge[1.0]").state, look("merge[1.0]").children_ended) == ("waiting", 1)
    assert look("merge[2.0]").children_ended == 0
    bench.commit(*tasks[1:])
    assert (look("merge[1.0]").state, look("merge[1.0]").children_ended) == ("queued", None)
    assert output_of(look, 0).value == 0
    for task in bench.fetch():
        bench.merge(task, b"[7]")
    assert output_of(look, 1) == TaskOutput("merged", into="merge[1.0]")
    assert output_of(look, 3).into == "merge[1.1]"
    assert output_of(look, 4).value == 40
    assert output_of(look, "merge[1.1]").value == [7]
    bench.merge(*bench.fetch(), b"[8]")
    assert output_of(look, "merge[1.1]") == TaskOutput("merged", into="merge[2.0]")
    assert output_of(look, 0).into == "merge[1.0]"
    assert output_of(look, f"merge{node_number(2, 0)}").value == [8]


def test_a_merge_of_dead_tasks_alone_gives_nothing(bench: StoreBench, look: Look) -> None:
    bench.submit(3, branches=2, policy="collect")
    first, second, _ = bench.fetch()
    bench.fail(first, permanent=True)
    bench.fail(second, permanent=True)
    bench.merge(*bench.fetch(), b"")
    assert output_of(look, "merge[1.0]") == TaskOutput("nothing")


def test_a_dead_merge_ended_with_its_job(bench: StoreBench, look: Look) -> None:
    bench.submit(3, branches=2)
    bench.commit(*bench.fetch()[:2])
    bench.fail(*bench.fetch(), permanent=True)
    found = look("merge[1.0]")
    assert (found.state, found.ended_ms) == ("failed", bench.status().ended_ms)


@pytest.mark.parametrize("which", ["merge[1.2]", "merge[2.1]", "merge[3.0]", "merge[0.0]"])
def test_only_nodes_of_the_tree_are_merges(bench: StoreBench, look: Look, which: str) -> None:
    bench.submit(5, branches=2)
    with pytest.raises(UsageError, match=r"merge\[1.0\] to merge\[1.1\], merge\[2.0\]$"):
        look(which)


def test_a_tree_of_few_tasks_has_no_merges(bench: StoreBench, look: Look) -> None:
    bench.submit(2, branches=3)
    with pytest.raises(UsageError, match=r"job j has no merges$"):
        look("merge[1.0]")


def test_a_source_task_makes_the_inputs(bench: StoreBench, look: Look) -> None:
    bench.create(spec=b'{"mapper":"f.map","inputs":{"function":"f.make"}}')
    assert look("source").state == "waiting"
    bench.link.run(bench.transitions.ask("j"))
    assert look("source").state == "queued"
    (task,) = bench.fetch()
    bench.link.run(bench.transitions.gather(task, 0, [b"1", b"2"]))
    bench.link.run(bench.transitions.adopt(task, 2))
    assert look("source").state == "done"
    assert output_of(look, "source") == TaskOutput("inputs", count=2)


def test_a_job_after_another_waits_for_its_end(bench: StoreBench, look: Look) -> None:
    bench.submit(1, job="first", reducer=False)
    bench.create(spec=b'{"mapper":"f.map","inputs":{"job":"first"}}')
    bench.link.run(bench.transitions.follow("j", "first"))
    found = look("source")
    assert (found.state, found.status.after, found.due_ms) == ("waiting", "first", None)
    bench.link.run(bench.transitions.commit("first", [Done(*bench.fetch(), b"1", None)], 1.0))
    assert look("source").due_ms is not None
