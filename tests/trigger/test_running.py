"""Since when workers run what they run, as their supervisor sees it."""

from __future__ import annotations

import pytest

from amr.trigger import running as module
from amr.trigger.running import RunningTasks
from amr.worker.slot import Doing

IDLE = Doing(b"", 0, 0)


class Scene:
    """What workers do, and the time."""

    def __init__(self) -> None:
        self.doings = {"w1": IDLE}
        self.now = 100.0
        self.running = RunningTasks(lambda: self.doings)

    def does(self, doing: Doing, at: float) -> None:
        """Lets the worker do something, and the supervisor look."""
        self.doings = {"w1": doing}
        self.now = at
        self.running.look()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene()
    monkeypatch.setattr(module.time, "monotonic", lambda: scene.now)
    return scene


def test_a_task_has_run_since_it_was_first_seen(scene: Scene) -> None:
    scene.does(Doing(b"1-1", 0, 0), 100.0)
    scene.does(Doing(b"1-1", 5, 0, record=3), 101.0)
    scene.now = 102.5
    assert scene.running.told() == {"w1": {"entry": "1-1", "for_s": 2.5}}


def test_the_next_task_begins_anew(scene: Scene) -> None:
    scene.does(Doing(b"1-1", 0, 0), 100.0)
    scene.does(Doing(b"1-2", 0, 0), 102.0)
    scene.now = 103.0
    assert scene.running.told() == {"w1": {"entry": "1-2", "for_s": 1.0}}
    scene.does(IDLE, 104.0)
    scene.does(Doing(b"1-2", 0, 0), 105.0)
    assert scene.running.told() == {"w1": {"entry": "1-2", "for_s": 0.0}}


def test_calls_are_counted_and_the_idle_are_named(scene: Scene) -> None:
    scene.doings = {"w1": Doing(b"", 9, 12), "w2": IDLE, "w3": Doing(b"1-3", 9, 1)}
    assert scene.running.told() == {
        "w1": {"calls": 12},
        "w2": {},
        "w3": {"entry": "1-3", "for_s": 0.0, "calls": 1},
    }


def test_a_worker_that_is_gone_is_forgotten(scene: Scene) -> None:
    scene.does(Doing(b"1-1", 0, 0), 100.0)
    scene.doings = {}
    assert scene.running.told() == {}


def test_a_slot_that_is_being_written_may_be_told_as_it_is(scene: Scene) -> None:
    scene.doings = {"w1": Doing(b"17\xff\0-1", 0, 0)}
    assert scene.running.told()["w1"]["entry"] == "17\ufffd\0-1"
