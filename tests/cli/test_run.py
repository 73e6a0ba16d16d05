"""`amr run` and `amr up`: no set-up, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import WriteJob
from tests.support.cli import AMR, ROOT, amr, environment
from tests.support.trigger_process import FUNCTIONS
from tests.support.wait import wait_for


def test_the_classic_job_estimates_pi_and_prints_nothing_else() -> None:
    ended = amr("run", "jobs/pi.json")
    assert ended.code == 0
    assert re.fullmatch(r"3\.\d+\n", ended.out)
    assert 3.0 < float(ended.out) < 3.3  # eight standard deviations and more
    assert "10/10 done" in ended.err


def test_a_job_may_come_from_standard_input_and_the_result_go_to_a_file(tmp_path: Path) -> None:
    job = '{"mapper": "faulty.double", "inputs": [1, 2]}'
    file = tmp_path / "out.json"
    ended = amr("run", "-", "--functions", str(FUNCTIONS), "--output", str(file), stdin=job)
    assert (ended.code, ended.out, file.read_text()) == (0, "", "[2,4]\n")


def test_a_failing_job_shows_the_users_traceback(write_job: WriteJob) -> None:
    job = write_job(mapper="faulty.odd", inputs=[0, 1])
    ended = amr("run", job, "--functions", str(FUNCTIONS))
    assert ended.code == 1
    assert ended.out == ""
    assert "map task 1 failed after 1 attempt(s): PermanentError: faulty.odd: 1 is odd" in ended.err
    assert 'raise amr.PermanentError(f"{body} is odd")' in ended.err
    assert "amr failures" not in ended.err  # the private Redis is gone: nobody could ask it


def test_failures_that_are_tolerated_are_counted(write_job: WriteJob) -> None:
    job = write_job(mapper="faulty.odd", inputs=[0, 1, 3], on_failure="collect")
    ended = amr("run", job, "--functions", str(FUNCTIONS))
    assert ended.code == 0
    assert "map[2]#1 failed for good: PermanentError" in ended.err
    assert "2 of 3 map tasks failed" in ended.err


def test_an_output_that_cannot_be_written_is_told_before_the_job_runs(tmp_path: Path) -> None:
    ended = amr("run", "jobs/pi.json", "--output", str(tmp_path / "nowhere" / "out.json"))
    assert ended.code == 2
    assert "there is no directory" in ended.err
    assert "done" not in ended.err


def test_lines_of_functions_are_shown(write_job: WriteJob) -> None:
    ended = amr("run", write_job(mapper="faulty.talk", inputs=[5]), "--functions", str(FUNCTIONS))
    assert "map[0]#1 said 5" in ended.err
    assert "map[0]#1 warning: warned 5" in ended.err
    assert ended.out == "[5]\n"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"mapper": "pi.maper", "inputs": []}, 'did you mean "pi.mapper"'),
        ({"mapper": "pi.mapper", "inputs": "x", "retri": 1}, 'did you mean "retry"'),
        ({"inputs": []}, "$.mapper: is required"),
        ({"mapper": "os:system", "inputs": []}, "$.mapper"),
    ],
)
def test_a_wrong_job_is_told_and_ends_with_2(
    write_job: WriteJob, document: dict[str, object], words: str
) -> None:
    ended = amr("run", write_job(**document))
    assert ended.code == 2
    assert words in ended.err
    assert ended.out == ""


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a":1,"a":2}', "{NaN}", "[" * 100_000])
def test_no_text_at_all_gives_a_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "job.json"
    path.write_text(text)
    ended = amr("run", str(path))
    assert ended.code == 2
    assert "job.json" in ended.err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_cleans_up_and_ends_it(
    write_job: WriteJob, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    job = write_job(mapper="faulty.sleep", inputs=[60, 60])
    with subprocess.Popen(
        [*AMR, "run", job, "--functions", str(FUNCTIONS)],
        env=environment(RECORD=str(tmp_path / "record"), TMPDIR=str(tmp_path)),
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        wait_for((tmp_path / "record").exists)
        worker = int(wait_for((tmp_path / "record").read_text).split()[4])
        process.send_signal(number)
        process.send_signal(number)  # an impatient second one does not break the clean-up off
        _, err = process.communicate(timeout=15)
    assert process.returncode == code
    assert b"Traceback" not in err
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    assert not list(tmp_path.glob("amr-redis-*"))


def test_up_keeps_an_instance_that_other_commands_find(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*AMR, "up", "--functions", str(FUNCTIONS), "--processes", "1"],
        env=environment(),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for((tmp_path / ".amr" / "redis.url").exists)
        second = amr("up", "--functions", str(FUNCTIONS), cwd=tmp_path)
        assert second.code == 2
        assert "is running in" in second.err
        (tmp_path / "job.json").write_text('{"mapper": "faulty.double", "inputs": [1, 2]}')
        ended = amr("invoke", "job.json", "--id", "mine", "--wait", cwd=tmp_path)
        assert (ended.code, ended.out) == (0, "[2,4]\n")
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        again = subprocess.Popen(
            [*AMR, "up", "--functions", str(FUNCTIONS), "--processes", "1"],
            env=environment(),
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for((tmp_path / ".amr" / "redis.url").exists)
            assert amr("result", "mine", cwd=tmp_path).out == "[2,4]\n"
        finally:
            again.terminate()
            again.wait(15)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_functions_are_listed_checked_and_called(tmp_path: Path) -> None:
    listed = json.loads(amr("functions", "list", "--json").out)
    assert "pi.mapper" in [row["name"] for row in listed]
    assert amr("functions", "check").code == 0
    ended = amr("functions", "invoke", "pi.reducer", "--json", '{"inputs": [3], "points": 4}')
    assert (ended.code, ended.out) == (0, "3.0\n")
    (tmp_path / "bad.py").write_text("import nowhere_at_all\ndef go(body): ...\n")
    ended = amr("functions", "check", "--functions", str(tmp_path))
    assert ended.code == 1
    assert "bad.py" in ended.err
    ended = amr("functions", "invoke", "bad.og", "--functions", str(tmp_path))
    assert ended.code == 2
    assert 'did you mean "bad.go"' in ended.err
    ended = amr("functions", "invoke", "faulty.odd", "--json", "3", "--functions", str(FUNCTIONS))
    assert ended.code == 1
    assert "3 is odd" in ended.err


def test_the_schema_is_a_json_schema() -> None:
    schema = json.loads(amr("schema").out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"mapper", "inputs", "reduce", "on_failure"} <= set(schema["properties"])


def test_help_is_fast() -> None:
    amr("--help")
    times = []
    for _ in range(5):
        started = time.perf_counter()
        assert amr("--help").code == 0
        times.append(time.perf_counter() - started)
    # 60 ms on a quiet machine; the bound leaves room for a busy one.
    assert min(times) < 0.5
