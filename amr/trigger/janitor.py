"""Ends jobs that are past their time, and clears up after those whose data has expired."""

from __future__ import annotations

import logging
import time

from amr.store.fleet import Fleet
from amr.store.inspect import Inspector
from amr.store.link import Link
from amr.store.replies import Code
from amr.store.transitions import Transitions

log = logging.getLogger("amr.janitor")

#: Seconds without a word from a controller after which its unsealed job is given up.
PATIENCE_S = 60.0

#: Seconds between two looks at the list of all jobs.
_LIST_EVERY_S = 60.0

#: Seconds after its last heartbeat until a trigger is forgotten.
_FORGET_TRIGGER_S = 3600.0


class Janitor:
    """Any trigger cleans for all."""

    def __init__(
        self, link: Link, fleet: Fleet, inspector: Inspector, transitions: Transitions
    ) -> None:
        self._link = link
        self._fleet = fleet
        self._inspector = inspector
        self._transitions = transitions
        self._listed_at = -_LIST_EVERY_S

    def clean(self) -> None:
        """Ends active jobs that are past their deadline or whose submission stopped."""
        jobs = self._inspector.active_ids()
        replies = self._link.run_all([self._transitions.expire(j, PATIENCE_S) for j in jobs])
        for job, reply in zip(jobs, replies, strict=True):
            if reply.code in (Code.DEADLINE, Code.ABANDONED):
                log.warning("job %s ended: %s", job, reply.code.lower())
        if time.monotonic() - self._listed_at >= _LIST_EVERY_S:
            self._listed_at = time.monotonic()
            self._fleet.forget_expired_jobs()
            self._forget_triggers()

    def _forget_triggers(self) -> None:
        now_ms = self._fleet.now_ms()
        for trigger in self._fleet.triggers():
            if now_ms - trigger.beat_ms > _FORGET_TRIGGER_S * 1000:
                self._link.run(self._fleet.forget_trigger(trigger.trigger))
