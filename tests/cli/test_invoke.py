"""invoke, logs, status, list, result, failures, cancel, against a deployed trigger."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from tests.cli.conftest import WriteJob
from tests.support.cli import AMR, amr, environment
from tests.support.trigger_process import FUNCTIONS, TriggerProcess


def test_invoke_returns_at_once_with_the_id_also_with_no_worker(
    redis_url: str, write_job: WriteJob
) -> None:
    job = write_job(mapper="faulty.double", inputs=[1], name="My job")
    ended = amr("invoke", "-j", job, "--functions", str(FUNCTIONS), AMR_REDIS_URL=redis_url)
    assert ended.code == 0
    assert ended.out.startswith("my-job-")
    assert ended.out.count("\n") == 1
    assert "no trigger is up" in ended.err
    status = json.loads(amr("status", ended.out.strip(), "--json", AMR_REDIS_URL=redis_url).out)
    assert (status["state"], status["total"], status["running"]) == ("mapping", 1, 1)


def test_names_are_checked_against_the_local_functions_while_no_trigger_is_up(
    redis_url: str, write_job: WriteJob
) -> None:
    job = write_job(mapper="faulty.dubble", inputs=[1])
    ended = amr("invoke", job, "--functions", str(FUNCTIONS), AMR_REDIS_URL=redis_url)
    assert ended.code == 2
    assert 'did you mean "faulty.double"' in ended.err
    job = write_job(mapper="faulty.double", inputs=[1], retry={"max_attempts": 0})
    ended = amr("invoke", job, "--functions", str(FUNCTIONS), AMR_REDIS_URL=redis_url)
    assert ended.code == 2
    assert "$.retry.max_attempts: must be a whole number from 1 to" in ended.err
    assert amr("list", "--json", AMR_REDIS_URL=redis_url).out == "[]\n"


def test_invoke_wait_logs_result_and_status(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    job = write_job(mapper="faulty.talk", reducer="faulty.total", inputs=[1, 2, 3])
    ended = amr("invoke", job, "--id", "one", "--wait", AMR_REDIS_URL=redis_url)
    assert (ended.code, json.loads(ended.out)) == (0, {"sum": 6, "count": 3})
    again = amr("invoke", job, "--id", "one", "--wait=30s", AMR_REDIS_URL=redis_url)
    assert (again.code, again.out) == (0, ended.out)
    assert "was submitted before" in again.err
    logs = amr("logs", "--tail", AMR_REDIS_URL=redis_url).out
    for words in (
        "job created",
        "3 map tasks queued",
        "map[0]#1 said 1",
        "map[2]#1 warning: warned 3",
        "all map tasks ended: 3 done; reducing",
        'job succeeded: {"sum":6,"count":3}',
    ):
        assert words in logs
    assert amr("logs", "one", "--since", "3d", AMR_REDIS_URL=redis_url).out == logs
    assert amr("logs", "one", "--since", "2999-01-01", AMR_REDIS_URL=redis_url).out == ""
    rows = [
        json.loads(row)
        for row in amr("logs", "one", "--json", AMR_REDIS_URL=redis_url).out.splitlines()
    ]
    assert rows[0]["kind"] == "created"
    status = json.loads(amr("status", "one", "--json", AMR_REDIS_URL=redis_url).out)
    counts = ("pending", "running", "succeeded", "failed", "timed_out", "cancelled", "total")
    assert [status[name] for name in counts] == [0, 0, 3, 0, 0, 0, 3]
    assert status["counters"] == {"talks": 3}
    assert (status["id"], status["error"], status["retries"]) == ("one", None, 0)
    assert datetime.fromisoformat(status["created"]) <= datetime.fromisoformat(status["ended"])
    assert "succeeded" in amr("status", "one", AMR_REDIS_URL=redis_url).out
    assert "one" in amr("list", "--state", "succeeded", AMR_REDIS_URL=redis_url).out
    assert amr("result", "one", AMR_REDIS_URL=redis_url).out == ended.out


@pytest.mark.bad_input(31)
def test_another_content_under_the_same_id_is_refused(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    amr("invoke", write_job(mapper="faulty.noop", inputs=[1]), "--id", "k", AMR_REDIS_URL=redis_url)
    job = write_job(mapper="faulty.noop", inputs=[2])
    ended = amr("invoke", job, "--id", "k", AMR_REDIS_URL=redis_url)
    assert ended.code == 2
    assert "another content" in ended.err


def test_a_wait_that_runs_out_ends_with_124_and_the_job_goes_on(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    job = write_job(mapper="faulty.sleep", inputs=[2])
    ended = amr("invoke", job, "--id", "slow", "--wait", "300ms", AMR_REDIS_URL=redis_url)
    assert ended.code == 124
    assert "goes on" in ended.err
    assert amr("result", "slow", AMR_REDIS_URL=redis_url).code == 1
    followed = amr("logs", "slow", "--tail", AMR_REDIS_URL=redis_url)
    assert "1 of 1 (100 %) map tasks done" in followed.out
    assert amr("result", "slow", "--wait", "20s", AMR_REDIS_URL=redis_url).out == "[0]\n"


def test_ctrl_c_while_waiting_does_not_cancel_the_job(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    job = write_job(mapper="faulty.sleep", inputs=[1.5])
    with subprocess.Popen(
        [*AMR, "invoke", job, "--id", "kept", "--wait"],
        env=environment(AMR_REDIS_URL=redis_url),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "job kept" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=15)
    assert process.returncode == 130
    assert "job kept goes on" in err
    assert amr("result", "kept", "--wait", AMR_REDIS_URL=redis_url).out == "[0]\n"


def test_a_state_is_looked_for_beyond_the_limit(redis_url: str, write_job: WriteJob) -> None:
    job = write_job(mapper="faulty.noop", inputs=[1])
    for key in ("first", "second", "third"):
        submission = ("invoke", job, "--id", key, "--functions", str(FUNCTIONS))
        assert amr(*submission, AMR_REDIS_URL=redis_url).code == 0
    amr("cancel", "first", AMR_REDIS_URL=redis_url)
    listing = ("list", "--json", "--limit", "1")
    rows = json.loads(amr(*listing, "--state", "cancelled", AMR_REDIS_URL=redis_url).out)
    assert [row["id"] for row in rows] == ["first"]
    rows = json.loads(amr(*listing, AMR_REDIS_URL=redis_url).out)
    assert [row["id"] for row in rows] == ["third"]


@pytest.mark.bad_input(43)
def test_users_text_cannot_steer_the_terminal(
    redis_url: str, tmp_path: Path, write_job: WriteJob
) -> None:
    (tmp_path / "loud.py").write_text(
        "def shout(body):\n    print(body)\n    raise ValueError(body)\n"
    )
    text = "\x1b[31mred\x9b2J"
    job = write_job(mapper="loud.shout", inputs=[text], retry={"max_attempts": 1})
    with TriggerProcess(redis_url, tmp_path, processes=1, functions=tmp_path):
        ended = amr("invoke", job, "--id", "loud", "--wait", AMR_REDIS_URL=redis_url)
    assert ended.code == 1
    shown = [ended.err] + [
        amr(command, "loud", AMR_REDIS_URL=redis_url).out
        for command in ("status", "failures", "logs")
    ]
    for text in shown:
        assert "red" in text
        assert "\x1b" not in text
        assert "\x9b" not in text


@pytest.mark.bad_input(38)
def test_failures_are_listed_and_cancel_is_final(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    job = write_job(mapper="faulty.odd", inputs=[0, 1, 3], on_failure="collect")
    ended = amr("invoke", job, "--id", "odd", "--wait", AMR_REDIS_URL=redis_url)
    summary = json.loads(ended.out)
    assert summary["results"] == {"count": 1, "results": [0]}
    assert summary["failures"]["count"] == 2
    assert "2 of 3 map tasks failed: amr failures odd" in ended.err
    rows = amr("failures", "odd", "--json", AMR_REDIS_URL=redis_url).out.splitlines()
    assert [json.loads(row)["index"] for row in rows] == [1, 2]
    assert "3 is odd" in amr("failures", "odd", AMR_REDIS_URL=redis_url).out
    ended = amr("cancel", "odd", AMR_REDIS_URL=redis_url)
    assert ended.code == 2
    assert "has ended already" in ended.err
    job = write_job(mapper="faulty.sleep", inputs=[60])
    amr("invoke", job, "--id", "long", AMR_REDIS_URL=redis_url)
    assert amr("cancel", "long", AMR_REDIS_URL=redis_url).code == 0
    assert amr("cancel", "long", AMR_REDIS_URL=redis_url).code == 0
    ended = amr("result", "long", AMR_REDIS_URL=redis_url)
    assert ended.code == 1
    assert "was cancelled" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["status", "nobody"], 2, "no job 'nobody'"),
        (["status", "a{b}"], 2, "job id"),
        (["logs", "--since", "yesterday"], 2, "is no time"),
        (["list", "--state", "succeded"], 2, "did you mean"),
        (["invoke"], 2, "amr invoke JOB"),
        (["invoke", "nowhere.json"], 2, "nowhere.json"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_wrong_command_lines_end_with_2(
    redis_url: str, arguments: list[str], code: int, words: str
) -> None:
    ended = amr(*arguments, AMR_REDIS_URL=redis_url)
    assert ended.code == code
    assert words in ended.err


@pytest.mark.bad_input(42)
def test_a_redis_that_is_not_there_ends_with_3_and_shows_no_password(write_job: WriteJob) -> None:
    url = "redis://:s3cret@127.0.0.1:1#inputs"
    for arguments in (["list"], ["invoke", write_job(mapper="f.x", inputs=[])], ["doctor"]):
        ended = amr(*arguments, AMR_REDIS_URL=url)
        assert ended.code == 3
        assert "127.0.0.1:1" in ended.err
        assert "s3cret" not in ended.err


def test_without_any_redis_it_says_what_to_do() -> None:
    ended = amr("list")
    assert ended.code == 2
    assert "amr up" in ended.err


def test_doctor_tells_what_it_finds(redis_url: str, trigger: TriggerProcess) -> None:
    ended = amr("doctor", AMR_REDIS_URL=redis_url)
    assert "noeviction" in ended.out
    assert "1 up with 2 workers" in ended.out
