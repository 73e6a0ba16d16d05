"""What is told of a task, as the tests of it look."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from amr.client import Client
from amr.report.task_details import TaskDetails
from tests.support.store_bench import StoreBench

Look = Callable[..., TaskDetails]


@pytest.fixture
def look(bench: StoreBench) -> Iterator[Look]:
    """Tells all that is known of a task: ``look(37)``, ``look("reduce", job)``."""
    with Client(bench.link.target) as client:
        yield lambda which, job="j": client.job(job).task(which)
