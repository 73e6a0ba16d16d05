"""Redrive, pause and update with real triggers: what is done stays done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from amr.client import Client
from amr.errors import JobFailedError, UsageError
from amr.states import JobState
from tests.faults.conftest import StartTrigger
from tests.support.invariant import read
from tests.support.trigger_process import TriggerProcess
from tests.support.wait import wait_for


@pytest.fixture
def fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file whose existence repairs the functions; it is not there yet."""
    path = tmp_path / "fixed"
    monkeypatch.setenv("FIXED", str(path))
    return path


def runs(process: TriggerProcess, stage: str = "map") -> Counter[int]:
    return Counter(call.index for call in process.calls() if call.stage == stage)


def nothing_is_left(client: Client) -> bool:
    backlog = client.fleet.backlog()
    return (backlog.entries, backlog.pending) == (0, 0)


def test_a_large_job_is_repaired_at_the_cost_of_its_bad_inputs(
    client: Client, trigger: StartTrigger, fixed: Path
) -> None:
    process = trigger()
    inputs = [0] * 3000
    for bad in (5, 1234, 2999):
        inputs[bad] = 1
    spec = {"mapper": "faulty.odd_until_fixed", "reducer": "faulty.total", "on_failure": "collect"}
    job = client.invoke(spec | {"inputs": inputs})
    first = job.result(60)
    assert (first["sum"], len(first["failures"])) == (0, 3)
    assert [failed.index for failed in job.failures()] == [5, 1234, 2999]
    fixed.touch()
    assert job.redrive().tasks == 3
    second = job.result(60)
    assert (second["sum"], second["count"], second["failures"]) == (3, 3000, [])
    assert job.result(version=1) == first
    assert job.status().version == 2
    counts = runs(process)
    assert {index: n for index, n in counts.items() if n > 1} == {5: 2, 1234: 2, 2999: 2}
    assert sum(runs(process, "reduce").values()) == 0  # that one keeps no record
    wait_for(lambda: nothing_is_left(client), 10)


def test_a_failed_job_goes_on_where_it_ended(
    client: Client, trigger: StartTrigger, fixed: Path
) -> None:
    process = trigger()
    inputs = [0] * 500
    inputs[250] = 1
    spec = {"mapper": "faulty.odd_until_fixed", "reducer": "faulty.total", "inputs": inputs}
    job = client.invoke(spec)
    with pytest.raises(JobFailedError, match="1 is odd"):
        job.result(60)
    done_before = job.status().succeeded
    fixed.touch()
    assert job.redrive(only=[250]).tasks == 1
    assert job.result(60) == {"sum": 1, "count": 500}
    # Tasks that were in the hands of workers when the job ended may have run and been told to late.
    again = [index for index, n in runs(process).items() if n > 1]
    assert len(again) <= 500 - done_before
    wait_for(lambda: nothing_is_left(client), 10)


def test_a_job_that_fails_while_its_inputs_come_is_repaired_as_well(
    client: Client, trigger: StartTrigger, fixed: Path
) -> None:
    process = trigger()
    spec = {"mapper": "faulty.odd_until_fixed", "reducer": "faulty.total"}
    job_id = "fails-early"

    def has_failed() -> bool:
        return client.job(job_id).status().state is JobState.FAILED

    def inputs() -> Iterator[int]:
        for index in range(20_000):
            if index == 8000:  # the first chunks have been sent
                wait_for(has_failed, 10)
            yield int(index == 5)

    job = client.invoke(spec, id=job_id, inputs=inputs())
    status = job.status()
    assert (status.state, status.total, status.failed) == (JobState.FAILED, 20_000, 1)
    fixed.touch()
    assert job.redrive().tasks == 1
    assert job.result(60) == {"sum": 1, "count": 20_000}
    assert runs(process)[5] == 2


def test_a_failed_reducer_is_redriven_without_its_mappers(
    client: Client, trigger: StartTrigger, fixed: Path
) -> None:
    process = trigger()
    spec = {"mapper": "faulty.sleep", "reducer": "faulty.total_once_fixed", "inputs": [0] * 20}
    job = client.invoke(spec)
    with pytest.raises(JobFailedError, match="not yet"):
        job.result(30)
    fixed.touch()
    assert job.redrive().tasks == 0
    assert job.result(30) == sum(range(20))
    assert set(runs(process).values()) == {1}
    assert runs(process, "reduce") == {0: 2}


def test_only_tasks_whose_error_matches_run_again(
    client: Client, trigger: StartTrigger, fixed: Path
) -> None:
    trigger()
    spec = {"mapper": "faulty.odd_until_fixed", "on_failure": "collect", "inputs": [1, 3, 5, 0]}
    job = client.invoke(spec)
    assert job.result(30)["failures"]["count"] == 3
    fixed.touch()
    with pytest.raises(UsageError, match=r"no failed task of job .* matches"):
        job.redrive(error="no such error")
    with pytest.raises(UsageError, match="not a regular expression"):
        job.redrive(error="(")
    with pytest.raises(UsageError, match="no failed task 3"):
        job.redrive(only=[3])
    assert job.redrive(error="PermanentError.*[13] is odd").tasks == 2
    assert job.result(30)["results"] == {"count": 3, "results": [1, 3, 0]}
    assert job.result(version=1)["results"] == {"count": 1, "results": [0]}
    assert job.result(version=1)["failures"]["count"] == 3
    with pytest.raises(UsageError, match="no version 3: 1 to 2"):
        job.result(version=3)


def test_thousands_of_dead_tasks_are_redriven_as_one(
    client: Client, trigger: StartTrigger, fixed: Path
) -> None:
    trigger()
    spec = {"mapper": "faulty.odd_until_fixed", "on_failure": "collect", "inputs": [1] * 3000}
    job = client.invoke(spec)
    assert job.result(60)["failures"]["count"] == 3000
    fixed.touch()
    assert job.redrive().tasks == 3000
    assert job.result(60)["results"]["count"] == 3000
    assert job.status().version == 2


def test_nothing_begins_in_a_pause(client: Client, trigger: StartTrigger) -> None:
    process = trigger()
    job = client.invoke({"mapper": "faulty.sleep", "inputs": [0.05] * 100})
    wait_for(lambda: len(process.calls()) >= 4)
    job.pause()
    wait_for(lambda: len(process.calls("end")) == len(process.calls()), 10)
    # What workers hold they give back at their next look at Redis.
    wait_for(lambda: client.fleet.backlog().entries == 0, 10)
    begun = len(process.calls())
    assert begun < 100
    time.sleep(0.5)
    assert len(process.calls()) == begun
    assert job.status().paused
    other = client.invoke({"mapper": "faulty.noop", "inputs": [1, 2]})
    assert other.result(10) == [1, 2]
    job.resume()
    assert job.result(30) == list(range(100))
    assert set(runs(process).values()) == {1}


def test_a_rate_may_be_given_to_a_job_that_runs(client: Client, trigger: StartTrigger) -> None:
    process = trigger()
    job = client.invoke({"mapper": "faulty.sleep", "inputs": [0] * 60, "rate": "20/s"})
    wait_for(lambda: len(process.calls()) >= 10)
    begun = time.monotonic()
    assert len(process.calls()) <= 20
    job.update(rate=1000)
    job.result(30)
    assert time.monotonic() - begun < 2.0


def test_the_concurrency_of_a_job_that_runs_may_be_raised_and_lowered(
    client: Client, trigger: StartTrigger
) -> None:
    process = trigger()

    def running() -> int:
        return len(process.calls()) - len(process.calls("end"))

    job = client.invoke({"mapper": "faulty.wait", "inputs": [0.2] * 150, "concurrency": 2})
    wait_for(lambda: len(process.calls()) >= 4)
    assert job.status().running == 2
    job.update(concurrency=30)
    wait_for(lambda: running() > 20)
    job.update(concurrency=5)
    wait_for(lambda: job.status().running <= 5, 2)
    job.update(concurrency=100)
    assert job.result(30) == list(range(150))


def test_cancelling_leaves_nothing_behind(client: Client, trigger: StartTrigger) -> None:
    trigger()
    job = client.invoke({"mapper": "faulty.sleep", "inputs": [0.02] * 2000, "retry": {}})
    wait_for(lambda: job.status().succeeded > 5)
    job.cancel()
    wait_for(lambda: nothing_is_left(client), 10)
    keys = client.streams.of_job("").keys
    assert read(client.streams.of_job("").link, "ZCARD", keys.stream_key("delayed")) == 0
    left = read(client.streams.of_job("").link, "KEYS", keys.job_key("job", job.id) + b"*")
    assert set(left) <= {keys.job_key(name, job.id) for name in ("job", "events")}
    assert all(read(client.streams.of_job("").link, "PTTL", key) > 0 for key in left)
    assert client.prune() == 1
    assert read(client.streams.of_job("").link, "KEYS", keys.job_key("job", job.id) + b"*") == []
    assert client.jobs() == []
