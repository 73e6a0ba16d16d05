"""A fresh stream a test, on every version of Redis that the machine has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from amr.redis_url import RedisTarget
from tests.support.store_bench import StoreBench


@pytest.fixture
def bench(redis_target: RedisTarget) -> Iterator[StoreBench]:
    bench = StoreBench(redis_target)
    yield bench
    bench.link.close()
