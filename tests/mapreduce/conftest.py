"""A private Redis and two workers that all tests of a module use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from amr.client import Client
from amr.local_run import LocalInstance
from amr.worker.order import Functions

FUNCTIONS = Path(__file__).parent / "functions"

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    served = Functions(str(FUNCTIONS), {})
    with LocalInstance(served, 2) as instance, Client(instance.target) as client:
        yield client


@pytest.fixture
def run(client: Client) -> Run:
    """Runs a job and returns its result: ``run("mapper", [1, 2], batch=2)``."""

    def run(mapper: Any, inputs: Any, **fields: Any) -> Any:
        options = {"params": fields.pop("params", None), "id": fields.pop("id", None)}
        spec = {"mapper": mapper, "inputs": inputs, "retry": {"backoff": "10ms"}, **fields}
        return client.invoke(spec, **options).result(60)

    return run


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A file of 3,000 lines of ten words each."""
    path = tmp_path / "text.txt"
    lines = (" ".join(f"w{(n * 31 + m * m) % 97}" for m in range(10)) for n in range(3000))
    path.write_text("".join(line + "\n" for line in lines))
    return path
