"""A folder to work in, and a trigger that serves its stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.trigger_process import TriggerProcess

WriteJob = Callable[..., str]


@pytest.fixture
def write_job(tmp_path: Path) -> WriteJob:
    """Writes a job.json of the given fields and returns its path."""

    def write(**fields: object) -> str:
        path = tmp_path / "job.json"
        path.write_text(json.dumps(fields))
        return str(path)

    return write


@pytest.fixture
def trigger(redis_url: str, tmp_path: Path) -> Iterator[TriggerProcess]:
    with TriggerProcess(redis_url, tmp_path) as process:
        yield process
