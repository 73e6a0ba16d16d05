"""Finds tasks in flight whose stream entry is lost, and gives them a new one."""

from __future__ import annotations

import logging

from amr.store.connection import ResponseError
from amr.store.inspect import Inspector
from amr.store.keys import Keys
from amr.store.link import Link
from amr.store.replies import Code
from amr.store.stream import ensure_group, is_group_missing
from amr.store.transitions import Transitions

log = logging.getLogger("amr.sweeper")

#: Entries younger than this many seconds are left alone: they may be on their way.
OLDER_S = 5.0


class Sweeper:
    """Looks through the active jobs, a page of tasks a call, whatever happened to their entries."""

    def __init__(
        self, link: Link, keys: Keys, inspector: Inspector, transitions: Transitions
    ) -> None:
        self._link = link
        self._keys = keys
        self._inspector = inspector
        self._transitions = transitions

    def sweep(self) -> None:
        """Looks through every active job once."""
        jobs = self._inspector.active_ids()
        waiting = self._inspector.followed_by(jobs)
        self._link.run_all([self._transitions.follow(*pair) for pair in waiting.items()])
        for job in jobs:
            try:
                self._sweep_job(job)
            except ResponseError as error:
                if not is_group_missing(error):
                    raise
                ensure_group(self._link, self._keys)

    def _sweep_job(self, job: str) -> None:
        cursor, found = 0, 0
        while True:
            reply = self._link.run(self._transitions.sweep(job, cursor, OLDER_S))
            if reply.code is Code.GONE:
                return
            cursor, found = int(reply.values[0]), found + reply.values[1]
            if cursor == 0:
                break
        if found:
            log.warning("job %s: %d lost task(s) given a new entry", job, found)
