"""A fresh stream a test, on every version of Redis that the machine has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from amr.client import Client
from amr.redis_url import RedisTarget
from amr.store.task_details import TaskDetails
from tests.support.store_bench import StoreBench

Look = Callable[..., TaskDetails]


@pytest.fixture
def bench(redis_target: RedisTarget) -> Iterator[StoreBench]:
    bench = StoreBench(redis_target)
    yield bench
    bench.link.close()


@pytest.fixture
def look(bench: StoreBench) -> Iterator[Look]:
    """Tells all that is known of a task: ``look(37)``, ``look("reduce", job)``."""
    with Client(bench.link.target) as client:
        yield lambda which, job="j": client.job(job).task(which)
