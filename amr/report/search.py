"""Finds jobs by state, name and age."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from amr.store.fleet import Fleet
from amr.store.inspect import Inspector
from amr.store.status import JobStatus

_PAGE = 500


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are wanted; None stands for all.

    Attributes:
        state: that the job is in.
        name: pattern of the job's name or id, with ``*`` and ``?``.
        newer_s: most seconds since its creation.
        older_s: fewest seconds since its creation.
    """

    state: str | None
    name: str | None
    newer_s: float | None
    older_s: float | None

    def takes(self, status: JobStatus) -> bool:
        """Whether a job is wanted, as far as state and name tell."""
        if self.state not in (None, status.state):
            return False
        names = (status.name, status.job)
        return self.name is None or any(fnmatchcase(each, self.name) for each in names)


def find_jobs(inspector: Inspector, fleet: Fleet, wanted: JobFilter) -> Iterator[JobStatus]:
    """Yields where the wanted jobs stand, the newest first."""
    now_ms = fleet.now_ms()
    since_ms = None if wanted.newer_s is None else now_ms - wanted.newer_s * 1000
    until_ms = None if wanted.older_s is None else now_ms - wanted.older_s * 1000
    start = 0
    while ids := inspector.job_ids(_PAGE, since_ms=since_ms, until_ms=until_ms, start=start):
        for status in inspector.statuses(ids):
            if status is not None and wanted.takes(status):
                yield status
        start += len(ids)
