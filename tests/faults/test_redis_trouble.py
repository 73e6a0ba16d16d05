"""Redis restarted, emptied, cut off, and strangers on the stream."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable

import pytest
import redis

from amr.client import Client
from amr.redis_url import RedisTarget
from amr.store.connection import connect
from tests.conftest import NewRedis
from tests.faults.conftest import StartTrigger
from tests.support.wait import wait_for

SPEC = {"mapper": "faulty.sleep", "reducer": "faulty.total", "inputs": [0.02] * 150}
RESULT = {"sum": sum(range(150)), "count": 150}


@pytest.mark.fault(32)
@pytest.mark.parametrize("kill", [False, True])
def test_a_job_goes_on_after_a_restart_of_redis(
    new_redis: NewRedis, trigger: StartTrigger, kill: bool
) -> None:
    server = new_redis(append_only=True)
    target = server.target.with_stream("restarts")
    running = trigger(url=target.url())
    with Client(target) as client:
        job = client.invoke(SPEC)
        wait_for(lambda: job.status().succeeded > 20)
        server.restart(kill=kill)
        assert job.result(30) == RESULT
    assert len(running.workers()) == 2
    by_second = re.findall(r"^(\S{19}).* WARNING", running.log(), re.MULTILINE)
    assert len(by_second) < 60


@pytest.mark.fault(30, 41)
def test_a_redis_that_answers_nothing_for_a_while_costs_time_only(
    new_redis: NewRedis, trigger: StartTrigger
) -> None:
    server = new_redis()
    target = server.target.with_stream("frozen")
    trigger(url=target.url())
    with Client(target) as client:
        job = client.invoke(SPEC)
        wait_for(lambda: job.status().succeeded > 20)
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(3)  # longer than the lease of two seconds
        os.kill(server.pid, signal.SIGCONT)
        assert job.result(30) == RESULT


@pytest.mark.fault(26)
def test_a_trigger_survives_an_emptied_redis(new_redis: NewRedis, trigger: StartTrigger) -> None:
    server = new_redis()
    target = server.target.with_stream("emptied")
    trigger(url=target.url())
    with Client(target) as client, connect(target) as raw:
        client.invoke(SPEC)
        raw.flushall()
        wait_for(lambda: raw.exists("amr:{emptied}"), 15, "the group's return")
        assert client.invoke(SPEC).result(30) == RESULT


Trouble = Callable[[redis.Redis, str], object]

TROUBLES: dict[str, Trouble] = {
    "xdel": lambda raw, stream: raw.xdel(stream, *[row[0] for row in raw.xrange(stream)]),
    "xack": lambda raw, stream: raw.xack(stream, "amr", *[row[0] for row in raw.xrange(stream)]),
    "del": lambda raw, stream: raw.delete(stream),
    "xclaim": lambda raw, stream: raw.xclaim(
        stream, "amr", "stranger", 0, [row[0] for row in raw.xrange(stream)]
    ),
    "delconsumer": lambda raw, stream: [
        raw.xgroup_delconsumer(stream, "amr", consumer["name"])
        for consumer in raw.xinfo_consumers(stream, "amr")
    ],
    "setid": lambda raw, stream: raw.xgroup_setid(stream, "amr", "0"),
    "destroy": lambda raw, stream: raw.xgroup_destroy(stream, "amr"),
    "script-flush": lambda raw, stream: raw.script_flush(),
    "client-kill": lambda raw, stream: raw.client_kill_filter(_type="normal", skipme=True),
}


@pytest.mark.fault(17, 18, 19, 20, 27)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_stranger_cannot_make_a_job_wrong(
    client: Client,
    trigger: StartTrigger,
    redis_client: redis.Redis,
    redis_target: RedisTarget,
    trouble: str,
) -> None:
    trigger()
    job = client.invoke(SPEC)
    wait_for(lambda: job.status().succeeded > 20)
    stream = f"amr:{{{redis_target.stream}}}"
    if redis_client.xlen(stream) or trouble != "xdel":
        TROUBLES[trouble](redis_client, stream)
    assert job.result(40) == RESULT
    wait_for(lambda: client.fleet.backlog().entries == 0, 15)


@pytest.mark.fault(42)
def test_entries_of_strangers_are_put_aside(
    client: Client, trigger: StartTrigger, redis_client: redis.Redis, redis_target: RedisTarget
) -> None:
    trigger()
    stream = f"amr:{{{redis_target.stream}}}"
    redis_client.xadd(stream, {"hello": b"\xff\x00"})
    fields = {"job": "nobody", "stage": "map", "index": 0, "attempt": 1, "suspect": 0, "body": "1"}
    redis_client.xadd(stream, fields)
    assert client.invoke(SPEC).result(30) == RESULT
    wait_for(lambda: redis_client.xlen(f"{stream}:quarantine") == 2)
    assert redis_client.xlen(stream) == 0
