"""`amr task`: one task of a job in words, and as JSON."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from amr.cli.task_lines import describe_task, next_steps
from amr.client import Client
from amr.report.task_details import EarlierFailure, Execution, TaskDetails, TaskOutput
from amr.store.events import Event
from amr.store.status import SkippedRecord
from amr.task import node_number
from tests.cli.conftest import WriteJob
from tests.cli.test_progress import RUNNING
from tests.support.cli import amr
from tests.support.trigger_process import TriggerProcess
from tests.support.wait import wait_for

DONE = TaskDetails(RUNNING, "map", 37, "done", 100_000, None, 4, (), (), input=5)
OPEN = replace(DONE, state="queued", attempt=2, entry="97700-0", queued_ms=97_700)
HOLD = Execution("97700-0", "w1", 2.0, None)
MERGE = replace(DONE, stage="merge", index=node_number(1, 5), input=None)
BRANCHING = replace(RUNNING, branches=10)


def told(details: TaskDetails, name: str) -> str:
    """Returns what a line of the description says."""
    (text,) = (x[10:] for x in describe_task(details).splitlines() if x.split(" ")[0] == name)
    return text


@pytest.mark.parametrize(
    ("details", "state"),
    [
        (DONE, "done"),
        (replace(DONE, state="waiting"), "waiting for its turn"),
        (
            replace(DONE, state="waiting", status=replace(RUNNING, paused=True)),
            "waiting for its turn, the job is paused",
        ),
        (replace(DONE, state="waiting", stage="reduce"), "waiting for the end of all map tasks"),
        (replace(DONE, state="waiting", stage="source"), "waiting for its turn"),
        (
            replace(DONE, state="waiting", stage="source", status=replace(RUNNING, after="k")),
            "waiting for the end of job k",
        ),
        (
            replace(MERGE, state="waiting", children_ended=3, status=BRANCHING),
            "waiting: 3 of its 10 children have ended",
        ),
        (OPEN, "queued for 2.3s"),
        (
            replace(OPEN, executions=(HOLD,)),
            "queued for 2.3s, in the hands of w1 for 2s, which runs another task",
        ),
        (
            replace(OPEN, executions=(replace(HOLD, is_gone=True),)),
            "queued for 2.3s, in the hands of w1 for 2s, which is gone: another worker takes it",
        ),
        (
            replace(OPEN, state="running", executions=(replace(HOLD, running_s=1.5),)),
            "running on w1 for 1.5s",
        ),
        (
            replace(
                OPEN,
                state="running",
                executions=(replace(HOLD, running_s=40), replace(HOLD, worker="w2", running_s=3)),
            ),
            "running on w1 for 40s and on w2 for 3s",
        ),
        (replace(OPEN, state="delayed"), "waiting for its next attempt"),
        (
            replace(OPEN, state="delayed", due_ms=99_000),
            "waiting for its next attempt, due: it waits for a place on the stream",
        ),
        (replace(OPEN, state="failed"), "failed"),
        (replace(OPEN, state="cut off"), "cut off by the end of its job"),
        (replace(DONE, state="cut off"), "cut off by the end of its job, before it had begun"),
        (replace(DONE, state="cancelled"), "cancelled with its job"),
        (replace(DONE, state="unknown"), "unknown: somebody else deleted what Redis had of it"),
    ],
)
def test_where_a_task_is_is_told_in_words(details: TaskDetails, state: str) -> None:
    assert told(details, "state") == state


def test_the_time_of_a_retry_is_told() -> None:
    state = told(replace(OPEN, state="delayed", due_ms=104_200), "state")
    assert state.startswith("waiting for its next attempt, due in 4.2s, at 19")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (TaskOutput("value", None, bytes=4), "null"),
        (TaskOutput("value", missing="f is not on h"), "cannot be read here: f is not on h"),
        (
            TaskOutput("file", count=1200, bytes=99_000, path="o"),
            "1,200 outputs in o, 99,000 bytes",
        ),
        (TaskOutput("runs", count=3, bytes=1234), "3 sorted runs, 1,234 bytes, in Redis"),
        (
            TaskOutput("runs", count=3, bytes=1, path="s3://b/f"),
            "3 sorted runs, 1 bytes, in s3://b/f",
        ),
        (TaskOutput("runs", count=3, bytes=1, missing="gone"), "3 sorted runs, 1 bytes, gone"),
        (TaskOutput("inputs", count=1000), "1,000 inputs of the job"),
        (TaskOutput("merged", into="merge[1.5]"), "not kept: it went into merge[1.5]"),
        (TaskOutput("nothing"), "nothing: all map tasks under it failed"),
    ],
)
def test_what_a_task_gave_is_told_in_words(output: TaskOutput, words: str) -> None:
    assert told(replace(DONE, output=output), "output") == words


def test_an_output_in_a_store_is_told_with_its_file() -> None:
    output = TaskOutput("value", [1], bytes=3, path="/store/f")
    lines = describe_task(replace(DONE, output=output)).splitlines()
    assert lines[-2:] == ["output    [1]", "          kept in /store/f"]


def test_what_is_long_is_cut_and_told_how_to_get() -> None:
    details = replace(DONE, input="x" * 2000, output=TaskOutput("value", "y" * 2000))
    text = describe_task(details)
    assert "x" * 400 in text
    assert "x" * 600 not in text
    whole = f"amr task {RUNNING.job} 'map[37]' --json | jq"
    assert f"of 2,002 bytes: {whole} .input\n" in text
    assert text.endswith(f"{whole} .output.value")


def test_of_many_lines_the_newest_are_shown() -> None:
    fields = {"stage": "map", "index": "37", "attempt": "1", "level": "print"}
    log = tuple(Event(f"{n}-0", 1000, "log", fields | {"text": f"line {n}"}) for n in range(25))
    text = describe_task(replace(DONE, log=log, log_since_ms=1000))
    assert "\nlog\nthe job's log before 1970" in text
    assert "5 older lines more: --json has them all" in text
    assert "map[37]#1 line 5\n" in text
    assert "line 4" not in text
    assert "history" not in text


def test_records_and_failures_before_a_redrive_are_told() -> None:
    skipped = tuple(SkippedRecord(37, n, {"type": "E", "message": "bad"}, n) for n in range(21))
    earlier = (EarlierFailure(1, 3, {"type": "E", "message": "was so\x1b[2J"}),)
    details = replace(OPEN, crashes=1, deferrals=2, skipped=skipped, earlier=earlier)
    text = describe_task(details)
    assert "map[37] record 19, skipped: E: bad" in text
    assert "record 20" not in text
    assert "1 records more: --json has them all" in text
    assert "missing from version 1 of the result, 3 attempt(s): E: was so\\x1b[2J" in text
    assert told(details, "crashes").startswith("1: ")
    assert told(details, "deferrals").startswith("2: ")


@pytest.mark.parametrize(
    ("details", "steps"),
    [
        (OPEN, None),
        (
            replace(OPEN, state="failed"),
            "run it again: amr redrive {} --only 37; here, to look: amr replay {} --index 37",
        ),
        (
            replace(OPEN, state="failed", stage="reduce", index=0),
            "run it again: amr redrive {}; here, to look: amr replay {} --reduce",
        ),
        (
            replace(
                OPEN, state="failed", stage="reduce", index=2, status=replace(RUNNING, partitions=4)
            ),
            "run it again: amr redrive {}; here, to look: amr replay {} --partition 2",
        ),
        (replace(MERGE, state="failed"), "run it again: amr redrive {}"),
    ],
)
def test_a_dead_letter_comes_with_what_to_do(details: TaskDetails, steps: str | None) -> None:
    assert next_steps(details) == (steps and steps.replace("{}", RUNNING.job))


def shown(redis_url: str, job: str, which: str) -> str:
    ended = amr("task", job, which, AMR_REDIS_URL=redis_url)
    assert ended.code == 0, ended.err
    return ended.out


def read(redis_url: str, job: str, which: str) -> Any:
    ended = amr("task", job, which, "--json", AMR_REDIS_URL=redis_url)
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


def invoke(redis_url: str, write_job: WriteJob, id: str, **fields: object) -> None:
    """Runs a job to its end."""
    path = write_job(retry={"backoff": "1ms"}, **fields)
    amr("invoke", path, "--id", id, "--wait", AMR_REDIS_URL=redis_url)


def test_a_dead_letter_is_shown_whole(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    invoke(redis_url, write_job, "odd", mapper="faulty.odd", inputs=[2, 3], on_failure="collect")
    ended = amr("task", "odd", "1", AMR_REDIS_URL=redis_url)
    lines = ended.out.splitlines()
    assert lines[:3] == ["task      map[1] of job odd", "state     failed", "attempt   1 of 4"]
    assert "input     3" in lines
    assert "  | amr.errors.PermanentError: 3 is odd" in lines
    assert "map[1]#1 failed for good: PermanentError" in ended.out.partition("history\n")[2]
    assert "amr redrive odd --only 1" in ended.err
    row = read(redis_url, "odd", "map[1]")
    assert (row["job"], row["job_state"], row["task"]) == ("odd", "succeeded", "map[1]")
    assert (row["state"], row["input"], row["output"]) == ("failed", 3, None)
    assert row["error"]["type"] == "PermanentError"
    (event,) = row["history"]
    assert (event["kind"], event["task"], event["time_ms"]) == ("failed", "1", row["ended_ms"])


def test_a_retried_task_has_its_failures_and_a_talkative_one_its_lines(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    invoke(redis_url, write_job, "third", mapper="faulty.third_time", inputs=[1])
    row = read(redis_url, "third", "0")
    assert (row["state"], row["output"]["value"], row["attempt"]) == ("done", 3, None)
    assert [(event["kind"], event["attempt"]) for event in row["history"]] == [
        ("retry", "1"),
        ("retry", "2"),
    ]
    assert "attempt 2 is too early" in shown(redis_url, "third", "0")
    invoke(redis_url, write_job, "talk", mapper="faulty.talk", inputs=[1, 2])
    row = read(redis_url, "talk", "1")
    assert [line["text"] for line in row["log"]] == ["said 2", "warned 2"]
    assert "map[1]#1 warning: warned 2" in shown(redis_url, "talk", "1")


def test_a_task_that_runs_names_its_worker(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    path = write_job(mapper="faulty.sleep", inputs=[120.0])
    amr("invoke", path, "--id", "slow", AMR_REDIS_URL=redis_url)
    row = wait_for(
        lambda: (found := read(redis_url, "slow", "0"))["state"] == "running" and found,
        what="the task's start",
    )
    (execution,) = row["executions"]
    assert f"running on {execution['worker']} for " in shown(redis_url, "slow", "0")
    amr("cancel", "slow", AMR_REDIS_URL=redis_url)
    assert "state     cancelled with its job" in shown(redis_url, "slow", "0")


def test_a_redriven_task_and_its_skipped_records_are_shown(
    redis_url: str, tmp_path: Path, write_job: WriteJob
) -> None:
    fixed = tmp_path / "fixed"
    with TriggerProcess(redis_url, tmp_path, environment={**os.environ, "FIXED": str(fixed)}):
        spec = {"mapper": "faulty.odd_until_fixed", "inputs": [2, 3], "on_failure": "collect"}
        invoke(redis_url, write_job, "mended", **spec)
        fixed.touch()
        amr("redrive", "mended", AMR_REDIS_URL=redis_url)
        amr("result", "mended", "--wait", AMR_REDIS_URL=redis_url)
        row = read(redis_url, "mended", "1")
        assert (row["state"], row["output"]["value"]) == ("done", 3)
        assert [(one["version"], one["attempts"]) for one in row["earlier"]] == [(1, 1)]
        assert "missing from version 1" in shown(redis_url, "mended", "1")
        spec = {"mapper": "faulty.odd", "inputs": [2, 3, 4, 6], "batch": 2, "skip_bad_records": 2}
        invoke(redis_url, write_job, "skips", **spec)
        (record,) = read(redis_url, "skips", "0")["skipped"]
        assert (record["index"], record["record"], record["input"]) == (0, 1, 3)
        assert read(redis_url, "skips", "1")["skipped"] == []
        assert "skipped\nmap[0] record 1, skipped: PermanentError" in shown(redis_url, "skips", "0")


def test_tasks_of_a_shuffle_and_of_a_tree_are_shown(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    spec = {"mapper": "faulty.pairs", "inputs": ["a b", "a"], "reducer": "amr.sum"}
    invoke(redis_url, write_job, "words", **spec, shuffle={"partitions": 2})
    assert "2 sorted runs, " in shown(redis_url, "words", "0")
    parts = [read(redis_url, "words", f"reduce[{part}]")["output"]["value"] for part in (0, 1)]
    assert sorted(pair for part in parts for pair in part) == [["a", 2], ["b", 1]]
    spec = {"mapper": "faulty.double", "inputs": list(range(7)), "reducer": "faulty.total"}
    invoke(redis_url, write_job, "tree", **spec, reduce_tree=3)
    assert "not kept: it went into merge[1.1]" in shown(redis_url, "tree", "4")
    assert read(redis_url, "tree", "merge[1.1]")["output"]["value"] == {"sum": 24, "count": 3}


@pytest.mark.parametrize(
    ("job", "which", "error"),
    [
        ("odd", "2", "no task map[2]: job odd has 2 map tasks: 0 to 1"),
        ("odd", "reduce", "no task reduce: job odd has no reducer"),
        ("odd", "mapp", '"mapp" is no task: name a map task by its index'),
        ("nobody", "0", "no job 'nobody' on this stream"),
    ],
)
def test_what_is_not_there_is_refused(redis_url: str, job: str, which: str, error: str) -> None:
    with Client(redis_url) as client:
        client.invoke({"mapper": "faulty.odd", "inputs": [1, 2]}, id="odd")
    ended = amr("task", job, which, AMR_REDIS_URL=redis_url)
    assert (ended.code, ended.out) == (2, "")
    assert error in ended.err
