"""`amr result --follow` and `--part`: results before the end, and one part of them."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from tests.cli.conftest import WriteJob
from tests.support.cli import AMR, amr, environment
from tests.support.trigger_process import TriggerProcess


def invoked(redis_url: str, job: str) -> str:
    return amr("invoke", job, AMR_REDIS_URL=redis_url).out.strip()


def rows(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def following(redis_url: str, job: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*AMR, "result", job, "--follow"],
        env=environment(AMR_REDIS_URL=redis_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_outputs_are_printed_as_they_come_and_again_when_the_job_has_ended(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    job = invoked(redis_url, write_job(mapper="faulty.sleep", inputs=[1.5, 0, 0, 0]))
    ended = amr("result", job, "--follow", AMR_REDIS_URL=redis_url)
    assert (ended.code, ended.err) == (0, "")
    printed = rows(ended.out)
    assert sorted(row["index"] for row in printed) == [0, 1, 2, 3]
    assert printed[-1] == {"index": 0, "output": 0}
    again = amr("result", job, "-f", AMR_REDIS_URL=redis_url)
    assert rows(again.out) == [{"index": n, "output": n} for n in range(4)]


def test_partitions_and_the_result_of_a_plain_reducer_are_printed(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    spec = {"mapper": "faulty.pairs", "inputs": ["a b", "a"], "reducer": "amr.sum"}
    job = invoked(redis_url, write_job(**spec, shuffle={"partitions": 2}))
    followed = rows(amr("result", job, "--follow", AMR_REDIS_URL=redis_url).out)
    assert sorted(row["part"] for row in followed) == [0, 1]
    for row in followed:
        part = amr("result", job, "--part", str(row["part"]), AMR_REDIS_URL=redis_url)
        assert (part.code, json.loads(part.out)) == (0, row["output"])
    job = invoked(redis_url, write_job(mapper="faulty.double", inputs=[1, 2], reducer="amr.sum"))
    ended = amr("result", job, "--follow", AMR_REDIS_URL=redis_url)
    assert (ended.code, ended.out) == (0, '{"output":6}\n')


def test_a_failed_job_ends_with_1_after_what_came(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    spec = {"mapper": "faulty.odd", "concurrency": 1}
    job = invoked(redis_url, write_job(**spec, inputs=[0, 2, 3, 4]))
    ended = amr("result", job, "--follow", AMR_REDIS_URL=redis_url)
    assert ended.code == 1
    assert rows(ended.out) == [{"index": 0, "output": 0}, {"index": 1, "output": 2}]
    assert f"job {job} failed: map task 2" in ended.err


def test_ctrl_c_ends_with_130_and_the_job_goes_on(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    job = invoked(redis_url, write_job(mapper="faulty.sleep", inputs=[0, 2]))
    with following(redis_url, job) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"index": 0, "output": 0}
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=15)
    assert process.returncode == 130
    assert f"job {job} goes on" in err
    assert "Traceback" not in err
    assert amr("result", job, "--wait", AMR_REDIS_URL=redis_url).out == "[0,1]\n"


def test_a_reader_that_goes_ends_it_quietly(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    job = invoked(redis_url, write_job(mapper="faulty.noop", inputs={"range": 50_000}))
    with following(redis_url, job) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(15) == 0


def test_a_part_that_is_not_done_says_where_the_job_stands(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    spec = {"mapper": "faulty.sleep", "reducer": "amr.sum", "shuffle": {"partitions": 2}}
    job = invoked(redis_url, write_job(**spec, inputs=[20]))
    ended = amr("result", job, "--part", "1", AMR_REDIS_URL=redis_url)
    assert (ended.code, ended.out) == (1, "")
    assert f"part 1 of job {job} is not done: the job is mapping, 0 of 1 map tasks" in ended.err
    ended = amr("result", job, "--part", "1", "--wait", "100ms", AMR_REDIS_URL=redis_url)
    assert ended.code == 124
    ended = amr("result", job, "--part", "2", AMR_REDIS_URL=redis_url)
    assert ended.code == 2
    assert "has no part 2: its parts are 0 to 1" in ended.err


def test_a_part_of_what_has_none_or_is_not_there_is_refused(
    redis_url: str, trigger: TriggerProcess, write_job: WriteJob
) -> None:
    job = invoked(redis_url, write_job(mapper="faulty.double", inputs=[1]))
    ended = amr("result", job, "--part", "0", "--wait", AMR_REDIS_URL=redis_url)
    assert ended.code == 2
    assert "has neither shuffle nor output" in ended.err
    for asked in (("--part", "0"), ("--follow",)):
        ended = amr("result", "nobody", *asked, AMR_REDIS_URL=redis_url)
        assert ended.code == 2
        assert "no job 'nobody'" in ended.err


@pytest.mark.parametrize(
    "options",
    [
        ("--follow", "--wait"),
        ("--follow", "--part", "0"),
        ("--follow", "--version", "1"),
        ("--follow", "--output", "x.json"),
        ("--part", "0", "--version", "1"),
        ("--part", "-1"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    redis_url: str, options: tuple[str, ...]
) -> None:
    assert amr("result", "any", *options, AMR_REDIS_URL=redis_url).code == 2
