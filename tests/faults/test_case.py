"""The harness itself: its proxy harms, and its checks fail when a promise is broken."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest
import redis

from amr.redis_url import RedisTarget
from amr.store.connection import connect
from amr.store.keys import Keys
from amr.store.link import Call, Link, same
from tests.support.fault_case import FaultCase
from tests.support.proxy import Proxy, Way
from tests.support.wait import wait_for

JOB = {"mapper": "faulty.sleep", "reducer": "faulty.total", "inputs": [0.02] * 20}
RESULT = {"sum": sum(range(20)), "count": 20}


@pytest.mark.fault(1)
def test_a_killed_worker_in_a_watched_case(case: FaultCase) -> None:
    trigger = case.trigger()
    job = case.submit(JOB, RESULT)
    wait_for(lambda: len(trigger.calls()) > 4)
    os.kill(trigger.workers()[0], signal.SIGKILL)
    case.costs(1)
    assert job.result(20) == RESULT


@pytest.mark.parametrize(
    ("breach", "told"),
    [
        ("result", "I1: another result"),
        ("executions", "I6: 1 executions more"),
        ("result-changed", "I3: results changed"),
        ("entry", "I5: the stream's drain"),
        ("key", "I5: keys left"),
        ("deadline", "I4: .* late"),
        ("trigger", "I8: a trigger ended"),
    ],
)
def test_a_broken_promise_is_told(
    breach: str, told: str, redis_target: RedisTarget, tmp_path: Path
) -> None:
    keys = Keys(redis_target.stream)
    with FaultCase(redis_target, tmp_path) as case, connect(redis_target) as client:
        trigger = case.trigger(processes=1)
        told_wrong = {"sum": 7 if breach == "result" else 6, "count": 4}
        job = case.submit(JOB | {"inputs": [0.0] * 4}, told_wrong)
        job.wait(20)
        if breach == "executions":
            with open(trigger.record_file, "a") as record:
                record.write(f"start map 0 2 1 {job.id}\n")
        elif breach == "result-changed":
            wait_for(lambda: case._watch.seen)
            client.hset(keys.job_key("results", job.id), "1", '{"sum":6, "count":4}')
            wait_for(lambda: any(len(seen) > 1 for seen in case._watch.seen.values()))
        elif breach == "entry":
            trigger.signal(signal.SIGSTOP)
            for pid in trigger.workers():
                os.kill(pid, signal.SIGSTOP)
            client.xadd(keys.stream_key("stream"), {"no": "task"})
        elif breach == "key":
            client.set(keys.job_key("job", "other"), "1")
        elif breach == "deadline":
            client.hset(keys.job_key("job", job.id), "deadline", 1)
        elif breach == "trigger":
            trigger.stop()
        with pytest.raises(AssertionError, match=told):
            case.check(within_s=5)


def test_a_proxy_passes_delays_cuts_and_swallows(redis_target: RedisTarget) -> None:
    with Proxy(redis_target) as proxy:
        with connect(proxy.target) as client:
            assert client.ping()
            proxy.latency_s = 0.05
            started = time.monotonic()
            client.ping()
            assert time.monotonic() - started >= 0.1
            proxy.heal()
            proxy.cut_after(Way.REPLIES, 3)
            with pytest.raises(redis.ConnectionError):
                client.ping()
            assert not proxy.cut_is_due()
            assert client.ping()
            assert proxy.cut() == 1
        proxy.refuse()
        with connect(proxy.target) as client, pytest.raises(redis.ConnectionError):
            client.ping()


@pytest.mark.parametrize("way", Way)
def test_a_black_hole_answers_nothing(redis_target: RedisTarget, way: Way) -> None:
    ping = Call(("PING",), same)
    with Proxy(redis_target) as proxy, closing(Link(proxy.target, timeout_s=0.2)) as link:
        assert link.run(ping)
        proxy.swallow(way)
        with pytest.raises(redis.TimeoutError):
            link.run(Call(("SET", "seen", way.value, "EX", 5), same))
    with connect(redis_target) as client:
        assert (client.get("seen") is not None) == (way is Way.REPLIES)
        client.delete("seen")
