"""Reduce tasks and commits of shuffled jobs under every fault that others have to survive."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from amr.states import JobState
from amr.store.connection import connect
from tests.conftest import NewRedis
from tests.faults.conftest import NewCase
from tests.support.fault_case import FaultCase
from tests.support.proxy import Proxy, Way
from tests.support.redis_server import RedisServer
from tests.support.stragglers import Straggler
from tests.support.wait import wait_for

#: A reduce task, a map task whose runs go into Redis with its commit, and one of a store.
SHUFFLED = ("reduce", "runs", "stored")


def hold_each(case: FaultCase, directory: Path, **fields: object) -> list[Straggler]:
    """Submits a job of each kind and returns when a task of each waits to be told its end."""
    held = [Straggler(case, kind, directory, backup=False, **fields) for kind in SHUFFLED]
    wait_for(lambda: all(each.pid(1) for each in held), what="the start of the held tasks")
    return held


def check_each(held: list[Straggler]) -> None:
    for each in held:
        each.check_counted_once()
    assert held[SHUFFLED.index("stored")].stored() >= 3


@pytest.mark.fault(4, 48)
def test_a_worker_that_is_killed_before_its_commit_costs_one_execution(
    case: FaultCase, tmp_path: Path
) -> None:
    case.trigger(processes=len(SHUFFLED))
    held = hold_each(case, tmp_path)
    case.costs(len(held))
    for each in held:
        each.tell(1, "die")
        each.tell(2)
    check_each(held)


@pytest.mark.fault(5, 7, 48)
@pytest.mark.parametrize("late", [pytest.param("return", marks=pytest.mark.long), "fail for good"])
def test_a_machine_that_sleeps_past_its_lease_changes_nothing_when_it_wakes(
    case: FaultCase, tmp_path: Path, late: str
) -> None:
    first = case.trigger("--lease", "1s", processes=len(SHUFFLED))
    held = hold_each(case, tmp_path)
    first.signal_all(signal.SIGSTOP)
    case.trigger("--lease", "1s", processes=len(SHUFFLED))
    case.costs(len(held))
    wait_for(lambda: all(each.pid(2) for each in held), what="the takeover")
    for each in held:
        each.tell(1, late)
    first.signal_all(signal.SIGCONT)
    if late == "return":
        check_each(held)  # of two attempts the one that ends first counts
    for each in held:
        each.tell(2)
    check_each(held)


@pytest.mark.fault(10, 48)
def test_a_reducer_that_hangs_ends_at_its_timeout(case: FaultCase, tmp_path: Path) -> None:
    case.trigger()
    held = Straggler(case, "reduce", tmp_path, reduce_timeout="500ms")
    case.costs(1)
    held.tell(2)
    held.check_counted_once()
    assert held.job.status().retries == 1


@pytest.mark.fault(12, 14, 48)
def test_a_partition_that_kills_its_workers_is_a_dead_letter_and_is_redriven_alone(
    case: FaultCase, tmp_path: Path
) -> None:
    trigger = case.trigger()
    held = Straggler(case, "reduce", tmp_path, retry={"max_attempts": 2, "backoff": "10ms"})
    wait_for(lambda: held.job.status().reduced == 2, what="the others' end")
    for execution in (1, 2):
        held.tell(execution, "die")
    wait_for(lambda: held.job.status().state is JobState.FAILED)
    (dead,) = held.job.failures()
    assert (dead.partition, dead.attempts, dead.error["type"]) == (0, 2, "WorkerDied")
    case.costs(2)
    trigger.signal_all(signal.SIGSTOP)
    assert held.job.redrive().tasks == 0
    assert case.client.fleet.backlog().entries == 1
    trigger.signal_all(signal.SIGCONT)
    held.check_counted_once()
    assert sorted(call.index for call in trigger.calls()) == [0, 0, 0, 1, 2]


def command(server: RedisServer, *words: str) -> None:
    with connect(server.target) as raw:
        raw.execute_command(*words)


Trouble = Callable[[RedisServer, Proxy], object]

TROUBLES: dict[str, Trouble] = {
    "redis-killed": lambda server, _: server.restart(kill=True),
    "script-flush": lambda server, _: command(server, "SCRIPT", "FLUSH"),
    "clients-killed": lambda server, _: command(server, "CLIENT", "KILL", "TYPE", "normal"),
    "commit-cut": lambda _, proxy: proxy.cut_after(Way.REQUESTS, 200),
    "answer-cut": lambda _, proxy: proxy.cut_after(Way.REPLIES, 1),
}


@pytest.mark.fault(2, 28, 29, 32, 48)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_of_redis_costs_no_execution(
    new_redis: NewRedis, new_case: NewCase, tmp_path: Path, trouble: str
) -> None:
    server = new_redis(append_only=True)
    case = new_case(server.target)
    proxy = case.proxy()
    case.trigger(processes=len(SHUFFLED), url=proxy.target.url())
    held = hold_each(case, tmp_path)
    for each in held:
        TROUBLES[trouble](server, proxy)
        each.tell(1)
    check_each(held)
