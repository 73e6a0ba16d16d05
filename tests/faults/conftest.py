"""A Redis and a client for each fault test; triggers are started by the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from amr.client import Client
from amr.redis_url import RedisTarget
from tests.support.trigger_process import FUNCTIONS, TriggerProcess

StartTrigger = Callable[..., TriggerProcess]

#: Functions that do what no function should.
HOSTILE = Path(__file__).parent / "functions"


@pytest.fixture
def client(redis_target: RedisTarget) -> Iterator[Client]:
    with Client(redis_target) as client:
        yield client


def _starter(directory: Path, redis_url: str, functions: Path) -> Iterator[StartTrigger]:
    with ExitStack() as stack:

        def start(*options: str, processes: int = 2, url: str = redis_url) -> TriggerProcess:
            process = TriggerProcess(
                url, directory, *options, processes=processes, functions=functions
            )
            return stack.enter_context(process)

        yield start


@pytest.fixture
def trigger(redis_url: str, tmp_path: Path) -> Iterator[StartTrigger]:
    """Starts triggers that end with the test: ``trigger("--grace", "1s", processes=3)``."""
    yield from _starter(tmp_path, redis_url, FUNCTIONS)


@pytest.fixture
def hostile(redis_url: str, tmp_path: Path) -> Iterator[StartTrigger]:
    """The same, with functions that do what no function should."""
    yield from _starter(tmp_path, redis_url, HOSTILE)
