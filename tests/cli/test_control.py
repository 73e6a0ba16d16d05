"""Repairing and steering jobs by commands, as a person does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import WriteJob
from tests.support.cli import amr
from tests.support.trigger_process import FUNCTIONS, TriggerProcess
from tests.support.wait import wait_for


@pytest.fixture
def fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that tells functions that they are repaired."""
    file = tmp_path / "fixed"
    monkeypatch.setenv("FIXED", str(file))
    return file


@pytest.fixture
def trigger(redis_url: str, tmp_path: Path, fixed: Path) -> Iterator[TriggerProcess]:
    with TriggerProcess(redis_url, tmp_path) as process:
        yield process


def test_failures_tell_what_is_needed_and_redrive_repairs(
    redis_url: str, write_job: WriteJob, trigger: TriggerProcess, fixed: Path
) -> None:
    url = ("--redis-url", redis_url)
    path = write_job(mapper="faulty.odd_until_fixed", inputs=[2, 3, 4, 5], on_failure="collect")
    first = amr("invoke", path, "--id", "odd", "--wait", *url)
    assert json.loads(first.out)["failures"]["count"] == 2
    shown = amr("failures", "odd", *url)
    for part in ("PermanentError", "3 is odd", "faulty.py", "2 failed task(s): amr redrive odd"):
        assert part in shown.out + shown.err
    rows = [json.loads(line) for line in amr("failures", "odd", "--json", *url).out.splitlines()]
    assert [(row["index"], row["input"], row["attempts"]) for row in rows] == [(1, 3, 1), (3, 5, 1)]
    assert rows[0]["error"]["worker"]
    (group,) = json.loads(amr("failures", "odd", "--grouped", "--json", *url).out)
    assert (group["count"], group["places"]) == (2, ["map[1]", "map[3]"])
    assert "PermanentError" in amr("failures", "odd", "--grouped", *url).out
    fixed.touch()
    wrong = amr("redrive", "odd", "--only", "0", *url)
    assert (wrong.code, "no failed task 0" in wrong.err) == (2, True)
    again = amr("redrive", "odd", "--only", "1", "--wait", *url)
    assert json.loads(again.out)["results"]["results"] == [2, 3, 4]
    last = amr("redrive", "odd", "--error", "is odd", "--wait", "30s", *url)
    assert json.loads(last.out) == {
        "results": {"count": 4, "results": [2, 3, 4, 5]},
        "failures": {"count": 0, "results": []},
    }
    assert amr("result", "odd", "--version", "1", *url).out == first.out
    assert amr("result", "odd", "--version", "9", *url).code == 2
    assert len(trigger.calls()) == 4 + 2


def test_replay_runs_one_task_here_and_changes_nothing(
    redis_url: str, write_job: WriteJob, trigger: TriggerProcess
) -> None:
    url = ("--redis-url", redis_url)
    path = write_job(mapper="faulty.double", reducer="faulty.total", inputs=[1, 5])
    amr("invoke", path, "--id", "twice", "--wait", *url)
    here = ("--functions", str(FUNCTIONS), *url)
    assert amr("replay", "twice", "--index", "1", *here).out.strip() == "10"
    assert json.loads(amr("replay", "twice", "--reduce", *here).out) == {"sum": 12, "count": 2}
    assert "succeeded" in amr("status", "twice", *url).out
    for arguments in (["--index", "7"], [], ["--index", "1", "--reduce"]):
        assert amr("replay", "twice", *arguments, *here).code == 2


def test_replay_of_a_partition_leaves_the_part_files_of_its_job_alone(
    redis_url: str, write_job: WriteJob, trigger: TriggerProcess, tmp_path: Path
) -> None:
    url = ("--redis-url", redis_url)
    # One dead letter: without one, nothing is kept to reduce again.
    fields = {"mapper": "faulty.pairs", "inputs": ["a b", 1], "reducer": "amr.sum"}
    fields |= {"on_failure": "collect", "retry": {"max_attempts": 1}}
    part = tmp_path / "part.jsonl"
    path = write_job(**fields, shuffle={"partitions": 1}, output=str(part))
    amr("invoke", path, "--id", "words", "--wait", *url)
    part.unlink()
    done = amr("replay", "words", "--partition", "0", "--functions", str(FUNCTIONS), *url)
    assert json.loads(done.out) == [["a", 1], ["b", 1]]
    assert not part.exists()


def test_redrive_with_functions_runs_the_repaired_ones_here(
    redis_url: str, write_job: WriteJob, tmp_path: Path, fixed: Path
) -> None:
    url = ("--redis-url", redis_url)
    path = write_job(mapper="faulty.odd_until_fixed", inputs=[2, 3])
    with TriggerProcess(redis_url, tmp_path) as process:
        assert amr("invoke", path, "--id", "odd", "--wait", *url).code == 1
        refused = amr("redrive", "odd", "--functions", str(FUNCTIONS), *url)
        assert (refused.code, "a trigger is up" in refused.err) == (2, True)
        assert process.stop() == 0
    fixed.touch()
    done = amr("redrive", "odd", "--functions", str(FUNCTIONS), *url, FIXED=str(fixed))
    assert (done.code, json.loads(done.out)) == (0, [2, 3])


def test_a_job_is_paused_changed_resumed_listed_and_pruned(
    redis_url: str, write_job: WriteJob, trigger: TriggerProcess
) -> None:
    url = ("--redis-url", redis_url)
    path = write_job(mapper="faulty.sleep", inputs=[0.2] * 20, name="slow one")
    amr("invoke", path, "--id", "slow", *url)
    assert amr("pause", "slow", *url).code == 0
    assert "paused" in amr("status", "slow", *url).out
    changed = amr("update", "slow", "--concurrency", "3", "--rate", "200/s", *url)
    assert "concurrency 3, rate 200/s" in changed.err
    assert amr("update", "slow", *url).code == 2
    assert amr("update", "slow", "--rate", "fast", *url).code == 2
    assert amr("resume", "slow", *url).code == 0
    wait_for(lambda: json.loads(amr("status", "slow", "--json", *url).out)["state"] == "succeeded")
    assert amr("pause", "slow", *url).code == 2
    listed = json.loads(amr("list", "--state", "succeeded", "--name", "slow*", "--json", *url).out)
    assert [job["id"] for job in listed] == ["slow"]
    assert json.loads(amr("list", "--older", "1h", "--json", *url).out) == []
    assert "0 job(s)" in amr("prune", "--older", "1h", *url).err
    assert "1 job(s)" in amr("prune", *url).err
    assert json.loads(amr("list", "--json", *url).out) == []


@pytest.mark.bad_input(36)
@pytest.mark.parametrize("limit", ["-1", "0", "many"])
def test_a_limit_that_is_none_is_refused(redis_url: str, limit: str) -> None:
    refused = amr("list", "--limit", limit, "--redis-url", redis_url)
    assert (refused.code, refused.out) == (2, "")
    assert "--limit" in refused.err
