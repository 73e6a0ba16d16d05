"""Workers and supervisors that are killed, stopped, or kill themselves."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
import redis

from amr.client import Client
from amr.redis_url import RedisTarget
from amr.store.keys import Keys
from tests.faults.conftest import StartTrigger
from tests.support.fault_case import FaultCase
from tests.support.trigger_process import TriggerProcess, is_alive
from tests.support.wait import wait_for

SUM = "faulty.total"


def nothing_is_left(client: Client) -> bool:
    backlog = client.fleet.backlog()
    return backlog.entries == 0 and backlog.pending == 0


def kill_when_busy(trigger: TriggerProcess) -> int:
    """Kills a worker that is inside a call; returns its process id."""
    ended = {(call.index, call.attempt) for call in trigger.calls("end")}
    busy = [c for c in trigger.calls() if (c.index, c.attempt) not in ended]
    alive = set(trigger.workers())
    pid = next((int(call.tag) for call in reversed(busy) if int(call.tag) in alive), 0)
    if pid:
        os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.fault(1)
def test_a_killed_worker_costs_one_execution_and_less_than_a_second(
    client: Client, trigger: StartTrigger
) -> None:
    running = trigger()
    job = client.invoke({"mapper": "faulty.sleep", "reducer": SUM, "inputs": [0.05] * 60})
    wait_for(lambda: len(running.calls()) > 10)
    killed = wait_for(lambda: kill_when_busy(running))
    at = time.monotonic()
    wait_for(lambda: any(call.attempt == 2 for call in running.calls()), 5)
    assert time.monotonic() - at < 1.5
    assert job.result(20) == {"sum": sum(range(60)), "count": 60}
    calls = running.calls()
    assert len(calls) <= 60 + 2
    assert [call.attempt for call in calls if call.attempt > 1] == [2]
    assert killed not in running.workers()
    wait_for(lambda: len(running.workers()) == 2)
    wait_for(lambda: nothing_is_left(client))


@pytest.mark.fault(1)
def test_killed_workers_cost_no_more_executions_than_ran(case: FaultCase) -> None:
    trigger = case.trigger()
    inputs = [0.004] * 1500
    job = case.submit(
        {"mapper": "faulty.sleep", "reducer": SUM, "inputs": inputs, "retry": {"max_attempts": 20}},
        {"sum": sum(range(1500)), "count": 1500},
    )
    for kill in range(6):
        wait_for(lambda least=kill: job.status().succeeded > 200 * least)
        if workers := trigger.workers():
            os.kill(workers[0], signal.SIGKILL)
            case.costs(1)
    job.wait(30)


@pytest.mark.fault(1, 23)
def test_a_killed_supervisor_costs_no_more_executions_than_ran(case: FaultCase) -> None:
    first = case.trigger()
    others = [case.trigger(processes=1) for _ in range(2)]  # both may recover what it leaves
    inputs = [0.01] * 300
    case.submit(
        {"mapper": "faulty.sleep", "reducer": SUM, "inputs": inputs},
        {"sum": sum(range(300)), "count": 300},
    )
    wait_for(lambda: len(first.calls()) > 60)
    first.signal(signal.SIGKILL)
    case.killed(first)
    case.costs(2)
    assert all(other.lives() for other in others)


@pytest.mark.fault(1)
def test_async_calls_of_a_killed_worker_run_again(client: Client, trigger: StartTrigger) -> None:
    running = trigger()
    job = client.invoke({"mapper": "faulty.wait", "reducer": SUM, "inputs": [0.3] * 100})
    wait_for(lambda: len(running.calls()) > 40)
    os.kill(running.workers()[0], signal.SIGKILL)
    assert job.result(20) == {"sum": sum(range(100)), "count": 100}
    assert len(running.calls()) <= 200


@pytest.mark.fault(1, 11)
def test_random_kills_and_a_strangers_entries_change_no_result(
    client: Client, trigger: StartTrigger, redis_client: redis.Redis, redis_target: RedisTarget
) -> None:
    running = trigger(processes=8)
    stream = f"amr:{{{redis_target.stream}}}"
    job = client.invoke(
        {
            "mapper": "faulty.sleep",
            "reducer": SUM,
            "inputs": [0.005] * 1000,
            "retry": {"max_attempts": 20},
        }
    )
    rng = random.Random(5)
    for kill in range(8):
        wait_for(lambda least=kill: job.status().succeeded > 80 * least)
        if workers := running.workers():
            os.kill(rng.choice(workers), signal.SIGKILL)
    assert 500 < job.status().counters["slept"] < 1000
    outputs = client.inspector.outputs(job.id, 1000)
    finished = [index for index, output in outputs if output is not None][:100]
    assert len(finished) == 100
    for index in finished:
        fields = {"job": job.id, "stage": "map", "index": index, "attempt": 1, "suspect": 0}
        redis_client.xadd(stream, fields | {"body": "0"})  # type: ignore[arg-type]
    assert job.result(60) == {"sum": sum(range(1000)), "count": 1000}
    status = job.status()
    assert (status.succeeded, status.failed, status.counters) == (1000, 0, {"slept": 1000})
    wait_for(lambda: nothing_is_left(client))
    succeeded = [event for event in job.events(lines=False) if event.kind == "succeeded"]
    assert len(succeeded) == 1
    results = Keys(redis_target.stream).job_key("results", job.id)
    assert redis_client.hlen(results) == 1


@pytest.mark.fault(12, 14)
def test_a_poison_task_is_a_dead_letter_and_harms_no_other(
    client: Client, trigger: StartTrigger
) -> None:
    running = trigger()
    inputs = [*range(100), -1, *range(100)]
    job = client.invoke(
        {"mapper": "faulty.kill", "reducer": SUM, "inputs": inputs, "on_failure": "collect"}
    )
    result = job.result(40)
    assert (result["sum"], result["count"]) == (2 * sum(range(100)), 200)
    (failed,) = result["failures"]
    assert (failed["index"], failed["input"], failed["attempts"]) == (100, -1, 4)
    assert failed["error"]["type"] == "WorkerDied"
    assert "SIGKILL" in failed["error"]["message"]
    assert [c.attempt for c in running.calls() if c.index == 100] == [1, 2, 3, 4]
    assert all(c.attempt == 1 for c in running.calls() if c.index != 100)


@pytest.mark.fault(14)
def test_a_segfault_is_a_failure_of_its_task(client: Client, trigger: StartTrigger) -> None:
    trigger()
    job = client.invoke(
        {
            "mapper": "faulty.segfault",
            "inputs": [1, -1, 2],
            "on_failure": "collect",
            "retry": {"max_attempts": 2},
        }
    )
    result = job.result(20)
    assert result["results"] == {"count": 2, "results": [1, 2]}
    assert "SIGSEGV" in result["failures"]["results"][0]["error"]["message"]


@pytest.mark.fault(4)
def test_a_killed_reducer_runs_again_and_gives_one_result(
    client: Client, trigger: StartTrigger
) -> None:
    running = trigger()
    job = client.invoke(
        {"mapper": "faulty.double", "reducer": "faulty.slow_total", "inputs": [1, 2, 3]}
    )
    wait_for(lambda: [call for call in running.calls() if call.stage == "reduce"])
    os.kill(int(running.calls()[-1].tag), signal.SIGKILL)
    assert job.result(20) == 12
    assert [call.attempt for call in running.calls()] == [1, 2]


@pytest.mark.fault(20, 22)
def test_workers_of_a_killed_supervisor_end_and_another_trigger_takes_over(
    client: Client, trigger: StartTrigger
) -> None:
    first = trigger()
    job = client.invoke({"mapper": "faulty.sleep", "reducer": SUM, "inputs": [0.2] * 40})
    wait_for(lambda: len(first.calls()) > 4)
    workers = first.workers()
    first.signal(signal.SIGKILL)
    wait_for(lambda: not [pid for pid in workers if is_alive(pid)], 5, "the workers' end")
    second = trigger()
    at = time.monotonic()
    wait_for(lambda: any(call.attempt == 2 for call in second.calls()), 10)
    assert time.monotonic() - at < 2 + 2.5  # the lease, and a little
    assert job.result(30) == {"sum": sum(range(40)), "count": 40}
    wait_for(lambda: nothing_is_left(client))
    wait_for(lambda: len(client.fleet.known_workers()) == 2)


@pytest.mark.fault(5)
def test_a_trigger_that_sleeps_past_its_lease_changes_nothing_when_it_wakes(
    client: Client, trigger: StartTrigger
) -> None:
    first = trigger()
    job = client.invoke({"mapper": "faulty.sleep", "reducer": SUM, "inputs": [0.1] * 60})
    wait_for(lambda: len(first.calls()) > 4)
    session = [first.pid, *first.workers()]
    for pid in session:
        os.kill(pid, signal.SIGSTOP)
    trigger()
    wait_for(lambda: job.status().retries > 0, 10, "the takeover")
    for pid in session:
        os.kill(pid, signal.SIGCONT)
    assert job.result(30) == {"sum": sum(range(60)), "count": 60}
    assert job.status().succeeded == 60
    wait_for(lambda: nothing_is_left(client), 10)


@pytest.mark.fault(5)
def test_a_reducer_that_slept_past_its_lease_does_not_change_the_result(
    client: Client, trigger: StartTrigger
) -> None:
    first = trigger()
    job = client.invoke(
        {"mapper": "faulty.double", "reducer": "faulty.slow_total", "inputs": [1, 2, 3]}
    )
    wait_for(first.calls)
    session = [first.pid, *first.workers()]
    for pid in session:
        os.kill(pid, signal.SIGSTOP)
    second = trigger()
    assert job.result(20) == 12
    for pid in session:
        os.kill(pid, signal.SIGCONT)
    # Both triggers share the record. The second call may be of a later attempt than the second: a
    # blocking read of the sleeping trigger, longer here than its lease, can swallow one entry.
    first_call, second_call = second.calls()
    assert first_call.attempt == 1 < second_call.attempt
    assert client.invoke({"mapper": "faulty.noop", "inputs": [1] * 20}).result(20) == [1] * 20
    wait_for(lambda: nothing_is_left(client), 10)
    succeeded = [event for event in job.events(lines=False) if event.kind == "succeeded"]
    assert (len(succeeded), job.result(5)) == (1, 12)


def test_a_worker_that_cannot_start_is_started_more_and_more_slowly(
    client: Client, trigger: StartTrigger
) -> None:
    running = trigger(processes=1)
    for _ in range(4):
        pid = wait_for(running.workers)[0]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda dead=pid: dead not in running.workers())
    assert "times in a row; next start in" in running.log()
    job = client.invoke({"mapper": "faulty.noop", "inputs": [1]})
    assert job.result(20) == [1]
