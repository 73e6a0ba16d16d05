"""Renews the leases of a trigger's workers, and tells what the trigger is and they run."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import orjson

from amr import __version__
from amr.store.link import Link
from amr.store.transitions import Transitions

log = logging.getLogger("amr.heartbeat")


class Heartbeat:
    """One call renews all leases, so that a function that blocks its worker stays leased.

    Args:
        link: a connection of its own: nothing slow may stand before a heartbeat.
        transitions: of the stream.
        trigger: id of the trigger.
        lease_s: seconds a lease lasts.
        workers: gives the names of the workers that live.
        running: gives what each of them runs, as ``RunningTasks.told`` does.
        facts: what to tell of the trigger, beside host, pid and version.
    """

    def __init__(
        self,
        link: Link,
        transitions: Transitions,
        trigger: str,
        lease_s: float,
        workers: Callable[[], list[str]],
        running: Callable[[], dict[str, dict[str, Any]]],
        facts: dict[str, Any],
    ) -> None:
        self._link = link
        self._transitions = transitions
        self._trigger = trigger
        self._lease_s = lease_s
        self._workers = workers
        self._running = running
        self._facts = facts | {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "started": time.time(),
            "lease_s": lease_s,
        }

    def beat(self) -> None:
        """Renews the leases of the workers that live now."""
        self.beat_for(self._workers())

    def beat_for(self, workers: list[str]) -> None:
        """Renews, or begins, the leases of ``workers``."""
        facts = orjson.dumps(self._facts | {"workers": workers, "running": self._running()})
        call = self._transitions.renew(self._trigger, facts, self._lease_s, workers)
        lapsed = self._link.run(call).values[0]
        if lapsed:
            log.warning("%d lease(s) had ended: their tasks may run elsewhere as well", lapsed)
