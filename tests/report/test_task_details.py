"""All that is known of one task: where it is, its holders, its failures and its lines."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from amr import UsageError
from amr.store import events
from amr.store.fleet import Fleet, Held
from amr.store.transitions import Done
from tests.report.conftest import Look
from tests.report.test_workers import beat, entry, held_for
from tests.support.store_bench import StoreBench

ERROR = b'{"type":"E","message":"broken","traceback":"File x","worker":"w1"}'


def printed(bench: StoreBench, *lines: tuple[int, str], stage: str = "map") -> None:
    """Lets tasks print lines."""
    rows = [(stage, index, 1, 1000, "print", text) for index, text in lines]
    bench.link.run(bench.transitions.log("j", rows))


def test_a_task_behind_the_window_waits(bench: StoreBench, look: Look) -> None:
    bench.submit(3, concurrency=1)
    found = look(2)
    assert (found.state, found.place, found.input) == ("waiting", "map[2]", 2)
    assert (found.attempt, found.max_attempts, found.entry, found.output) == (None, 3, None, None)
    assert found.status.job == "j"


def test_a_task_that_nobody_has_taken_is_queued(bench: StoreBench, look: Look) -> None:
    bench.submit(1)
    found = look("0")
    assert (found.state, found.attempt, found.executions) == ("queued", 1, ())
    assert (bench.flight("0") or "").split()[0] == found.entry
    assert found.queued_ms is not None
    assert 0 <= found.read_ms - found.queued_ms < 10_000


def test_a_task_runs_for_as_long_as_its_trigger_tells(bench: StoreBench, look: Look) -> None:
    bench.submit(2)
    runs, behind = bench.fetch()
    held_for(bench, 60.0, runs, behind)
    beat(bench, {"w1": {"entry": entry(runs), "for_s": 2.25}})
    found = look(0)
    (execution,) = found.executions
    assert (found.state, execution.worker, execution.entry) == ("running", "w1", found.entry)
    assert 2.2 <= (execution.running_s or 0) < 3
    assert 60 <= execution.held_s < 61
    second = look(1)
    assert second.state == "queued"
    assert (second.executions[0].worker, second.executions[0].running_s) == ("w1", None)
    assert not second.executions[0].is_gone


def test_of_calls_beside_others_the_time_since_they_were_taken_counts(
    bench: StoreBench, look: Look
) -> None:
    bench.submit(2)
    held_for(bench, 5.0, *bench.fetch())
    beat(bench, {"w1": {"calls": 2}})
    assert [look(index).state for index in (0, 1)] == ["running", "running"]
    assert 5 <= (look(0).executions[0].running_s or 0) < 6


def test_what_a_worker_holds_that_is_gone_does_not_run(bench: StoreBench, look: Look) -> None:
    bench.submit(1)
    bench.fetch()
    found = look(0)
    (execution,) = found.executions
    assert (found.state, execution.is_gone, execution.running_s) == ("queued", True, None)


def test_without_a_stream_nobody_holds_a_task(bench: StoreBench, look: Look) -> None:
    bench.submit(1)
    bench.fetch()
    bench.redis("DEL", bench.keys.stream_key("stream"))
    assert (look(0).state, look(0).executions) == ("queued", ())


def test_a_backup_is_a_second_execution(bench: StoreBench, look: Look) -> None:
    bench.submit(2)
    first, slow = bench.fetch()
    bench.commit(first)
    held_for(bench, 60.0, slow)
    bench.link.run(bench.transitions.backup("j", 1.0))
    (second,) = bench.fetch(worker="w2")
    beat(bench, {"w1": {"calls": 1}, "w2": {"calls": 1}})
    found = look(1)
    assert [one.worker for one in found.executions] == ["w1", "w2"]
    assert (found.state, found.attempt) == ("running", 1)
    assert [event.kind for event in found.history] == ["backup"]
    bench.fail(second)
    found = look(1)
    assert [one.worker for one in found.executions] == ["w1"]
    assert found.state == "running"
    assert found.due_ms is not None


def test_a_retry_waits_until_its_time(bench: StoreBench, look: Look) -> None:
    bench.submit(2)
    task, other = bench.fetch()
    bench.fail(task, delay_s=60.0, summary="E: broken")
    bench.fail(other)
    found = look(0)
    assert (found.state, found.attempt, found.executions) == ("delayed", 2, ())
    assert found.due_ms is not None
    assert 50_000 < found.due_ms - found.read_ms <= 60_000
    (event,) = found.history
    assert (event.kind, event.fields["attempt"], event.fields["error"]) == (
        "retry",
        "1",
        "E: broken",
    )
    assert event.fields["delay_ms"] == "60000"
    bench.make_retries_due()
    bench.forward("0")
    assert (look(0).state, look(0).attempt) == ("queued", 2)


def test_what_a_paused_job_gave_back_waits_for_no_time(bench: StoreBench, look: Look) -> None:
    bench.submit(1)
    task = bench.fetch()
    bench.pause()
    bench.release(*task)
    found = look(0)
    assert (found.state, found.attempt, found.due_ms) == ("delayed", 1, None)
    assert found.status.paused


def test_crashes_and_deferrals_are_counted(bench: StoreBench, look: Look) -> None:
    bench.submit(1)
    bench.recover(*bench.fetch())
    (again,) = bench.fetch()
    bench.fail(again, deferred=True)
    found = look(0)
    assert (found.crashes, found.deferrals, found.attempt) == (1, 1, 2)
    assert [event.fields["error"] for event in found.history] == [
        "WorkerDied: gone",
        "E: broken",
    ]


def test_a_done_task_has_its_output(bench: StoreBench, look: Look) -> None:
    bench.submit(2)
    _, task = bench.fetch()
    bench.commit(task)
    found = look(1)
    assert found.state == "done"
    assert found.output is not None
    assert (found.output.kind, found.output.value, found.output.bytes) == ("value", 10, 2)
    assert (found.attempt, found.entry, found.ended_ms) == (None, None, None)


def test_an_output_of_null_is_an_output(bench: StoreBench, look: Look) -> None:
    bench.submit(1)
    bench.link.run(bench.transitions.commit("j", [Done(*bench.fetch(), b"null", None)], 1.0))
    output = look(0).output
    assert output is not None
    assert (output.kind, output.value) == ("value", None)


def test_a_dead_letter_has_its_whole_error(bench: StoreBench, look: Look) -> None:
    bench.submit(2, policy="collect", reducer=False)
    _, task = bench.fetch()
    bench.fail(task)
    bench.make_retries_due()
    bench.forward("1")
    bench.fail(*bench.fetch(), error=ERROR, permanent=True)
    found = look(1)
    assert (found.state, found.attempt, found.input, found.output) == ("failed", 2, 1, None)
    assert found.error == {"type": "E", "message": "broken", "traceback": "File x", "worker": "w1"}
    assert [event.kind for event in found.history] == ["retry", "failed"]
    assert found.ended_ms == found.history[-1].time_ms


def test_the_end_of_a_job_cuts_its_other_tasks_off(bench: StoreBench, look: Look) -> None:
    bench.submit(3, concurrency=2)
    task, _ = bench.fetch()
    bench.fail(task, permanent=True)
    assert [look(index).state for index in range(3)] == ["failed", "cut off", "cut off"]
    assert [look(index).attempt for index in range(3)] == [1, 1, None]
    assert look(1).executions == ()
    assert look("reduce").state == "cut off"


def test_a_cancelled_task_has_its_history_and_lines_left(bench: StoreBench, look: Look) -> None:
    bench.submit(1)
    printed(bench, (0, "hello"))
    bench.fail(*bench.fetch())
    bench.cancel()
    found = look(0)
    assert (found.state, found.input, found.output, found.due_ms) == ("cancelled", None, None, None)
    assert [event.kind for event in found.history] == ["retry"]
    assert [line.fields["text"] for line in found.log] == ["hello"]


def test_a_redriven_task_tells_what_the_version_before_ended_with(
    bench: StoreBench, look: Look
) -> None:
    bench.submit(2, policy="collect", reducer=False)
    first, dead = bench.fetch()
    bench.commit(first)
    bench.fail(dead, error=ERROR, permanent=True)
    assert bench.status().state == "succeeded"
    bench.redrive("1")
    found = look(1)
    assert (found.state, found.attempt, found.error) == ("delayed", 1, None)
    (earlier,) = found.earlier
    assert (earlier.version, earlier.attempts, earlier.error["traceback"]) == (1, 1, "File x")
    assert look(0).earlier == ()
    bench.forward("1")
    bench.commit(*bench.fetch())
    found = look(1)
    assert (found.state, found.earlier, found.ended_ms) == ("done", (earlier,), None)
    assert [event.kind for event in found.history] == ["failed"]


def test_only_the_tasks_own_skipped_records_are_told(bench: StoreBench, look: Look) -> None:
    bench.submit(2, skip_most=5)
    for task in bench.fetch():
        skipped = [(task.index + 3, b'{"type":"E","message":"m","input":5}')]
        done = Done(task, b"[]", {"amr.records": 10}, (), skipped)
        bench.link.run(bench.transitions.commit("j", [done], 1.0))
    (record,) = look(1).skipped
    assert (record.index, record.record, record.input) == (1, 4, 5)


def test_only_the_tasks_own_lines_are_told_in_order(bench: StoreBench, look: Look) -> None:
    bench.submit(12)
    printed(bench, (1, "a"), (0, "of another"), (1, "b"), (11, "of another"))
    printed(bench, (1, "of another stage"), stage="reduce")
    found = look(1)
    assert [(line.fields["text"], line.time_ms) for line in found.log] == [
        ("a", 1000),
        ("b", 1000),
    ]
    assert found.log_since_ms is None


def test_a_task_whose_output_is_lost_is_not_known(bench: StoreBench, look: Look) -> None:
    bench.submit(2)
    bench.commit(*bench.fetch())
    bench.redis("HDEL", bench.keys.job_key("outputs", "j"), 1)
    assert look(1).state == "unknown"


def test_a_task_that_moves_while_it_is_looked_at_is_looked_at_again(
    bench: StoreBench, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.submit(2)
    tasks = bench.fetch()
    look_for = Fleet.holders

    def ends_meanwhile(fleet: Fleet, entries: list[bytes]) -> list[Held]:
        if tasks:
            bench.commit(tasks.pop())
        return look_for(fleet, entries)

    monkeypatch.setattr(Fleet, "holders", ends_meanwhile)
    assert look(1).state == "done"


@pytest.mark.parametrize(
    ("which", "error"),
    [
        (3, "no task map[3]: job j has 3 map tasks: 0 to 2"),
        ("9" * 15, f"no task map[{'9' * 15}]: job j has 3 map tasks: 0 to 2"),
        ("reduce[1]", "no task reduce[1]: job j has 1 reduce task: reduce"),
        ("merge[1.0]", "no task merge[1.0]: job j has no reduce_tree"),
        ("source", "no task source: job j has no task that makes its inputs"),
        (-1, '"-1" is no task: name a map task by its index, such as 37, or give reduce, '),
        ("\x1b[2J", '"\\u001b[2J" is no task'),
    ],
)
def test_a_task_that_is_not_there_is_refused_with_what_is(
    bench: StoreBench, look: Look, which: int | str, error: str
) -> None:
    bench.submit(3)
    with pytest.raises(UsageError, match=re.escape(error)):
        look(which)


def test_while_inputs_come_there_may_be_more(bench: StoreBench, look: Look) -> None:
    bench.create(reducer=False)
    with pytest.raises(UsageError, match="job j has no map tasks yet"):
        look(0)
    with pytest.raises(UsageError, match="job j has no reducer"):
        look("reduce")
    bench.append(range(1))
    with pytest.raises(UsageError, match=r"job j has 1 map task so far: 0$"):
        look(1)
    assert look(0).state == "queued"


def test_of_many_lines_the_newest_are_read_and_older_ones_said_to_be_gone(
    bench: StoreBench, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_PAGE", 2)
    monkeypatch.setattr(events, "KEPT_LINES", 4)
    bench.submit(1)
    printed(bench, (0, "a"), (0, "b"), (0, "c"))
    assert look(0).log_since_ms is None
    assert len(look(0).log) == 3
    printed(bench, (0, "d"), (0, "e"))
    found = look(0)
    assert [line.fields["text"] for line in found.log] == ["b", "c", "d", "e"]
    assert found.log_since_ms == 1000


@pytest.mark.parametrize("script", ["log.lua", "includes/emit.lua"])
def test_so_many_lines_are_read_as_redis_keeps(script: str) -> None:
    text = resources.files("amr.store.scripts").joinpath(script).read_text()
    assert f"'MAXLEN', '~', {events.KEPT_LINES}, " in text
