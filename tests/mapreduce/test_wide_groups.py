"""A group that is larger than the memory of a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from amr.client import Client
from amr.local_run import LocalInstance
from amr.worker.order import Functions
from tests.mapreduce.conftest import FUNCTIONS


@pytest.mark.parametrize(
    ("mapper", "is_stored"), [("wide.alike", False), ("wide.unlike", False), ("wide.unlike", True)]
)
def test_it_passes_through_the_iterator(tmp_path: Path, mapper: str, is_stored: bool) -> None:
    spec = {
        "mapper": mapper,
        "inputs": {"range": 24},
        "reducer": "wide.megabytes",
        "shuffle": {"partitions": 1, "store": str(tmp_path) if is_stored else None},
        "retry": {"max_attempts": 1},
    }
    served = Functions(str(FUNCTIONS), {})
    with LocalInstance(served, 1) as instance, Client(instance.target) as client:
        assert client.invoke(spec).result(60) == [["k", 120]]
    assert bool(list(tmp_path.rglob("*.runs"))) == is_stored
