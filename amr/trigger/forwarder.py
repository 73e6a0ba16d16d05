"""Gives retries back to the stream when their time has come."""

from __future__ import annotations

from collections import defaultdict

from amr.store.fleet import Fleet
from amr.store.link import Link
from amr.store.transitions import Transitions

_PAGE = 500
_LEAST_PAUSE_S = 0.02
_MOST_PAUSE_S = 0.25


class Forwarder:
    """Any trigger forwards for all: two that do so at once do the work of one."""

    def __init__(self, link: Link, fleet: Fleet, transitions: Transitions) -> None:
        self._link = link
        self._fleet = fleet
        self._transitions = transitions

    def forward(self) -> float:
        """Forwards what is due; returns the seconds until it should be called again."""
        by_job: dict[str, list[str]] = defaultdict(list)
        for job, field in self._fleet.due_retries(_PAGE):
            by_job[job].append(field)
        self._link.run_all(
            [self._transitions.forward(job, fields) for job, fields in by_job.items()]
        )
        next_s = self._fleet.next_retry_s()
        pause_s = _MOST_PAUSE_S if next_s is None else next_s
        return max(_LEAST_PAUSE_S, min(_MOST_PAUSE_S, pause_s))
