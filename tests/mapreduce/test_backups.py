"""Stragglers do not hold a job up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from amr.client import Client
from tests.support.wait import wait_for


def took_s(call: Callable[[], Any]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


@pytest.mark.parametrize(
    ("mapper", "total"), [("shapes.straggles", 10), ("shapes.straggles_later", 20)]
)
def test_a_straggler_is_run_by_another_worker_as_well(
    client: Client, mapper: str, total: int
) -> None:
    job = client.invoke({"mapper": mapper, "inputs": {"range": total}})
    assert took_s(lambda: job.result(60)) < 15
    assert job.result() == list(range(total))
    status = job.status()
    assert (status.backups, status.retries, status.counters) == (1, 0, {"begun": total})
    assert "backup" in {event.kind for event in job.events(follow=False)}
    # The loser is ended: both workers have time for the next job at once.
    after = client.invoke({"mapper": "shapes.straggles", "inputs": {"range": 4}})
    assert took_s(lambda: after.result(60)) < 5
    wait_for(lambda: client.fleet.backlog().pending == 0, 10)


def test_a_reduce_task_that_straggles_is_backed_up(client: Client) -> None:
    spec = {"mapper": "shapes.words", "reducer": "shapes.straggles_in_reduce"}
    job = client.invoke(spec | {"inputs": ["a b c d e f g h"], "shuffle": {"partitions": 3}})
    assert took_s(lambda: job.result(60)) < 15
    assert sorted(job.result()) == [[letter, 1] for letter in "abcdefgh"]
    assert job.status().backups == 1


def test_backups_may_be_turned_off(client: Client) -> None:
    job = client.invoke({"mapper": "shapes.straggles", "inputs": {"range": 6}, "backup": False})
    wait_for(lambda: job.status().succeeded == 5, 10)
    time.sleep(4)
    assert job.status().backups == 0
    job.cancel()
