"""The canceller: calls of ended jobs that their own worker cannot end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from amr.redis_url import RedisTarget
from amr.trigger import canceller as module
from amr.trigger.canceller import Canceller
from amr.worker.slot import Doing
from tests.support.store_bench import StoreBench
from tests.support.wait import wait_for

IDLE = Doing(b"", 0, 0)


class Scene:
    """A canceller, what its workers do, and whom it killed."""

    def __init__(self, target: RedisTarget) -> None:
        self.bench = StoreBench(target)
        self.bench.submit(2)
        self.first, self.second = (task.entry_id for task in self.bench.fetch())
        self.doings = {"w1": Doing(self.first, 0, 0), "w2": IDLE}
        self.killed: list[str] = []
        self.canceller = Canceller(
            self.bench.fleet, self.bench.inspector, lambda: self.doings, self.killed.append
        )

    def look(self, times: int = 3) -> None:
        for _ in range(times):
            self.canceller.look()


@pytest.fixture
def scene(redis_target: RedisTarget, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(module, "KILL_AFTER_S", 0.2)
    return Scene(redis_target)


def test_a_call_of_a_live_job_is_left_alone(scene: Scene) -> None:
    scene.look()
    time.sleep(0.3)
    scene.look()
    assert scene.killed == []


def test_a_call_that_goes_on_after_the_end_of_its_job_is_ended_in_the_end(scene: Scene) -> None:
    scene.bench.cancel()
    scene.look()
    assert scene.killed == []  # its own worker is to end it first

    def look() -> list[str]:
        scene.canceller.look()
        return scene.killed

    assert wait_for(look) == ["w1"]


def test_a_worker_that_went_on_to_another_call_is_left_alone(scene: Scene) -> None:
    scene.bench.cancel()
    scene.look()
    time.sleep(0.3)
    scene.doings["w1"] = Doing(scene.second, 0, 0)
    scene.canceller.look()
    assert scene.killed == []


def test_an_entry_that_a_stranger_deleted_ends_no_worker(scene: Scene) -> None:
    scene.bench.redis("XDEL", scene.bench.keys.stream_key("stream"), scene.first)
    scene.look()
    time.sleep(0.3)
    scene.look()
    assert scene.killed == []
