"""A Redis, or a stream, that is nearly full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amr.client import Client
from amr.errors import OverloadedError
from amr.redis_url import RedisTarget
from amr.store.connection import connect
from tests.conftest import NewRedis
from tests.faults.conftest import NewCase
from tests.support.cli import amr
from tests.support.redis_server import RedisServer
from tests.support.wait import wait_for

KILOBYTE = "x" * 1000


@pytest.fixture
def small(new_redis: NewRedis) -> RedisServer:
    """A Redis of 16 MB."""
    return new_redis(options=["--maxmemory", "16mb"])


def keys_of_jobs(target: RedisTarget) -> list[bytes]:
    with connect(target) as client:
        return sorted(client.keys("*:job:*"))


def used_bytes(target: RedisTarget) -> int:
    with connect(target) as client:
        return int(client.info("memory")["used_memory"])


@pytest.mark.fault(36)
def test_a_job_that_does_not_fit_is_refused_and_the_running_one_finishes(
    small: RedisServer, new_case: NewCase
) -> None:
    case = new_case(small.target)
    inputs = [KILOBYTE] * 4000
    running = case.submit({"mapper": "faulty.noop", "inputs": inputs}, inputs)
    before = keys_of_jobs(small.target)
    with pytest.raises(OverloadedError, match=r"with this job to \d+%.*amr prune"):
        case.client.invoke({"mapper": "faulty.noop", "inputs": [KILOBYTE] * 20_000})
    assert keys_of_jobs(small.target) == before
    case.trigger()
    assert running.result(30) == inputs
    case.submit({"mapper": "faulty.noop", "inputs": [1]}, [1])


def test_inputs_that_come_one_by_one_are_refused_on_the_way(small: RedisServer) -> None:
    def endless() -> Iterator[str]:
        while True:
            yield KILOBYTE

    with Client(small.target) as client:
        with pytest.raises(OverloadedError, match=r"full to 8\d% of its maxmemory"):
            client.invoke({"mapper": "f.f"}, inputs=endless(), id="mine")
        assert keys_of_jobs(small.target) == []
        # Redis frees what was unlinked on a thread of its own, a moment later.
        wait_for(lambda: used_bytes(small.target) < 8_000_000)
        assert client.invoke({"mapper": "f.f"}, inputs=[1], id="mine").created


@pytest.mark.bad_input(13)
def test_a_stream_takes_so_many_tasks_and_no_more(
    redis_target: RedisTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMR_MAX_BACKLOG", "10")
    with Client(redis_target) as client:
        first = client.invoke({"mapper": "f.f", "inputs": [1] * 8})
        with pytest.raises(OverloadedError, match="has 8 tasks that have not ended; with 3 more"):
            client.invoke({"mapper": "f.f", "inputs": [1] * 3})
        client.invoke({"mapper": "f.f", "inputs": [1] * 2})
        with pytest.raises(OverloadedError):
            client.invoke({"mapper": "f.f", "inputs": [1]})
        first.cancel()
        assert wait_for(lambda: client.invoke({"mapper": "f.f", "inputs": [1] * 8}).created)


def test_the_same_job_again_is_found_however_full_it_is(
    redis_target: RedisTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {"mapper": "f.f", "inputs": [1] * 8}
    with Client(redis_target) as client:
        client.invoke(job, id="mine")
    monkeypatch.setenv("AMR_MAX_BACKLOG", "1")
    with Client(redis_target) as client:
        assert not client.invoke(job, id="mine").created


def test_the_command_line_says_what_to_do(redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text('{"mapper": "f.f", "inputs": [1, 2, 3]}')
    command = ("invoke", str(file), "--redis-url", redis_url)
    full = amr(*command, AMR_MAX_BACKLOG="2", cwd=tmp_path)
    assert (full.code, "AMR_MAX_BACKLOG" in full.err) == (3, True)
    wrong = amr(*command, AMR_MAX_BACKLOG="many", cwd=tmp_path)
    assert (wrong.code, "positive whole number" in wrong.err) == (2, True)
