"""Functions that take their worker, its event loop or its patience with them."""

from __future__ import annotations

import time

import pytest

from amr.client import Client
from amr.errors import JobFailedError
from tests.faults.conftest import StartTrigger
from tests.support.wait import wait_for


def test_an_async_poison_task_takes_no_call_beside_it_with_it(
    client: Client, hostile: StartTrigger
) -> None:
    running = hostile()
    job = client.invoke(
        {
            "mapper": "hostile.kill_async",
            "reducer": "hostile.total",
            "inputs": [*range(100), -1, *range(100)],
            "on_failure": "collect",
        }
    )
    result = job.result(20)
    assert (result["sum"], result["count"]) == (2 * sum(range(100)), 200)
    assert [(row["index"], row["attempts"]) for row in result["failures"]] == [(100, 4)]
    assert len(running.calls()) < 201 + 4 * 100


def test_an_async_poison_task_with_one_attempt_takes_no_other_with_it(
    client: Client, hostile: StartTrigger
) -> None:
    hostile()
    job = client.invoke(
        {
            "mapper": "hostile.kill_async",
            "reducer": "hostile.total",
            "inputs": [*range(20), -1, *range(20)],
            "on_failure": "collect",
            "retry": {"max_attempts": 1},
        }
    )
    result = job.result(20)
    assert (result["count"], len(result["failures"])) == (40, 1)


def test_an_async_function_that_blocks_the_loop_is_ended_and_the_others_are_kept(
    client: Client, hostile: StartTrigger
) -> None:
    hostile()
    job = client.invoke(
        {
            "mapper": "hostile.block_loop",
            "reducer": "hostile.total",
            "inputs": [*range(20), -1, *range(20)],
            "timeout": "500ms",
            "on_failure": "collect",
            "retry": {"max_attempts": 2, "backoff": "10ms"},
        }
    )
    result = job.result(20)
    assert [row["index"] for row in result["failures"]] == [20]
    assert result["count"] == 40
    assert job.status().timed_out == 1


def test_a_file_that_ends_its_worker_at_its_import_fails_the_job(
    client: Client, hostile: StartTrigger
) -> None:
    running = hostile()
    job = client.invoke(
        {"mapper": "dies_at_import.mapper", "inputs": [1], "retry": {"max_attempts": 3}}
    )
    with pytest.raises(JobFailedError, match=r"after 3 attempt.*ended with status 3"):
        job.result(15)
    assert "times in a row" not in running.log()


def test_a_file_that_hangs_at_its_import_times_out(client: Client, hostile: StartTrigger) -> None:
    hostile()
    job = client.invoke(
        {
            "mapper": "hangs_at_import.mapper",
            "inputs": [1],
            "timeout": "300ms",
            "retry": {"max_attempts": 1},
        }
    )
    with pytest.raises(JobFailedError, match="ran past its timeout"):
        job.result(15)
    assert job.status().timed_out == 1


def test_a_cancellation_that_an_async_function_lets_through_is_its_failure(
    client: Client, hostile: StartTrigger
) -> None:
    hostile()
    job = client.invoke(
        {
            "mapper": "hostile.leak_cancel",
            "inputs": [1, -1, 2],
            "on_failure": "collect",
            "retry": {"max_attempts": 2, "backoff": "10ms"},
        }
    )
    result = job.result(15)
    assert result["results"]["results"] == [1, 2]
    (failed,) = result["failures"]["results"]
    assert (failed["index"], failed["attempts"]) == (1, 2)
    assert failed["error"]["type"] == "CancelledError"
    assert "hostile.py:" in failed["error"]["message"]


@pytest.mark.parametrize("function", ["hostile.stubborn", "hostile.hold", "hostile.block_loop"])
def test_cancel_ends_calls_that_do_not_listen(
    client: Client, hostile: StartTrigger, function: str
) -> None:
    running = hostile()
    body = -1 if function == "hostile.block_loop" else 60
    job = client.invoke({"mapper": function, "inputs": [body] * 6})
    wait_for(lambda: len(running.calls()) >= 2)
    assert job.cancel()
    at = time.monotonic()
    after = client.invoke({"mapper": "hostile.sleep", "inputs": [0.01] * 10})
    assert after.result(20) == list(range(10))
    assert time.monotonic() - at < 6
    wait_for(lambda: client.fleet.backlog().entries == 0, 8)
    assert job.status().retries == 0


def test_a_signal_without_a_name_ends_one_worker_and_not_its_supervisor(
    client: Client, hostile: StartTrigger
) -> None:
    hostile()
    job = client.invoke(
        {
            "mapper": "hostile.die_of_strange_signal",
            "inputs": [1, -1, 2],
            "on_failure": "collect",
            "retry": {"max_attempts": 2},
        }
    )
    result = job.result(20)
    assert result["results"]["results"] == [1, 2]
    assert "signal" in result["failures"]["results"][0]["error"]["message"]


def test_a_poison_task_beside_async_calls_takes_none_of_them_with_it(
    client: Client, hostile: StartTrigger
) -> None:
    hostile()
    waiting = client.invoke({"mapper": "hostile.wait", "inputs": [0.1] * 40})
    poison = client.invoke(
        {"mapper": "hostile.die_of_strange_signal", "inputs": [-1] * 3, "on_failure": "collect"}
    )
    assert poison.result(15)["failures"]["count"] == 3
    assert waiting.result(15) == list(range(40))
