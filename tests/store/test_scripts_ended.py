"""Transitions that come too late, twice, or for a job that nobody knows."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from amr.store.link import Call
from amr.store.replies import Code, Reply
from amr.store.transitions import Done
from amr.task import Task
from tests.support.store_bench import StoreBench

MAP = Task(b"1-1", "j", "map", 0, 1, b"0")
SOURCE = Task(b"1-3", "j", "source", 0, 1, b"")
REDUCE = Task(b"1-2", "j", "reduce", 0, 1, b"")
FAILURE = {
    "error": b"{}",
    "summary": "E: x",
    "delay_s": 0.0,
    "permanent": False,
    "deferred": False,
    "timed_out": False,
}
GONE_WORKER = {"blame": "idle", "alone": True, "error": b"{}", "summary": "x", "timed_out": False}

#: What is done to a job, and the answers it may have when there is no such job.
TRANSITIONS: dict[str, tuple[Callable[[StoreBench], Call], tuple[Code, ...]]] = {
    "append": (lambda b: b.transitions.append("j", 0, [b"1"]), (Code.GONE,)),
    "seal": (lambda b: b.transitions.seal("j", 3), (Code.GONE,)),
    "commit": (lambda b: b.transitions.commit("j", [Done(MAP, b"1", None)], 1.0), (Code.GONE,)),
    "fail": (lambda b: b.transitions.fail(MAP, **FAILURE), (Code.GONE,)),  # type: ignore[arg-type]
    "finish": (lambda b: b.transitions.finish(REDUCE, b"1", b"1", None), (Code.GONE,)),
    "forward": (lambda b: b.transitions.forward("j", ["0", "feed"]), (Code.OK,)),
    "recover": (
        lambda b: b.transitions.recover("w1", MAP, **GONE_WORKER),  # type: ignore[arg-type]
        (Code.STALE,),
    ),
    "ask": (lambda b: b.transitions.ask("j"), (Code.GONE,)),
    "gather": (lambda b: b.transitions.gather(SOURCE, 0, [b"1"]), (Code.STALE,)),
    "adopt": (lambda b: b.transitions.adopt(SOURCE, 0), (Code.GONE,)),
    "follow": (lambda b: b.transitions.follow("j", "j"), (Code.GONE,)),
    "backup": (lambda b: b.transitions.backup("j", 0.0), (Code.GONE,)),
    "release": (lambda b: b.transitions.release("j", [MAP]), (Code.OK,)),
    "sweep": (lambda b: b.transitions.sweep("j", 0, 0.0), (Code.GONE,)),
    "expire": (lambda b: b.transitions.expire("j", 0.0), (Code.GONE,)),
    "confirm": (lambda b: b.transitions.confirm("j"), (Code.GONE,)),
    "cancel": (lambda b: b.transitions.cancel("j"), (Code.GONE,)),
    "pause": (lambda b: b.transitions.pause("j"), (Code.GONE,)),
    "resume": (lambda b: b.transitions.resume("j"), (Code.GONE,)),
    "update": (lambda b: b.transitions.update("j", 5, None), (Code.GONE,)),
    "redrive": (lambda b: b.transitions.redrive("j", ["0"], 1, False), (Code.GONE,)),
    "prune": (lambda b: b.transitions.prune("j", 0.0), (Code.GONE,)),
    "log": (lambda b: b.transitions.log("j", [("map", 0, 1, 1, "print", "x")]), (Code.GONE,)),
}

#: What nothing may happen by once the job has ended; the others have tests of their own.
LATE = (
    "ask",
    "gather",
    "adopt",
    "follow",
    "backup",
    "append",
    "seal",
    "commit",
    "fail",
    "finish",
    "forward",
    "recover",
    "release",
    "sweep",
)


@pytest.mark.parametrize("name", TRANSITIONS)
def test_a_job_that_nobody_knows_is_not_made_by_the_way(bench: StoreBench, name: str) -> None:
    make_call, codes = TRANSITIONS[name]
    reply: Reply = bench.link.run(make_call(bench))
    assert reply.code in codes
    assert bench.redis("KEYS", bench.keys.base + ":job:*") == []


@pytest.mark.parametrize("name", LATE)
def test_a_job_that_has_failed_does_nothing_more(bench: StoreBench, name: str) -> None:
    bench.submit(20, concurrency=4)
    first, second, *_ = bench.fetch()
    assert bench.fail(first, permanent=True).code is Code.DEAD
    before = (
        bench.status(),
        bench.flight("1"),
        bench.redis("ZCARD", bench.keys.stream_key("active")),
    )
    entries = bench.stream_length()
    calls = {
        "commit": bench.transitions.commit("j", [Done(second, b"1", None)], 1.0),
        "fail": bench.transitions.fail(second, **FAILURE),  # type: ignore[arg-type]
        "recover": bench.transitions.recover("w1", second, **GONE_WORKER),  # type: ignore[arg-type]
        "release": bench.transitions.release("j", [second]),
        "forward": bench.transitions.forward("j", ["1", "feed"]),
    }
    bench.link.run(calls.get(name) or TRANSITIONS[name][0](bench))
    after = (
        bench.status(),
        bench.flight("1"),
        bench.redis("ZCARD", bench.keys.stream_key("active")),
    )
    assert after == before
    assert bench.stream_length() <= entries
    bench.check()


@pytest.mark.parametrize("end", ["fail", "recover"])
def test_the_task_that_ends_its_job_feeds_no_other(bench: StoreBench, end: str) -> None:
    bench.submit(20, concurrency=4, max_attempts=1)
    task, *_ = bench.fetch()
    reply = bench.fail(task) if end == "fail" else bench.recover(task)
    assert reply.code is Code.DEAD
    assert bench.stream_length() == 3
    assert bench.redis("HGET", bench.keys.job_key("job", "j"), "fed") == b"4"
    bench.check()


def test_a_second_seal_changes_nothing(bench: StoreBench) -> None:
    bench.submit(1)
    bench.commit(*bench.fetch())
    assert bench.status().state == "reducing"
    reduce = bench.flight("reduce")
    assert bench.seal(1).code is Code.OK
    assert bench.flight("reduce") == reduce
    assert bench.seal(2) == (Code.GAP, (1,))
    assert bench.status().state == "reducing"
    bench.check()


def test_a_job_that_failed_takes_the_rest_of_its_inputs_for_a_redrive(bench: StoreBench) -> None:
    bench.create()
    bench.append(range(3))
    task, *_ = bench.fetch()
    assert bench.fail(task, permanent=True).code is Code.DEAD
    assert bench.create() == (Code.EXISTS, (1, 3))
    assert bench.append(range(3, 5)) == (Code.OK, (5,))
    assert bench.status().running == 0
    assert bench.seal(4) == (Code.GAP, (5,))
    assert bench.seal(5).code is Code.OK
    assert bench.create() == (Code.EXISTS, (0, 5))
    assert bench.append(range(5, 6)).code is Code.GONE
    status = bench.status()
    assert (status.state, status.total, status.cancelled) == ("failed", 5, 4)
    assert bench.redrive("0").code is Code.OK
    assert bench.status().state == "mapping"
    bench.check()


def test_inputs_that_come_after_the_failure_last_no_longer_than_the_job(bench: StoreBench) -> None:
    bench.create(deadline_ms=1)
    time.sleep(0.002)
    assert bench.link.run(bench.transitions.expire("j", 60.0)).code is Code.DEADLINE
    assert bench.append(range(2)).code is Code.OK
    assert bench.redis("PTTL", bench.keys.job_key("inputs", "j")) > 0
    assert bench.seal(2).code is Code.OK
    status = bench.status()
    assert (status.state, status.total) == ("failed", 2)
    assert "deadline" in (status.error or "")


def test_a_job_that_was_given_up_takes_no_inputs(bench: StoreBench) -> None:
    bench.create()
    bench.append(range(2))
    time.sleep(0.002)
    assert bench.link.run(bench.transitions.expire("j", 0.001)).code is Code.ABANDONED
    assert bench.append(range(2, 3)).code is Code.GONE
    assert bench.seal(2).code is Code.GONE
    assert bench.create().code is Code.CREATED


def test_a_running_task_that_stands_among_the_retries_runs_on(bench: StoreBench) -> None:
    bench.submit(2)
    task, _ = bench.fetch()
    before = bench.flight("0")
    bench.redis("ZADD", bench.keys.stream_key("delayed"), 0, "j 0")
    assert bench.forward("0").values == (0,)
    assert bench.flight("0") == before
    assert bench.redis("ZCARD", bench.keys.stream_key("delayed")) == 0
    assert bench.commit(task).values[0] == 1
    bench.check()


def test_a_rated_job_that_is_fed_asks_for_no_more(bench: StoreBench) -> None:
    bench.submit(2, rate=1000.0)
    bench.link.run(bench.transitions.forward("j", ["feed"]))
    assert bench.redis("ZRANGE", bench.keys.stream_key("delayed"), 0, -1) == []


def test_lines_of_a_live_job_stay_as_long_as_it_does(bench: StoreBench) -> None:
    bench.submit(1)
    bench.link.run(bench.transitions.log("j", [("map", 0, 1, 1, "print", "x")]))
    key = bench.keys.job_key("log", "j")
    assert bench.redis("XLEN", key) == 1
    assert bench.redis("PTTL", key) == -1
    bench.cancel()
    bench.link.run(bench.transitions.log("j", [("map", 0, 1, 1, "print", "y")]))
    assert bench.redis("PTTL", key) > 0


def test_a_job_that_is_not_paused_is_resumed_without_a_word(bench: StoreBench) -> None:
    bench.submit(1)
    epoch = bench.redis("GET", bench.keys.stream_key("epoch"))
    lines = bench.redis("XLEN", bench.keys.job_key("events", "j"))
    assert bench.resume().code is Code.OK
    assert bench.redis("GET", bench.keys.stream_key("epoch")) == epoch
    assert bench.redis("XLEN", bench.keys.job_key("events", "j")) == lines


def test_only_a_job_whose_inputs_still_come_is_abandoned(bench: StoreBench) -> None:
    bench.submit(1)
    bench.redis("HSET", bench.keys.job_key("job", "j"), "touched", 1)
    assert bench.link.run(bench.transitions.expire("j", 0.0)).code is Code.OK
    assert bench.status().live


def test_nothing_may_be_settled_too(bench: StoreBench) -> None:
    assert bench.link.run(bench.transitions.drop([])).code is Code.OK
    bench.submit(1)
    assert bench.link.run(bench.transitions.release("j", [])).values == (0,)
