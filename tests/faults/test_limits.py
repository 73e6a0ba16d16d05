"""Timeouts, retries, policies, cancelling, fairness, concurrency."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import amr
from amr.client import Client
from amr.errors import JobFailedError
from tests.faults.conftest import StartTrigger
from tests.support.trigger_process import TriggerProcess
from tests.support.wait import wait_for


@pytest.mark.fault(10)
@pytest.mark.parametrize("function", ["faulty.sleep", "faulty.spin", "faulty.wait", "faulty.hold"])
def test_a_call_past_its_timeout_is_ended_and_the_others_are_kept(
    client: Client, trigger: StartTrigger, function: str
) -> None:
    trigger()
    job = client.invoke(
        {
            "mapper": function,
            "inputs": [0.001] * 10 + [30] + [0.001] * 10,
            "timeout": "400ms",
            "retry": {"max_attempts": 2, "backoff": "10ms"},
            "on_failure": "collect",
        }
    )
    result = job.result(30)
    assert result["results"]["count"] == 20
    (failed,) = result["failures"]["results"]
    assert (failed["index"], failed["attempts"]) == (10, 2)
    assert "timeout" in failed["error"]["message"]
    status = job.status()
    assert (status.timed_out, status.failed, status.retries) == (1, 1, 1)
    if function == "faulty.sleep":
        assert "faulty.py:" in failed["error"]["message"]


def test_a_mapper_that_fails_twice_passes_at_its_third_attempt(
    client: Client, trigger: StartTrigger
) -> None:
    running = trigger()
    job = client.invoke(
        {"mapper": "faulty.third_time", "inputs": [0, 0], "retry": {"backoff": "50ms"}}
    )
    assert job.result(20) == [3, 3]
    assert len(running.calls()) == 6
    assert job.status().retries == 4


def test_a_task_that_puts_itself_off_uses_no_attempt_up(
    client: Client, trigger: StartTrigger
) -> None:
    trigger(processes=1)
    job = client.invoke({"mapper": "faulty.later", "inputs": [0, 0], "retry": {"max_attempts": 1}})
    assert job.result(20) == [1, 1]


@pytest.mark.fault(13)
def test_the_first_dead_task_fails_the_job_and_names_it(
    client: Client, trigger: StartTrigger
) -> None:
    trigger()
    job = client.invoke({"mapper": "faulty.odd", "inputs": [0, 2, 3, 4]})
    with pytest.raises(JobFailedError, match=r"map task 2 failed after 1 attempt.*3 is odd"):
        job.result(20)


@pytest.mark.fault(13)
def test_tolerated_failures_reach_the_reducer(client: Client, trigger: StartTrigger) -> None:
    trigger()
    spec = {"mapper": "faulty.odd", "reducer": "faulty.total", "inputs": [0, 2, 3, 4]}
    result = client.invoke(spec | {"on_failure": {"tolerate": 0.25}}).result(20)
    assert (result["sum"], result["count"]) == (6, 3)
    assert [row["index"] for row in result["failures"]] == [2]
    with pytest.raises(JobFailedError):
        client.invoke(spec | {"on_failure": {"tolerate": 0.2}}).result(20)


@pytest.mark.parametrize("function", ["faulty.sleep", "faulty.wait"])
def test_cancel_stops_what_runs_and_workers_go_on(
    client: Client, trigger: StartTrigger, function: str
) -> None:
    running = trigger()
    job = client.invoke({"mapper": function, "inputs": [60] * 50})
    wait_for(lambda: len(running.calls()) >= 2)
    assert job.cancel()
    at = time.monotonic()
    assert client.invoke({"mapper": "faulty.noop", "inputs": [1] * 10}).result(20) == [1] * 10
    wait_for(lambda: client.fleet.backlog().entries == 0, 5)
    assert time.monotonic() - at < 4
    assert job.status().state == "cancelled"


def test_tasks_behind_a_slow_one_go_to_an_idle_worker(
    client: Client, trigger: StartTrigger
) -> None:
    trigger()
    job = client.invoke({"mapper": "faulty.sleep", "inputs": [0.001] * 5 + [20] + [0.001] * 45})
    at = time.monotonic()
    wait_for(lambda: job.status().succeeded == 50, 10)
    assert time.monotonic() - at < 4
    assert job.status().retries == 0


def test_a_small_job_ends_soon_behind_a_big_one(client: Client, trigger: StartTrigger) -> None:
    trigger()
    big = client.invoke({"mapper": "faulty.spin", "inputs": [0.05] * 100_000})
    wait_for(lambda: big.status().succeeded > 20)
    at = time.monotonic()
    client.invoke(
        {"mapper": "faulty.double", "reducer": "faulty.total", "inputs": [1] * 10}
    ).result(10)
    assert time.monotonic() - at < 5
    big.cancel()


def most_at_once(running: TriggerProcess) -> int:
    """Returns the most calls that ran at the same time."""
    now, most = 0, 0
    for line in running.record_file.read_text().splitlines():
        now += 1 if line.startswith("start") else -1
        most = max(most, now)
    return most


def test_a_jobs_concurrency_is_never_exceeded(client: Client, trigger: StartTrigger) -> None:
    running = trigger()
    job = client.invoke({"mapper": "faulty.wait", "inputs": [0.05] * 40, "concurrency": 5})
    assert job.result(20) == list(range(40))
    assert most_at_once(running) == 5


def test_ten_thousand_tasks_under_a_cap_of_fifty(client: Client, trigger: StartTrigger) -> None:
    running = trigger()
    job = client.invoke({"mapper": "faulty.wait", "inputs": [0.001] * 10_000, "concurrency": 50})
    assert job.result(60) == list(range(10_000))
    status = job.status()
    assert (status.succeeded, status.failed, status.retries) == (10_000, 0, 0)
    assert 10 < most_at_once(running) <= 50


def test_a_triggers_concurrency_times_its_workers_is_the_peak(
    client: Client, trigger: StartTrigger
) -> None:
    running = trigger("--concurrency", "4", processes=3)
    job = client.invoke({"mapper": "faulty.wait", "inputs": [0.2] * 90})
    assert job.result(30) == list(range(90))
    assert most_at_once(running) == 12


def test_lines_of_a_long_call_are_seen_while_it_runs(client: Client, trigger: StartTrigger) -> None:
    trigger()
    job = client.invoke({"mapper": "faulty.talk", "inputs": [7, 8]})
    assert job.result(20) == [7, 8]
    lines = [e.fields["text"] for e in job.events() if e.kind == "log"]
    assert sorted(lines) == ["said 7", "said 8", "warned 7", "warned 8"]
    assert job.status().counters == {"talks": 2}


@pytest.mark.fault(10)
def test_a_deadline_ends_the_job_and_names_what_is_missing(
    client: Client, trigger: StartTrigger
) -> None:
    trigger()
    job = client.invoke({"mapper": "faulty.sleep", "inputs": [0.01, 60], "deadline": "1s"})
    with pytest.raises(
        JobFailedError, match=r"deadline passed with 1 of 2 map tasks \(1\) not done"
    ):
        job.result(20)
    wait_for(lambda: client.fleet.backlog().entries == 0)


def test_the_reducer_has_a_timeout_of_its_own(client: Client, trigger: StartTrigger) -> None:
    trigger()
    job = client.invoke(
        {
            "mapper": "faulty.sleep",
            "reducer": "faulty.slow_total",
            "inputs": [0.7],
            "reduce_timeout": "300ms",
            "retry": {"max_attempts": 1},
        }
    )
    with pytest.raises(JobFailedError, match=r"the reduce task failed.*300ms"):
        job.result(20)
    assert job.status().succeeded == 1


def test_an_endpoint_that_asks_for_time_fails_no_task(tmp_path: Path) -> None:
    seen: dict[str, list[float]] = {}
    answers = [(429, "1"), (503, "0"), (200, "0")]

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            key = self.headers["Idempotency-Key"]
            status, retry_after = answers[len(seen.setdefault(key, []))]
            seen[key].append(time.monotonic())
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Retry-After", retry_after)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    (tmp_path / "functions.toml").write_text(f'[far]\nurl = "{url}"\nprivate = true\n')
    spec = {"mapper": "far", "inputs": list(range(20)), "retry": {"max_attempts": 1}}
    try:
        assert amr.run(spec, functions=tmp_path, processes=1, timeout=20) == list(range(20))
    finally:
        server.shutdown()
        server.server_close()
    assert len(seen) == 20
    for first, second, _ in seen.values():
        assert second - first >= 1
