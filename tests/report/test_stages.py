"""How far each stage is: counts by the scripts, rates and ends by arithmetic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from amr.report.details import DetailReader, JobDetails
from amr.report.stages import (
    Left,
    Mark,
    StageFacts,
    StageStatus,
    eta_s,
    recent_rate,
    stages_of,
)
from amr.states import JobState
from amr.store.events import Event
from amr.store.status import JobStatus
from amr.task import Task
from tests.support.statuses import RUNNING
from tests.support.store_bench import StoreBench

NOW = 1_000_000
FUNCTION = b'{"mapper":"f.map","inputs":{"function":"f.numbers"}}'
OTHER_JOB = b'{"mapper":"f.map","inputs":{"job":"a"}}'

MAPPING = replace(
    RUNNING,
    job="j",
    name="j",
    total=10_000,
    pending=5000,
    succeeded=3900,
    failed=100,
    created_ms=NOW - 100_000,
)
REDUCING = replace(
    MAPPING,
    state=JobState.REDUCING,
    pending=0,
    running=0,
    succeeded=10_000,
    failed=0,
    has_reducer=True,
    partitions=50,
    reduced=30,
)


def event(age_ms: int, kind: str, **fields: object) -> Event:
    named = {name: str(value) for name, value in fields.items()}
    return Event(f"{NOW - age_ms}-0", NOW - age_ms, kind, named)


def last_stage(status: JobStatus, *events: Event, redriven: bool = False) -> StageStatus:
    """Returns the last stage of a job with these events, the newest first."""
    facts = StageFacts(NOW, False, 0, redriven, events)
    return stages_of(status, facts)[-1]


def details(bench: StoreBench, job: str = "j") -> JobDetails:
    reader = DetailReader(bench.link, bench.keys, "s")
    return reader.read(bench.status(job))


def counts(bench: StoreBench, job: str = "j") -> dict[str, tuple[int | None, ...]]:
    """Returns waiting, running, done, failed and total of each stage."""
    return {
        s.stage: (s.waiting, s.running, s.done, s.failed, s.total)
        for s in details(bench, job).stages
    }


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([], None),
        ([Mark(NOW - 8000, 920), Mark(NOW - 80_000, 0)], 10.0),  # the newest that is enough
        ([Mark(NOW - 1000, 900), Mark(NOW - 10_000, 500)], 50.0),  # the first is too young
        ([Mark(NOW - 6000, 995), Mark(NOW - 60_000, 400)], 10.0),  # of the first came too few
        ([Mark(NOW - 2000, 800), Mark(NOW - 4000, 0)], 250.0),  # none is enough: the oldest
        ([Mark(NOW - 6000, 1000)], 0.0),
        ([Mark(NOW + 5, 1001), Mark(NOW - 10_000, 0)], 100.0),  # after the counts were read
        ([Mark(NOW + 5, 1001)], None),
        ([Mark(NOW - 3_000_000, 999)], 0.0003333),
    ],
)
def test_a_rate_is_over_the_last_seconds_that_tell_enough(
    marks: list[Mark], expected: float | None
) -> None:
    assert recent_rate(marks, 1000, NOW) == expected


@pytest.mark.parametrize(
    ("left", "limit", "expected"),
    [
        (Left(60, 40, 10), None, 10.0),
        (Left(60, 40, 10), 2.0, 30.0),  # those in flight have begun: the limit holds the others
        (Left(60, 40, 10), 1000.0, 10.0),
        (Left(0, 40, 40), None, None),
        (Left(1, 40, 40), None, 4.1),
        (Left(0, 0, 0), None, 0.0),
    ],
)
def test_the_time_left_follows_rate_and_limit_and_is_not_known_of_retries(
    left: Left, limit: float | None, expected: float | None
) -> None:
    assert eta_s(left, 10.0, limit) == expected


def test_the_rate_of_maps_is_that_since_a_line_of_progress() -> None:
    stage = last_stage(
        MAPPING,
        event(500, "progress", done=3800, failed=100),
        event(700, "retry", task="1", attempt="1", delay_ms="5"),
        event(10_000, "progress", done=1900, failed=100),
        event(20_000, "progress", done=900, failed=0),
        event(100_000, "created"),
    )
    assert (stage.rate, stage.eta_s) == (200.0, 30.0)


def test_without_a_line_in_reach_the_rate_is_that_since_the_job_began() -> None:
    assert last_stage(MAPPING).rate == 40.0
    assert last_stage(MAPPING, event(99_990, "queued", total=10_000)).rate == 40.0
    assert last_stage(MAPPING, redriven=True).rate is None


def test_maps_whose_inputs_a_task_made_began_when_it_ended() -> None:
    made = replace(MAPPING, has_source=True)
    assert last_stage(made, event(8000, "queued", total=10_000)).rate == 500.0
    assert last_stage(made).rate is None


@pytest.mark.parametrize("kind", ["paused", "resumed", "redriven"])
def test_no_rate_is_taken_across_a_standstill_or_a_new_count(kind: str) -> None:
    before = event(60_000, "progress", done=0, failed=0)
    assert last_stage(MAPPING, event(9000, kind), before).rate is None
    since = event(8000, "progress", done=3100, failed=100)
    assert last_stage(MAPPING, since, event(9000, kind), before).rate == 100.0
    reduced = event(8000, "reduced", done=20, total=50)
    assert last_stage(REDUCING, event(9000, kind), reduced).rate is None
    assert last_stage(REDUCING, reduced, event(9000, kind)).rate == 1.25


@pytest.mark.parametrize(
    ("changes", "has_rate"),
    [
        ({"paused": True}, False),
        ({"state": JobState.FAILED}, False),
        ({"state": JobState.SUCCEEDED}, False),
        ({"state": JobState.SUBMITTING, "submitted": False}, True),
        ({"retrying": 6000}, True),
    ],
)
def test_what_does_not_run_or_is_not_known_has_no_end(
    changes: dict[str, Any], has_rate: bool
) -> None:
    stage = last_stage(replace(MAPPING, **changes))
    assert (stage.rate is not None, stage.eta_s) == (has_rate, None)


def test_the_jobs_own_limit_tells_at_least_how_long_its_maps_take() -> None:
    assert last_stage(replace(MAPPING, rate=10.0)).eta_s == 500.0


def test_the_rate_of_a_reduce_is_that_of_its_partitions() -> None:
    lines = [
        event(3000, "reduced", done=25, total=50),
        event(6000, "reduced", done=15, total=50),
        event(9000, "reducing", done=10_000, failed=0),
        event(9500, "progress", done=9000, failed=0),
    ]
    stage = last_stage(REDUCING, *lines)
    assert (stage.running, stage.rate, stage.eta_s) == (20, 2.5, 8.0)
    assert last_stage(REDUCING, *lines[2:]).rate == 3.333
    # A redriven job may have had results before its reduce began again.
    assert last_stage(REDUCING, *lines[2:], redriven=True).rate is None
    assert last_stage(replace(REDUCING, partitions=0, reduced=0), *lines[2:]).rate is None


def test_each_task_of_a_job_is_counted_in_one_place(bench: StoreBench) -> None:
    bench.submit(5, concurrency=3, max_attempts=1, policy="collect")
    assert counts(bench) == {"map": (2, 3, 0, 0, 5), "reduce": (1, 0, 0, 0, 1)}
    first, second, third = bench.fetch()
    bench.commit(first)
    bench.fail(second)
    assert counts(bench)["map"] == (0, 3, 1, 1, 5)
    bench.commit(third, *bench.fetch())
    assert counts(bench) == {"map": (0, 0, 4, 1, 5), "reduce": (0, 1, 0, 0, 1)}
    (reduce,) = bench.fetch()
    bench.finish(reduce)
    assert counts(bench) == {"map": (0, 0, 4, 1, 5), "reduce": (0, 0, 1, 0, 1)}


def test_merges_are_a_stage_of_their_own(bench: StoreBench) -> None:
    bench.create(branches=2, max_attempts=1)
    bench.append(range(5))
    tasks = bench.fetch()
    bench.commit(*tasks[:2])
    assert counts(bench)["merge"] == (0, 1, 0, 0, None)
    bench.seal(5)
    assert counts(bench)["merge"] == (2, 1, 0, 0, 3)
    bench.merge(*bench.fetch())
    assert counts(bench)["merge"] == (2, 0, 1, 0, 3)
    bench.commit(*tasks[2:4])
    bench.fail(*bench.fetch())
    assert counts(bench)["merge"] == (0, 0, 1, 1, 3)
    assert counts(bench)["reduce"] == (0, 0, 0, 0, 1)


def test_a_task_that_waits_for_its_retry_is_in_flight(bench: StoreBench) -> None:
    bench.submit(1, reducer=False)
    bench.fail(*bench.fetch())
    assert counts(bench) == {"map": (0, 1, 0, 0, 1)}


def test_while_inputs_come_neither_total_nor_end_is_known(bench: StoreBench) -> None:
    bench.create(reducer=False)
    bench.append(range(4))
    bench.commit(*bench.fetch()[:2])
    (stage,) = details(bench).stages
    assert (stage.total, stage.waiting, stage.running, stage.done) == (None, 0, 2, 2)
    assert stage.eta_s is None


def ask(bench: StoreBench) -> Task:
    """Makes a job whose inputs a function makes, and returns that task."""
    bench.create(spec=FUNCTION, max_attempts=1)
    bench.link.run(bench.transitions.ask("j"))
    (task,) = bench.fetch()
    return task


def test_a_source_task_is_a_stage_of_its_own(bench: StoreBench) -> None:
    task = ask(bench)
    assert counts(bench) == {
        "source": (0, 1, 0, 0, 1),
        "map": (0, 0, 0, 0, None),
        "reduce": (1, 0, 0, 0, 1),
    }
    bench.link.run(bench.transitions.gather(task, 0, [b"1", b"2"]))
    bench.link.run(bench.transitions.adopt(task, 2))
    assert counts(bench)["source"] == (0, 0, 1, 0, 1)
    assert counts(bench)["map"] == (0, 2, 0, 0, 2)


def test_a_source_task_that_died_is_told_as_that(bench: StoreBench) -> None:
    bench.fail(ask(bench))
    assert counts(bench) == {
        "source": (0, 0, 0, 1, 1),
        "map": (0, 0, 0, 0, None),
        "reduce": (0, 0, 0, 0, 1),
    }


def test_a_job_that_follows_another_waits_for_its_end(bench: StoreBench) -> None:
    bench.submit(1, "a", reducer=False)
    bench.create("b", spec=OTHER_JOB)
    bench.link.run(bench.transitions.follow("b", "a"))
    assert counts(bench, "b")["source"] == (1, 0, 0, 0, 1)
    bench.commit(*bench.fetch())
    bench.forward("source", job="b")
    assert counts(bench, "b")["source"] == (0, 1, 0, 0, 1)


def test_partitions_are_the_tasks_of_a_shuffled_reduce(bench: StoreBench) -> None:
    bench.submit(1, partitions=3, max_attempts=1)
    assert counts(bench)["reduce"] == (3, 0, 0, 0, 3)
    bench.commit(*bench.fetch())
    first, second, _ = bench.fetch()
    bench.finish(first)
    stage = details(bench).stages[-1]
    assert (stage.running, stage.done) == (2, 1)
    bench.fail(second)
    assert counts(bench)["reduce"] == (0, 0, 1, 1, 3)
    assert counts(bench)["map"] == (0, 0, 1, 0, 1)


@pytest.mark.parametrize("total", [3, 30_000])
def test_a_large_job_takes_as_many_calls_as_a_small_one(
    bench: StoreBench, total: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.submit(total, concurrency=100)
    bench.commit(*bench.fetch()[:2])
    status = bench.status()
    sent = []
    run_all = bench.link.run_all

    def count(calls: Any) -> Any:
        sent.append(len(calls))
        return run_all(calls)

    monkeypatch.setattr(bench.link, "run_all", count)
    DetailReader(bench.link, bench.keys, "s").read(status)
    assert sent == [5, 2, 1]  # facts, triggers, what workers hold
