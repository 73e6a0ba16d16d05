"""A Redis and a client for each fault test; triggers are started by the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from amr.client import Client
from amr.redis_url import RedisTarget
from tests.support.trigger_process import TriggerProcess

StartTrigger = Callable[..., TriggerProcess]


@pytest.fixture
def client(redis_target: RedisTarget) -> Iterator[Client]:
    with Client(redis_target) as client:
        yield client


@pytest.fixture
def trigger(redis_url: str, tmp_path: Path) -> Iterator[StartTrigger]:
    """Starts triggers that end with the test: ``trigger("--grace", "1s", processes=3)``."""
    with ExitStack() as stack:

        def start(*options: str, processes: int = 2, url: str = redis_url) -> TriggerProcess:
            process = TriggerProcess(url, tmp_path, *options, processes=processes)
            return stack.enter_context(process)

        yield start
