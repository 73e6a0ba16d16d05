"""A Redis and a client for each fault test; triggers are started by the tests.

``case``      starts triggers and jobs, and checks every promise of docs/reliability.md at the end
``new_case``  the same on a Redis of the test's own
``trigger``, ``hostile``  start triggers; at the end what can be known without results is checked
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from amr.client import Client
from amr.redis_url import RedisTarget, parse_redis_url
from tests.support.fault_case import FaultCase, check_stream
from tests.support.trigger_process import FUNCTIONS, TriggerProcess

StartTrigger = Callable[..., TriggerProcess]
NewCase = Callable[..., FaultCase]

#: Functions that do what no function should.
HOSTILE = Path(__file__).parent / "functions"


@pytest.fixture
def client(redis_target: RedisTarget) -> Iterator[Client]:
    with Client(redis_target) as client:
        yield client


def _starter(directory: Path, redis_url: str, functions: Path) -> Iterator[StartTrigger]:
    with ExitStack() as stack:
        started: dict[RedisTarget, list[TriggerProcess]] = {}

        def start(
            *options: str,
            processes: int = 2,
            url: str = redis_url,
            checked_at: RedisTarget | None = None,
        ) -> TriggerProcess:
            process = TriggerProcess(
                url, directory, *options, processes=processes, functions=functions
            )
            started.setdefault(checked_at or parse_redis_url(url), []).append(process)
            return stack.enter_context(process)

        yield start
        for target, triggers in started.items():
            check_stream(target, triggers)


@pytest.fixture
def case(redis_target: RedisTarget, tmp_path: Path) -> Iterator[FaultCase]:
    """Watched jobs on a Redis that other tests use too; every promise is checked at the end."""
    with FaultCase(redis_target, tmp_path) as case:
        yield case
        case.check()


@pytest.fixture
def new_case(tmp_path: Path) -> Iterator[NewCase]:
    """Makes the same on a Redis of the test's own: ``new_case(new_redis().target)``."""
    with ExitStack() as stack:
        cases: list[FaultCase] = []

        def make(target: RedisTarget, functions: Path = FUNCTIONS) -> FaultCase:
            cases.append(stack.enter_context(FaultCase(target, tmp_path, functions)))
            return cases[-1]

        yield make
        for case in cases:
            case.check()


@pytest.fixture
def trigger(redis_url: str, tmp_path: Path) -> Iterator[StartTrigger]:
    """Starts triggers that end with the test: ``trigger("--grace", "1s", processes=3)``.

    ``checked_at`` is the Redis as the checks at the end reach it, where the trigger may do less.
    """
    yield from _starter(tmp_path, redis_url, FUNCTIONS)


@pytest.fixture
def hostile(redis_url: str, tmp_path: Path) -> Iterator[StartTrigger]:
    """The same, with functions that do what no function should."""
    yield from _starter(tmp_path, redis_url, HOSTILE)
