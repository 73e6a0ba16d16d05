"""Many tasks, many workers that came and went, large values."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from amr.redis_url import RedisTarget
from amr.store.connection import connect
from tests.conftest import NewRedis
from tests.faults.conftest import NewCase
from tests.support.fault_case import FaultCase
from tests.support.store_bench import StoreBench
from tests.support.wait import wait_for

#: Milliseconds that one script may take, on a machine that does other things as well.
SCRIPT_MOST_MS = 25


@pytest.mark.fault(21)
def test_workers_that_came_and_went_leave_no_consumers(case: FaultCase) -> None:
    trigger = case.trigger(processes=2)
    for _ in range(6):
        for pid in wait_for(lambda: trigger.workers() if len(trigger.workers()) == 2 else []):
            wait_for(lambda: len(case.client.fleet.known_workers()) >= 2)
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda gone=pid: gone not in trigger.workers())
    wait_for(lambda: len(trigger.workers()) == 2, 60)
    case.submit({"mapper": "faulty.noop", "inputs": [1, 2]}, [1, 2]).result(60)
    wait_for(lambda: len(case.client.fleet.backlog().consumers) <= 2 + 10)
    wait_for(lambda: len(case.client.fleet.known_workers()) == 2)


@pytest.mark.fault(24, 25)
def test_every_task_of_a_long_backlog_runs_and_leaves_the_stream(case: FaultCase) -> None:
    count = 20_000
    inputs = list(range(count))
    fields = {"mapper": "faulty.double", "reducer": "faulty.total", "inputs": inputs}
    job = case.submit(fields, {"sum": count * (count - 1), "count": count})
    assert job.status().pending + job.status().running == count
    case.trigger()
    assert job.result(60)["count"] == count
    with connect(case.target) as client:
        assert client.xlen(case.keys.stream_key("stream")) == 0


@pytest.mark.fault(25)
@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_million_tasks_leave_nothing_on_the_stream(
    new_redis: NewRedis, new_case: NewCase
) -> None:
    case = new_case(new_redis().target)
    case.trigger()
    count = 1_000_000
    job = case.client.invoke({"mapper": "faulty.noop"}, inputs=range(count))
    case.expect(job, list(range(count)))
    job.wait(240)
    with connect(case.target) as client:
        assert client.xlen(case.keys.stream_key("stream")) == 0
        assert client.memory_usage(case.keys.stream_key("stream")) < 100_000


@pytest.mark.fault(41)
def test_no_script_holds_redis_up(redis_target: RedisTarget) -> None:
    bench = StoreBench(redis_target)
    bench.redis("CONFIG", "SET", "slowlog-log-slower-than", SCRIPT_MOST_MS * 1000)
    bench.redis("SLOWLOG", "RESET")
    bench.submit(100_000, concurrency=1000)
    for _ in range(20):
        bench.commit(*bench.fetch(256))
    bench.sweep()
    bench.pause()
    bench.resume()
    bench.cancel()
    slow = [entry for entry in bench.redis("SLOWLOG", "GET", 10) if entry[3][0] == b"EVALSHA"]
    bench.redis("CONFIG", "SET", "slowlog-log-slower-than", 10_000)
    assert slow == []


@pytest.mark.fault(43)
def test_large_and_strange_values_come_back_exactly(case: FaultCase) -> None:
    case.trigger(processes=1)
    values = [2**53 + 1, [], {}, None, "", "x" * 20_000_000, [2**63], -0.0]
    job = case.submit({"mapper": "faulty.noop", "inputs": values}, values)
    assert job.result(60) == values


@pytest.mark.bad_input(41)
@pytest.mark.fault(43)
def test_an_output_that_is_too_large_is_a_failure_that_says_so(
    case: FaultCase, tmp_path: Path
) -> None:
    functions = tmp_path / "large"
    functions.mkdir()
    (functions / "large.py").write_text("def make(size):\n    return 'x' * size\n")
    case.trigger("--functions", str(functions), processes=1)
    job = case.client.invoke(
        {"mapper": "large.make", "inputs": [10, 600_000_000], "on_failure": "collect"}
    )
    result = job.result(60)
    (failure,) = result["failures"]["results"]
    assert failure["index"] == 1
    assert "bytes" in json.dumps(failure["error"])
    assert result["results"]["results"] == ["x" * 10]
