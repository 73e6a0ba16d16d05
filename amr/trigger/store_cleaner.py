"""Deletes what jobs have left in the store, once nobody can need it any more."""

from __future__ import annotations

import shutil
from pathlib import Path

from amr.sourcefields import is_url
from amr.states import JobState
from amr.store.inspect import Inspector
from amr.task import job_of_store_folder


class StoreCleaner:
    """Looks at the folders of jobs in a store that is a folder of this machine.

    Those of jobs that succeeded without a failure, or were cancelled, are deleted. The others may
    be redriven, or are of a stream that this trigger does not serve: they stay.

    Args:
        store: folder or URL, or None; a URL is left to the rules of its store.
        inspector: reads the states of jobs.
    """

    def __init__(self, store: str | None, inspector: Inspector) -> None:
        self._store = None if store is None or is_url(store) else Path(store)
        self._inspector = inspector

    def look(self) -> None:
        """Looks through the store once."""
        if self._store is None or not self._store.is_dir():
            return
        for folder in self._store.iterdir():
            known = job_of_store_folder(folder.name)
            if known is not None and self._is_over(*known):
                shutil.rmtree(folder, ignore_errors=True)

    def _is_over(self, job: str, created_ms: int) -> bool:
        status = self._inspector.status(job)
        if status is None or status.created_ms != created_ms:
            return False
        is_done = status.state is JobState.SUCCEEDED and not status.failed
        return is_done or status.state is JobState.CANCELLED
