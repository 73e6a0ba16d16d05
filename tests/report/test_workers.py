"""What workers run, as far as their triggers told; and which tasks straggle."""

from __future__ import annotations

from importlib import resources
from typing import Any

import orjson
import pytest

from amr.report import stragglers
from amr.report.details import DetailReader
from amr.report.stragglers import Straggler
from amr.report.workers import RunningTask, WorkerStatus, read_workers
from amr.store import fleet
from amr.task import Task
from tests.support.store_bench import StoreBench

LONG_S = 60.0


@pytest.fixture
def slow_from_5_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stragglers, "LEAST_MS", 5.0)


def beat(
    bench: StoreBench, running: dict[str, Any] | None, trigger: str = "t", **facts: Any
) -> None:
    """Lets a trigger tell what its workers run; one of an older version does not."""
    told = {"lease_s": 60, "host": "h", "name": "n", "workers": list(running or ["w1"])} | facts
    if running is not None:
        told["running"] = running
    call = bench.transitions.renew(trigger, orjson.dumps(told), 60, told["workers"])
    bench.link.run(call)


def entry(task: Task) -> str:
    return task.entry_id.decode()


def workers(bench: StoreBench) -> dict[str, WorkerStatus]:
    return {worker.worker: worker for worker in read_workers(bench.fleet, "s")}


def held_for(bench: StoreBench, seconds: float, *tasks: Task, worker: str = "w1") -> None:
    """Lets tasks have been in the hands of a worker for so long."""
    stream, ids = bench.keys.stream_key("stream"), [task.entry_id for task in tasks]
    idle_ms = round(seconds * 1000)
    bench.redis("XCLAIM", stream, "amr", worker, 0, *ids, "IDLE", idle_ms, "JUSTID")


def found(bench: StoreBench, job: str = "j") -> list[Straggler]:
    reader = DetailReader(bench.link, bench.keys, "s")
    return list(reader.read(bench.status(job)).stragglers)


def started(bench: StoreBench, total: int, **fields: Any) -> list[Task]:
    """Returns tasks of a job in the hands of w1, of which another one has ended quickly."""
    bench.submit(total + 1, **fields)
    first, *others = bench.fetch()
    bench.commit(first)
    return others


def test_each_worker_is_told_with_the_task_that_it_runs(bench: StoreBench) -> None:
    bench.submit(3)
    task = bench.fetch()[2]
    beat(bench, {"w1": {"entry": entry(task), "for_s": 2.25}, "w2": {"calls": 12}, "w3": {}})
    told = workers(bench)
    first = told["w1"]
    assert (first.state, first.calls, first.trigger, first.name) == ("running", 0, "t", "n")
    assert first.task is not None
    assert 2.2 <= first.task.running_s < 2.6
    assert first.task == RunningTask("j", "map", 2, 1, first.task.running_s)
    assert first.task.place == "map[2]"
    assert 0 <= first.told_s < 0.5
    assert (told["w2"].state, told["w2"].calls, told["w2"].task) == ("running", 12, None)
    assert (told["w3"].state, told["w3"].calls, told["w3"].task) == ("idle", 0, None)


def test_what_has_ended_since_it_was_told_is_no_error(bench: StoreBench) -> None:
    bench.submit(1)
    (task,) = bench.fetch()
    beat(bench, {"w1": {"entry": entry(task), "for_s": 0.1}})
    bench.commit(task)
    assert (workers(bench)["w1"].state, workers(bench)["w1"].task) == ("busy", None)


@pytest.mark.parametrize("torn", ["17636", "-", "1-", "1-\0", "9" * 25 + "-0", "\ufffd"])
def test_an_entry_that_was_read_while_it_was_written_is_no_error(
    bench: StoreBench, torn: str
) -> None:
    beat(bench, {"w1": {"entry": torn, "for_s": 0.1}})
    assert workers(bench)["w1"].state == "unknown"


def test_a_trigger_of_an_older_version_tells_nothing_of_its_workers(bench: StoreBench) -> None:
    beat(bench, None, workers=["w1", "w2"])
    assert [worker.state for worker in read_workers(bench.fleet, "s")] == ["unknown"] * 2


def test_a_worker_that_is_being_started_is_idle(bench: StoreBench) -> None:
    beat(bench, {"w1": {}}, workers=["w1", "w2"])
    assert workers(bench)["w2"].state == "idle"


def test_a_trigger_that_is_gone_is_left_out(bench: StoreBench) -> None:
    beat(bench, {"w1": {}}, lease_s=-1)
    assert workers(bench) == {}


def test_details_name_the_workers_that_run_the_job(bench: StoreBench) -> None:
    bench.submit(1)
    bench.submit(1, job="other")
    mine, others = bench.fetch()
    running = {"w1": {"entry": entry(mine), "for_s": 1}, "w2": {"entry": entry(others), "for_s": 1}}
    beat(bench, running | {"w3": {}})
    reader = DetailReader(bench.link, bench.keys, "s")
    assert [worker.worker for worker in reader.read(bench.status()).workers] == ["w1"]
    bench.cancel()
    assert reader.read(bench.status()).workers == ()


def test_what_a_worker_holds_much_longer_than_most_take_straggles(bench: StoreBench) -> None:
    slow, slower, quick = started(bench, 3)
    held_for(bench, LONG_S, slow)
    held_for(bench, 2 * LONG_S, slower)
    held_for(bench, 0.9, quick)
    first, second = found(bench)
    assert (first.index, second.index) == (slower.index, slow.index)
    assert (first.stage, first.attempt, first.worker, first.backup) == ("map", 1, "w1", False)
    assert 60 <= second.held_s < 61
    assert first.place == f"map[{slower.index}]"


def test_a_second_is_nothing_where_tasks_take_one(bench: StoreBench) -> None:
    bench.submit(2)
    _, slow = bench.fetch()
    bench.redis("HSET", bench.keys.job_key("job", "j"), "p95_us", 25_000_000)
    held_for(bench, 74.0, slow)
    assert found(bench) == []
    held_for(bench, 76.0, slow)
    assert [straggler.index for straggler in found(bench)] == [slow.index]


def test_what_straggles_is_what_gets_a_backup() -> None:
    script = resources.files("amr.store.scripts").joinpath("backup.lua").read_text()
    assert f"local SLOWER_THAN = {stragglers.SLOWER_THAN} " in script


def test_while_no_task_has_ended_none_straggles(bench: StoreBench) -> None:
    bench.submit(1)
    held_for(bench, LONG_S, *bench.fetch())
    assert found(bench) == []


def test_tasks_of_other_jobs_and_what_was_settled_are_left_out(bench: StoreBench) -> None:
    (mine,) = started(bench, 1)
    bench.submit(1, job="other")
    held_for(bench, LONG_S, mine, *bench.fetch())
    assert [straggler.index for straggler in found(bench)] == [mine.index]
    # An entry that no task in flight stands behind.
    bench.redis("HDEL", bench.keys.job_key("inflight", "j"), mine.index)
    assert found(bench) == []


def test_a_backup_is_told_with_the_execution_that_began_first(bench: StoreBench) -> None:
    (slow,) = started(bench, 1)
    held_for(bench, LONG_S, slow)
    bench.link.run(bench.transitions.backup("j", 1.0))
    assert [straggler.backup for straggler in found(bench)] == [True]
    (second,) = bench.fetch(worker="w2")
    held_for(bench, LONG_S / 2, second, worker="w2")
    (straggler,) = found(bench)
    assert (straggler.worker, straggler.attempt, straggler.backup) == ("w1", 1, True)


def test_a_reduce_task_straggles_as_well(bench: StoreBench) -> None:
    bench.submit(1, partitions=2)
    bench.commit(*bench.fetch())
    first, second = bench.fetch()
    bench.finish(first)
    held_for(bench, LONG_S, second)
    assert [straggler.place for straggler in found(bench)] == ["reduce[1]"]


def test_what_stands_behind_the_running_task_of_a_batch_has_not_begun(bench: StoreBench) -> None:
    runs, behind = started(bench, 2)
    beat(bench, {"w1": {"entry": entry(runs), "for_s": 30.0}})
    held_for(bench, LONG_S, runs, behind)
    assert [straggler.index for straggler in found(bench)] == [runs.index]
    assert found(bench)[0].held_s < 31
    beat(bench, {"w1": {"entry": entry(runs), "for_s": 0.1}})
    assert found(bench) == []


@pytest.mark.usefixtures("slow_from_5_ms")
def test_what_was_taken_since_the_heartbeat_counts_from_then(bench: StoreBench) -> None:
    old, new = started(bench, 2)
    triggers = bench.keys.stream_key("triggers")
    beat(bench, {"w1": {}})
    beat_ms, _, facts = bench.redis("HGET", triggers, "t").partition(b" ")
    bench.redis("HSET", triggers, "t", b"%d %b" % (int(beat_ms) - 4000, facts))
    held_for(bench, LONG_S, old)
    held_for(bench, 2.0, new)
    assert [straggler.index for straggler in found(bench)] == [new.index]


@pytest.mark.parametrize("running", [{"w1": {"calls": 2}}, None, {"another": {}}])
def test_of_calls_beside_others_and_of_workers_unheard_of_what_they_hold_counts(
    bench: StoreBench, running: dict[str, Any] | None
) -> None:
    one, two = started(bench, 2)
    held_for(bench, LONG_S, one, two)
    beat(bench, running)
    assert {straggler.index for straggler in found(bench)} == {one.index, two.index}


def test_many_held_entries_are_read_a_page_at_a_time(
    bench: StoreBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "_HELD_PAGE", 2)
    monkeypatch.setattr(fleet, "_READ_PAGE", 2)
    slow = started(bench, 5)
    held_for(bench, LONG_S, *slow)
    assert len(found(bench)) == 5
    monkeypatch.setattr(stragglers, "_HELD_MOST", 3)
    assert len(found(bench)) == 3
    monkeypatch.setattr(stragglers, "_READ_MOST", 1)
    assert len(found(bench)) == 1


def test_without_a_group_nobody_holds_anything(bench: StoreBench) -> None:
    held_for(bench, LONG_S, *started(bench, 1))
    bench.redis("DEL", bench.keys.stream_key("stream"))
    assert found(bench) == []
