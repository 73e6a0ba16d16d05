"""A Redis that is away for longer than leases, timeouts or grace."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from amr.client import Client
from amr.store.connection import connect
from tests.conftest import NewRedis
from tests.faults.conftest import StartTrigger
from tests.support.redis_server import RedisServer
from tests.support.wait import wait_for


@contextmanager
def frozen(server: RedisServer) -> Iterator[None]:
    """Stops the server's process meanwhile: it takes connections and answers nothing."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.fault(30)
@pytest.mark.parametrize("function", ["hostile.sleep", "hostile.wait"])
def test_leases_that_could_not_be_renewed_are_held_against_nobody(
    new_redis: NewRedis, hostile: StartTrigger, function: str
) -> None:
    server = new_redis()
    target = server.target.with_stream("frozen")
    running = hostile(url=target.url())
    hostile(url=target.url())
    with Client(target) as client:
        job = client.invoke(
            {"mapper": function, "inputs": [0.7] * 12, "retry": {"max_attempts": 1}}
        )
        wait_for(running.calls)
        with frozen(server):
            time.sleep(2.5)  # longer than the lease of two seconds
        assert job.result(15) == list(range(12))
        assert len(running.calls()) == 12
        assert job.status().retries == 0


@pytest.mark.fault(32)
def test_a_restart_longer_than_a_lease_uses_no_attempt_up(
    new_redis: NewRedis, hostile: StartTrigger
) -> None:
    server = new_redis(append_only=True)
    target = server.target.with_stream("away")
    running = hostile("--lease", "3s", url=target.url())
    with Client(target) as client:
        job = client.invoke(
            {"mapper": "hostile.sleep", "inputs": [6.0, 6.0], "retry": {"max_attempts": 1}}
        )
        wait_for(lambda: len(running.calls()) == 2)
        server.kill()
        time.sleep(3.2)
        server.start()
        assert job.result(20) == [0, 1]
    assert len(running.calls()) == 2


def test_a_trigger_stops_in_time_although_redis_does_not_answer(
    new_redis: NewRedis, hostile: StartTrigger
) -> None:
    server = new_redis()
    target = server.target.with_stream("frozen")
    running = hostile("--grace", "1s", url=target.url())
    with frozen(server):
        started = time.monotonic()
        assert running.stop(30) == 0
        assert time.monotonic() - started < 6


def test_a_second_signal_ends_a_trigger_at_once_although_redis_does_not_answer(
    new_redis: NewRedis, hostile: StartTrigger
) -> None:
    server = new_redis()
    target = server.target.with_stream("frozen")
    running = hostile(url=target.url())
    with frozen(server):
        running.signal(signal.SIGTERM)
        time.sleep(0.3)  # two signals at the same moment are one
        started = time.monotonic()
        assert running.stop(30) == 0
        assert time.monotonic() - started < 3


def test_calls_that_ended_in_time_are_not_killed_while_redis_is_away(
    new_redis: NewRedis, hostile: StartTrigger
) -> None:
    server = new_redis()
    target = server.target.with_stream("frozen")
    running = hostile("--lease", "20s", url=target.url())
    workers = sorted(running.workers())
    with Client(target) as client:
        job = client.invoke(
            {
                "mapper": "hostile.wait",
                "inputs": [0.3] * 20,
                "timeout": "600ms",
                "retry": {"max_attempts": 1},
            }
        )
        wait_for(lambda: len(running.calls()) == 20)
        with frozen(server):
            time.sleep(4)
        assert job.result(20) == list(range(20))
    assert sorted(running.workers()) == workers


def test_a_sync_call_ends_at_its_timeout_while_redis_is_away(
    new_redis: NewRedis, hostile: StartTrigger
) -> None:
    server = new_redis()
    target = server.target.with_stream("frozen")
    running = hostile("--lease", "20s", url=target.url(), processes=1)
    workers = running.workers()
    with Client(target) as client:
        job = client.invoke(
            {
                "mapper": "hostile.sleep",
                "inputs": [20],
                "timeout": "800ms",
                "retry": {"max_attempts": 1},
                "on_failure": "collect",
            }
        )
        wait_for(running.calls)
        with frozen(server):
            time.sleep(4)
        assert job.result(20)["failures"]["results"][0]["error"]["type"] == "TaskTimeoutError"
    assert running.workers() == workers


@pytest.mark.fault(32)
def test_a_redis_that_is_gone_for_seconds_fills_no_log(
    new_redis: NewRedis, hostile: StartTrigger
) -> None:
    server = new_redis(append_only=True)
    target = server.target.with_stream("gone")
    running = hostile(url=target.url())
    workers = sorted(running.workers())
    with Client(target) as client:
        job = client.invoke({"mapper": "hostile.sleep", "inputs": [0.02] * 100})
        wait_for(lambda: job.status().succeeded > 10)
        server.kill()
        time.sleep(3)
        server.start()
        assert job.result(15) == list(range(100))
    assert sorted(running.workers()) == workers
    seconds = Counter(re.findall(r"^(\S{19})\S* (?:WARNING|ERROR)", running.log(), re.MULTILINE))
    assert seconds.total() <= 3 * 2 * (len(seconds) + 1)


@pytest.mark.fault(36)
def test_a_redis_out_of_memory_costs_time_only(new_redis: NewRedis, hostile: StartTrigger) -> None:
    server = new_redis()
    target = server.target.with_stream("full")
    running = hostile(url=target.url())
    with Client(target) as client, connect(target) as raw:
        job = client.invoke(
            {"mapper": "hostile.sleep", "inputs": [0.03] * 100, "retry": {"max_attempts": 1}}
        )
        wait_for(lambda: job.status().succeeded > 10)
        raw.config_set("maxmemory", 1)
        time.sleep(2.5)  # longer than the lease of two seconds
        raw.config_set("maxmemory", 0)
        assert job.result(15) == list(range(100))
        assert len(running.calls()) == 100


def test_many_open_files_do_not_keep_a_worker_from_coming_back(
    new_redis: NewRedis, hostile: StartTrigger
) -> None:
    server = new_redis()
    target = server.target.with_stream("files")
    running = hostile(url=target.url())
    workers = sorted(running.workers())
    with Client(target) as client, connect(target) as raw:
        job = client.invoke({"mapper": "hostile.hoard", "inputs": [0.02] * 100})
        for least in (10, 40, 70):
            wait_for(lambda least=least: job.status().succeeded > least)
            raw.client_kill_filter(_type="normal", skipme=True)
        assert job.result(15) == list(range(100))
        after = client.invoke({"mapper": "hostile.hoard", "inputs": [0.02] * 4})
        assert after.result(10) == list(range(4))
    assert sorted(running.workers()) == workers
