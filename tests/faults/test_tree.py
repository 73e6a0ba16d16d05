"""A reduce tree while workers and Redis die: each output is in the result once, in its place."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import pytest

from amr.job_handle import Job
from tests.conftest import NewRedis
from tests.faults.conftest import NewCase
from tests.mapreduce.conftest import FUNCTIONS
from tests.support.fault_case import FaultCase
from tests.support.wait import wait_for

TOTAL = 6000


def submit(case: FaultCase, total: int = TOTAL, **fields: Any) -> Job:
    document = {
        "mapper": "trees.same",
        "inputs": {"range": total},
        "reducer": "trees.listed",
        "reduce_tree": 5,
        "retry": {"max_attempts": 50, "backoff": "10ms"},
        **fields,
    }
    return case.submit(document, list(range(total)))


@pytest.mark.parametrize("on_failure", ["fail", "collect"])
def test_workers_are_killed_all_the_time(
    new_redis: NewRedis, new_case: NewCase, on_failure: str
) -> None:
    case = new_case(new_redis().target, FUNCTIONS)
    trigger = case.trigger(processes=3)
    rng = random.Random(1)
    submit(case, on_failure=on_failure)
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        time.sleep(0.25)
        if workers := trigger.workers():
            os.kill(rng.choice(workers), signal.SIGKILL)


def test_redis_is_killed_and_comes_back(new_redis: NewRedis, new_case: NewCase) -> None:
    server = new_redis(append_only=True)
    case = new_case(server.target, FUNCTIONS)
    case.trigger(processes=2)
    submit(case)
    for _ in range(3):
        time.sleep(0.3)
        server.restart(kill=True)


def test_a_machine_that_sleeps_in_a_merge_changes_nothing_when_it_wakes(
    new_redis: NewRedis, new_case: NewCase
) -> None:
    case = new_case(new_redis().target, FUNCTIONS)
    first = case.trigger("--lease", "1s", processes=1)
    job = submit(case, 20, reducer="trees.listed_slowly")
    wait_for(lambda: job.status().succeeded == 20, 20)
    machine = [first.pid, *first.workers()]
    for pid in machine:
        os.kill(pid, signal.SIGSTOP)
    case.trigger("--lease", "1s", processes=1)
    wait_for(lambda: not job.status().live, 30)
    for pid in machine:
        os.kill(pid, signal.SIGCONT)
