"""Everything a person does with amr when all is well, against one Redis."""

from __future__ import annotations

from collections.abc import Callable

from amr.client import Client
from amr.errors import JobFailedError
from amr.redis_url import RedisTarget
from tests.support.cli import amr
from tests.support.trigger_process import TriggerProcess
from tests.support.wait import wait_for

_TOTAL = "faulty.total"


def walk_happy_path(target: RedisTarget, start_trigger: Callable[..., TriggerProcess]) -> None:
    """Starts a trigger, runs jobs of each kind and uses every command; asserts the results."""
    url = target.url()
    trigger = start_trigger(url=url)
    with Client(target) as client:
        summed = client.invoke(
            {"mapper": "faulty.double", "reducer": _TOTAL, "inputs": list(range(3000))}, id="sums"
        )
        assert summed.result(30)["sum"] == sum(range(3000)) * 2
        again = client.invoke(
            {"mapper": "faulty.double", "reducer": _TOTAL, "inputs": list(range(3000))}, id="sums"
        )
        assert not again.created
        made = {"function": "faulty.double", "body": [1, 2]}
        sourced = client.invoke({"mapper": "faulty.double", "inputs": made})
        assert sourced.result(30) == [2, 4, 2, 4]
        words = {"mapper": "faulty.pairs", "inputs": ["a b", "a"], "reducer": "amr.sum"}
        shuffled = client.invoke(words | {"shuffle": {"partitions": 2}})
        assert sorted(shuffled.result(30)) == [["a", 2], ["b", 1]]
        then = {"mapper": "faulty.double", "reducer": _TOTAL}
        chained = client.invoke({"mapper": "faulty.double", "inputs": [1, 2], "then": then})
        assert chained.last().result(30)["sum"] == 12
        waits = client.invoke({"mapper": "faulty.wait", "inputs": [0.01] * 20})
        assert waits.result(30) == list(range(20))
        retried = client.invoke(
            {"mapper": "faulty.third_time", "inputs": [1], "retry": {"backoff": "10ms"}}
        )
        assert retried.result(30) == [3]
        failing = client.invoke({"mapper": "faulty.odd", "inputs": [2, 3, 4]})
        try:
            failing.result(30)
        except JobFailedError:
            assert [failed.index for failed in failing.failures()] == [1]
        assert failing.redrive().tasks == 1
        collected = client.invoke(
            {"mapper": "faulty.odd", "inputs": [2, 3], "on_failure": "collect", "rate": "1000/s"}
        )
        assert collected.result(30)["failures"]["count"] == 1
        talks = client.invoke({"mapper": "faulty.talk", "inputs": [1, 2]})
        assert talks.result(30) == [1, 2]
        held = client.invoke({"mapper": "faulty.sleep", "inputs": [0.05] * 20}, id="held")
        held.pause()
        held.update(concurrency=5)
        held.resume()
        assert held.result(30) == list(range(20))
        slow = client.invoke({"mapper": "faulty.sleep", "inputs": [30.0] * 4}, id="slow")
        wait_for(lambda: slow.status().running)
        assert [stage.stage for stage in slow.details().stages] == ["map"]
        assert slow.task(0).state in ("queued", "running")
        slow.cancel()
    for command in (
        ("list",),
        ("status", "sums"),
        ("logs", talks.id),
        ("result", "sums"),
        ("result", talks.id, "--follow"),
        ("result", shuffled.id, "--part", "1"),
        ("failures", failing.id),
        ("task", failing.id, "1"),
        ("task", shuffled.id, "0"),
        ("trigger", "list"),
        ("trigger", "workers"),
        ("doctor",),
        ("prune", "--state", "cancelled"),
    ):
        done = amr(*command, "--redis-url", url)
        assert done.code == 0, f"{command}: {done.err}"
    assert trigger.stop() == 0
    assert "NOPERM" not in trigger.log()
