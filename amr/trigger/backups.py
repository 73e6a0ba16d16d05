"""Starts backup tasks: second executions of stragglers, when workers have nothing else to do."""

from __future__ import annotations

import logging

from amr.store.connection import ResponseError
from amr.store.inspect import Inspector
from amr.store.link import Link
from amr.store.replies import Code
from amr.store.stream import is_group_missing
from amr.store.transitions import Transitions

log = logging.getLogger("amr.backups")

#: Seconds that a task has to run at least before another worker runs it too.
LEAST_S = 2.0

_JOBS_MOST = 100


class BackupStarter:
    """Looks at the oldest active jobs for tasks that take much longer than the others.

    Dean and Ghemawat, "MapReduce" (2004), section 3.6: at the end of a stage what is still in
    progress is executed once more, and the first execution that ends counts.
    """

    def __init__(self, link: Link, inspector: Inspector, transitions: Transitions) -> None:
        self._link = link
        self._inspector = inspector
        self._transitions = transitions

    def look(self) -> None:
        """Looks once."""
        jobs = self._inspector.active_ids()[:_JOBS_MOST]
        calls = [self._transitions.backup(job, LEAST_S) for job in jobs]
        try:
            replies = self._link.run_all(calls)
        except ResponseError as error:
            if is_group_missing(error):
                return  # somebody makes it again
            raise
        for job, reply in zip(jobs, replies, strict=True):
            if reply.code is Code.OK and reply.values[0]:
                log.info("job %s: %d backup task(s) started", job, reply.values[0])
