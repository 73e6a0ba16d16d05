"""`amr status` and `amr trigger workers`: stages, stragglers, and what each worker runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from amr.cli.status_tables import show_status, show_workers, shown_work
from amr.report.details import JobDetails
from amr.report.stages import StageStatus
from amr.report.stragglers import Straggler
from amr.report.workers import RunningTask, WorkerStatus
from tests.cli.conftest import WriteJob
from tests.cli.test_progress import RUNNING
from tests.support.cli import amr
from tests.support.trigger_process import TriggerProcess
from tests.support.wait import wait_for

IDLE = WorkerStatus("w1", "inputs", "t", "demo", "h", "idle", None, 0, 0.4)
TASK = RunningTask("pi-1", "map", 37, 1, 2.3)


@pytest.mark.parametrize(
    ("worker", "shown"),
    [
        (IDLE, "idle"),
        (replace(IDLE, state="busy"), "busy"),
        (replace(IDLE, state="unknown"), "unknown"),
        (replace(IDLE, state="running", task=TASK), "map[37] of pi-1 for 2.3s"),
        (replace(IDLE, state="running", calls=1), "1 call"),
        (replace(IDLE, state="running", calls=1200), "1,200 calls"),
        (replace(IDLE, state="running", task=TASK, calls=1), "map[37] of pi-1 for 2.3s"),
        (replace(IDLE, state="running", task=TASK, calls=5), "map[37] of pi-1 for 2.3s, 5 calls"),
    ],
)
def test_a_workers_work_is_told_in_words(worker: WorkerStatus, shown: str) -> None:
    assert shown_work(worker) == shown


def test_the_status_of_a_job_shows_its_stages(capsys: pytest.CaptureFixture[str]) -> None:
    stages = (
        StageStatus("map", 600, 100, 1299, 1, 2000, 12.345, 56.7),
        StageStatus("reduce", 4, 0, 0, 0, 4),
    )
    slow = Straggler("map", 37, 2, "w1", 45.0, True)
    runs = replace(IDLE, state="running", task=TASK)
    show_status(JobDetails(RUNNING, stages, (slow,), (runs,)))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["stage", "waiting", "running", "done", "failed", "total", "tasks/s", "eta"] in lines
    assert ["map", "600", "100", "1,299", "1", "2,000", "12.3", "56.7s"] in lines
    assert ["reduce", "4", "0", "0", "0", "4"] in lines
    assert ["map[37]", "2", "w1", "45s", "begun"] in lines
    assert ["w1", "map[37]", "of", "pi-1", "for", "2.3s"] in lines


def test_a_total_that_is_not_known_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    show_status(JobDetails(RUNNING, (StageStatus("map", 0, 5, 1, 0, None, 1234.5),)))
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("map"))
    assert line.split() == ["map", "0", "5", "1", "0", "not", "known", "yet", "1,234"]


def test_of_very_many_stragglers_the_first_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    slow = tuple(Straggler("map", index, 1, "w1", 45.0, False) for index in range(1023))
    show_status(JobDetails(RUNNING, (), slow))
    out = capsys.readouterr().out
    assert "map[19]" in out
    assert "map[20]" not in out
    assert "and 1,003 more" in out


def test_workers_are_listed_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    show_workers([IDLE])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["worker", "stream", "trigger", "runs", "told"],
        ["w1", "inputs", "demo", "idle", "400ms", "ago"],
    ]


def listed(url: str) -> list[dict[str, Any]]:
    """Returns the workers that `amr trigger workers` lists."""
    rows: list[dict[str, Any]] = json.loads(
        amr("trigger", "workers", "--json", "--redis-url", url).out
    )
    return rows


def test_a_job_that_runs_is_told_by_stage_straggler_and_worker(
    redis_url: str, write_job: WriteJob, trigger: TriggerProcess
) -> None:
    url = ("--redis-url", redis_url)
    inputs = [120.0] + [0.01] * 10
    path = write_job(mapper="faulty.sleep", reducer="faulty.total", inputs=inputs, backup=False)
    amr("invoke", path, "--id", "slow", *url)

    def told() -> dict[str, Any] | None:
        found: dict[str, Any] = json.loads(amr("status", "slow", "--json", *url).out)
        return found if found["stragglers"] and found["workers"] else None

    status = wait_for(told)
    assert status is not None
    assert (status["id"], status["state"], status["running"]) == ("slow", "mapping", 1)
    counts = ("pending", "succeeded", "failed", "timed_out", "cancelled", "total")
    assert [status[name] for name in counts] == [0, 10, 0, 0, 0, 11]
    mapping, reduce = status["stages"]
    assert mapping | {"rate": 0, "eta_s": 0} == {
        **{"stage": "map", "waiting": 0, "running": 1, "done": 10, "failed": 0, "total": 11},
        **{"rate": 0, "eta_s": 0},
    }
    assert mapping["rate"] > 0
    assert mapping["eta_s"] > 0
    assert (reduce["stage"], reduce["waiting"], reduce["rate"]) == ("reduce", 1, None)
    (straggler,) = status["stragglers"]
    assert (straggler["index"], straggler["attempt"], straggler["backup"]) == (0, 1, False)
    assert straggler["held_s"] >= 1
    (worker,) = status["workers"]
    assert (worker["worker"], worker["task"]["index"]) == (straggler["worker"], 0)
    assert worker["task"]["running_s"] >= 1
    assert sorted(row["state"] for row in listed(redis_url)) == ["idle", "running"]
    shown = amr("trigger", "workers", *url).out
    assert "map[0] of slow for" in shown
    assert "idle" in shown
    assert "map[0]" in amr("status", "slow", *url).out
    amr("cancel", "slow", *url)
    ended = json.loads(amr("status", "slow", "--json", *url).out)
    assert (ended["stragglers"], ended["workers"]) == ([], [])


def test_calls_beside_each_other_are_counted(
    redis_url: str, write_job: WriteJob, tmp_path: Path
) -> None:
    with TriggerProcess(redis_url, tmp_path, processes=1):
        path = write_job(mapper="faulty.wait", inputs=[120.0] * 7)
        amr("invoke", path, "--id", "calls", "--redis-url", redis_url)
        wait_for(lambda: [row["calls"] for row in listed(redis_url)] == [7])
        amr("cancel", "calls", "--redis-url", redis_url)
        wait_for(lambda: [row["state"] for row in listed(redis_url)] == ["idle"])


def test_the_workers_of_a_trigger_of_amr_toml_are_listed_by_its_name(
    redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "amr.toml").write_text(f'[trigger.good]\nsource_uri = "{redis_url}"\n')
    listed = amr("trigger", "workers", "good", cwd=tmp_path)
    assert (listed.code, listed.out) == (0, "none\n")
    assert amr("trigger", "workers", "goood", cwd=tmp_path).code == 2
