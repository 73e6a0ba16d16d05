"""The worker processes of a trigger: started, asked to stop, replaced when they die."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from amr.task import Outcome
from amr.worker.order import WorkerOrder
from amr.worker.slot import Doing, Slots

log = logging.getLogger("amr.trigger")

#: A worker that lived this many seconds did not die at once.
_HEALTHY_S = 2.0
_DELAY_MOST_S = 30.0

#: Why a supervisor kills a worker.
Kill = Literal["timeout", "stop", "ended"]

_KILLS: dict[Kill, str] = {
    "timeout": "was killed: its task ran past its timeout",
    "stop": "was killed: the trigger stopped",
    "ended": "was killed: its task's job has ended",
}


@dataclass(slots=True)
class Child:
    """One running worker process."""

    worker: str
    slot: int
    process: subprocess.Popen[bytes]
    started_at: float
    killed: Kill | None = None


@dataclass(frozen=True, slots=True)
class Death:
    """A worker process that has ended, and what it was doing.

    Attributes:
        worker: its name.
        status: exit status as subprocess gives it: negative for a signal.
        doing: its slot when it ended.
        killed: why we killed it, or None when we did not.
        untold: outputs of map tasks that it had not told.
    """

    worker: str
    status: int
    doing: Doing
    killed: Kill | None
    untold: Sequence[Outcome] = ()

    @property
    def reason(self) -> str:
        """What happened to it, in words."""
        if self.killed:
            return _KILLS[self.killed]
        if self.status < 0:
            return f"was killed by {_signal_name(-self.status)}"
        return f"ended with status {self.status}"


def _signal_name(number: int) -> str:
    """Returns a signal's name; real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Children:
    """Keeps one worker process a slot.

    Args:
        order: what every worker is told, but its name and slot.
        count: number of workers.
    """

    def __init__(self, order: WorkerOrder, count: int) -> None:
        self._slots = Slots(count)
        self._order = replace(order, slots=count, slot_file=self._slots.file_number)
        self._host = socket.gethostname().partition(".")[0] or "host"
        self._children: dict[int, Child] = {}
        self._early_deaths = dict.fromkeys(range(count), 0)
        self._start_at = dict.fromkeys(range(count), 0.0)

    def close(self) -> None:
        """Gives back what the workers shared; they must have ended."""
        self._slots.close()

    def names(self) -> list[str]:
        """Returns the names of the running workers."""
        return [child.worker for child in list(self._children.values())]

    def pids(self) -> list[int]:
        """Returns the process ids of the running workers."""
        return [child.process.pid for child in list(self._children.values())]

    def names_to_start(self) -> dict[int, str]:
        """Returns a new worker's name for each slot whose worker is to be started now."""
        now = time.monotonic()
        free = [slot for slot in self._start_at if slot not in self._children]
        return {
            slot: f"{self._host}-{os.getpid()}-{slot}-{secrets.token_hex(3)}"
            for slot in free
            if self._start_at[slot] <= now
        }

    def start(self, slot: int, worker: str) -> None:
        """Starts the worker of a slot."""
        self._slots.slot(slot).clear()
        self._slots.journal(slot).clear()
        order = replace(self._order, worker=worker, slot=slot)
        process = subprocess.Popen(
            [sys.executable, "-m", "amr.mapper_trigger"],
            stdin=subprocess.PIPE,
            pass_fds=[self._slots.file_number],
            process_group=0,  # a Ctrl-C in the terminal is the supervisor's to answer
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        assert process.stdin is not None
        try:
            process.stdin.write(order.write())
            process.stdin.close()
        except BrokenPipeError:
            log.warning("worker %s ended before it was told what to do", worker)
        self._children[slot] = Child(worker, slot, process, time.monotonic())

    def reap(self) -> list[Death]:
        """Returns the workers that have ended since the last call, and plans their successors."""
        deaths = []
        for slot, child in list(self._children.items()):
            status = child.process.poll()
            if status is None:
                continue
            del self._children[slot]
            doing = self._slots.slot(slot).read()
            untold = self._slots.journal(slot).read()
            death = Death(child.worker, status, doing, child.killed, untold)
            deaths.append(death)
            self._plan_successor(child, death)
        return deaths

    def kill_overdue(self) -> None:
        """Kills workers whose task is past its limit and did not end when it was asked to."""
        now_ns = time.monotonic_ns()
        for child in self._children.values():
            doing = self._slots.slot(child.slot).read()
            if not doing.kill_at_ns or doing.kill_at_ns > now_ns or child.killed:
                continue
            if self._slots.slot(child.slot).read() != doing:
                continue  # it went on to the next task just now
            child.killed = "timeout"
            child.process.kill()

    def doings(self) -> dict[str, Doing]:
        """Returns what each running worker does."""
        return {c.worker: self._slots.slot(c.slot).read() for c in list(self._children.values())}

    def kill_one(self, worker: str) -> None:
        """Kills a worker that does not notice that its task's job has ended."""
        for child in list(self._children.values()):
            if child.worker == worker:
                child.killed = "ended"
                child.process.kill()

    def ask_to_stop(self) -> None:
        """Asks every worker to end when what it runs has ended."""
        for child in self._children.values():
            child.process.terminate()

    def kill(self) -> None:
        """Ends every worker at once; what it ran is not held against its tasks."""
        for child in self._children.values():
            child.killed = "stop"
            child.process.kill()

    def _plan_successor(self, child: Child, death: Death) -> None:
        """One that dies at its start again and again is replaced more and more slowly.

        One that died of a task got as far as to run it: the task's attempts bound that.
        """
        lived_s = time.monotonic() - child.started_at
        had_task = bool(death.doing.entry_id or death.doing.concurrent)
        healthy = had_task or lived_s >= _HEALTHY_S or death.status == 0
        deaths = 0 if healthy else self._early_deaths[child.slot] + 1
        self._early_deaths[child.slot] = deaths
        delay_s = 0.0 if deaths <= 1 else min(_DELAY_MOST_S, 0.25 * 2 ** (deaths - 2))
        self._start_at[child.slot] = time.monotonic() + delay_s
        if deaths > 1:
            log.warning(
                "worker %d died %.1f s after its start, %d times in a row; next start in %.2g s",
                *(child.slot, lived_s, deaths, delay_s),
            )
