"""SIGTERM with work in hand, leases and long tasks."""

from __future__ import annotations

import signal
import time

import pytest

from amr.client import Client
from tests.faults.conftest import StartTrigger
from tests.support.wait import wait_for


@pytest.mark.fault(45)
def test_a_stop_lets_running_tasks_end_and_gives_the_others_back(
    client: Client, trigger: StartTrigger
) -> None:
    first = trigger()
    job = client.invoke({"mapper": "faulty.sleep", "inputs": [0.3] * 20})
    wait_for(lambda: len(first.calls()) >= 3)
    assert first.stop() == 0
    assert len(first.calls()) == len(first.calls("end"))
    done = job.status().succeeded
    assert done == len(first.calls("end"))
    assert client.fleet.backlog().pending == 0
    assert client.fleet.known_workers() == []
    second = trigger()
    assert job.result(20) == list(range(20))
    assert all(call.attempt == 1 for call in second.calls())


@pytest.mark.fault(45)
def test_a_task_longer_than_the_grace_is_killed_and_its_attempt_refunded(
    client: Client, trigger: StartTrigger
) -> None:
    first = trigger("--grace", "500ms")
    job = client.invoke({"mapper": "faulty.sleep", "inputs": [3]})
    wait_for(first.calls)
    started = time.monotonic()
    assert first.stop() == 0
    assert time.monotonic() - started < 2.5
    second = trigger()
    assert job.result(20) == [0]
    assert [call.attempt for call in second.calls()] == [1, 1]


def test_a_second_signal_ends_it_at_once(client: Client, trigger: StartTrigger) -> None:
    running = trigger()
    client.invoke({"mapper": "faulty.sleep", "inputs": [30]})
    wait_for(running.calls)
    running.signal(signal.SIGTERM)
    time.sleep(0.3)  # two signals at the same moment are one
    started = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - started < 2.0


def test_async_calls_end_before_a_worker_does(client: Client, trigger: StartTrigger) -> None:
    running = trigger()
    job = client.invoke({"mapper": "faulty.wait", "inputs": [0.5] * 30})
    wait_for(lambda: len(running.calls()) == 30)
    assert running.stop() == 0
    assert job.status().succeeded == 30


@pytest.mark.fault(8)
def test_a_task_longer_than_the_lease_runs_once(client: Client, trigger: StartTrigger) -> None:
    running = trigger()
    trigger()
    job = client.invoke({"mapper": "faulty.sleep", "inputs": [4.5]})
    assert job.result(20) == [0]
    assert len(running.calls()) == 1


@pytest.mark.fault(9)
def test_a_function_that_holds_the_interpreter_keeps_its_lease(
    client: Client, trigger: StartTrigger
) -> None:
    running = trigger()
    trigger()
    job = client.invoke({"mapper": "faulty.hold", "inputs": [4.5]})
    assert job.result(20) == [0]
    assert len(running.calls()) == 1


@pytest.mark.fault(45)
def test_a_stop_gives_back_what_was_prefetched_and_not_started(
    client: Client, trigger: StartTrigger
) -> None:
    first = trigger(processes=1)
    job = client.invoke({"mapper": "faulty.sleep", "inputs": [0.001] * 40 + [0.8] + [0.001] * 40})
    wait_for(lambda: any(call.index == 40 for call in first.calls()))
    held = client.fleet.backlog().pending
    assert first.stop() == 0
    assert len(first.calls()) == len(first.calls("end")) == job.status().succeeded
    assert client.fleet.backlog().pending == 0
    second = trigger()
    assert job.result(20) == list(range(81))
    assert held > 1, "nothing was prefetched: this test shows nothing"
    assert all(call.attempt == 1 for call in second.calls())
    assert job.status().retries == 0
