"""Notices workers that are gone, and gives what they held to others."""

from __future__ import annotations

import logging
import time

import orjson

from amr.store.connection import ResponseError, is_passing
from amr.store.fleet import Fleet
from amr.store.link import Link
from amr.store.replies import Code
from amr.store.transitions import Blame, Transitions
from amr.trigger.children import Death
from amr.worker.commits import commit_calls

log = logging.getLogger("amr.recoverer")

_PAGE = 200

#: Seconds between two looks after which Redis, or this machine, was away meanwhile.
_BLIND_S = 3.0

#: What is told of a worker whose lease ended: its machine, or its supervisor, is gone.
_LEASE_ENDED = "its lease ended without a sign of life"


class Recoverer:
    """Recovers the tasks of workers that are gone: of our own at once, of others by their lease.

    Args:
        link: a connection; one recovery may take many round trips.
        fleet: reads who there is.
        transitions: of the stream.
        grace_s: seconds that workers have for a heartbeat after Redis was away.
    """

    def __init__(
        self, link: Link, fleet: Fleet, transitions: Transitions, grace_s: float = 0.0
    ) -> None:
        self._grace_s = grace_s
        self._looked_at = time.monotonic()
        self._look_failed = False
        self._judge_from = 0.0
        self._link = link
        self._fleet = fleet
        self._transitions = transitions

    def look(self) -> None:
        """Recovers the tasks of workers whose lease has ended, and of consumers without one."""
        failed_before, self._look_failed = self._look_failed, True
        lapsed = set(self._fleet.lapsed_workers())
        lapsed |= set(self._fleet.backlog().consumers) - set(self._fleet.known_workers())
        now = time.monotonic()
        if failed_before or now - self._looked_at > _BLIND_S:
            # Redis was away, or took no writes: no lease could be renewed meanwhile, so none tells
            # anything yet.
            self._judge_from = now + self._grace_s
        self._looked_at = now
        if now >= self._judge_from:
            for worker in sorted(lapsed):
                moved = self.recover(worker, None)
                if moved:
                    log.warning("worker %s: %s; %d task(s) moved", worker, _LEASE_ENDED, moved)
        self._look_failed = False

    def recover_own(self, death: Death) -> None:
        """Recovers the tasks of a worker of this machine whose end was seen."""
        self._link.run(self._fleet.depart(death.worker))
        self._tell(death)
        moved = self.recover(death.worker, death)
        expected = death.status == 0 or death.killed == "stop"
        level = logging.INFO if expected else logging.WARNING
        log.log(level, "worker %s %s; %d task(s) moved", death.worker, death.reason, moved)

    def _tell(self, death: Death) -> None:
        """Tells the outputs that the worker had not told: their tasks need not run again."""
        calls = [call for _, call in commit_calls(self._transitions, death.untold)]
        try:
            self._link.run_all(calls)
        except ResponseError as error:
            if is_passing(error):
                raise
            log.error("Redis refuses an output of worker %s: %s", death.worker, error)

    def recover(self, worker: str, death: Death | None) -> int:
        """Moves what is pending for ``worker`` to others; returns how many tasks were moved."""
        moved = 0
        while True:
            held = self._fleet.held_by(worker, _PAGE)
            aliens = [
                self._transitions.quarantine(alien.entry_id, "not a task of amr", alien.fields)
                for alien in held.aliens
            ]
            lost = [self._transitions.drop(held.lost)] if held.lost else []
            alone = len(held.tasks) == 1
            calls = [
                self._transitions.recover(
                    worker,
                    task,
                    blame=_blame(death, task.entry_id),
                    alone=alone,
                    error=_error(worker, death),
                    summary=_summary(worker, death),
                    timed_out=death is not None and death.killed == "timeout",
                    record=_record(death, task.entry_id),
                )
                for task in held.tasks
            ]
            replies = self._link.run_all([*calls, *aliens, *lost])[: len(calls)]
            if any(reply.code is Code.ALIVE for reply in replies):
                return moved
            moved += sum(reply.code in (Code.REQUEUED, Code.DEAD) for reply in replies)
            if not any(held):
                break
        self._link.run(self._transitions.retire(worker))
        return moved


def _blame(death: Death | None, entry_id: bytes) -> Blame:
    """Says what is known of a task that was pending for a worker that died."""
    if death is None:
        return "unknown"
    if death.killed == "stop":
        return "idle"
    if death.doing.entry_id == entry_id:
        return "running"
    return "unknown" if death.doing.concurrent else "idle"


def _record(death: Death | None, entry_id: bytes) -> int | None:
    """Returns the record of a task that its worker died of, where that is known."""
    if _blame(death, entry_id) != "running" or death is None:
        return None
    return death.doing.record


def _summary(worker: str, death: Death | None) -> str:
    if death is None:
        return f"WorkerDied: worker {worker}: {_LEASE_ENDED}"
    kind = "TaskTimeoutError" if death.killed == "timeout" else "WorkerDied"
    return f"{kind}: worker {worker} {death.reason}"


def _error(worker: str, death: Death | None) -> bytes:
    kind, _, message = _summary(worker, death).partition(": ")
    record = {"type": kind, "message": message, "traceback": "", "worker": worker}
    return orjson.dumps(record)
