"""Deletes what jobs have left in the store, once nobody can need it any more."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from amr.jobspec.source_fields import is_url
from amr.states import JobState
from amr.store.inspect import Inspector
from amr.task import job_of_store_folder


class StoreCleaner:
    """Looks at the folders of jobs in a store that is a folder of this machine.

    Runs of jobs that succeeded without a failure go, and all files of those that were cancelled,
    or whose data has expired or was pruned since the last look. Other jobs may be redriven, or are
    of a stream that this trigger does not serve: their files stay.

    Args:
        store: folder or URL, or None; a URL is left to the rules of its store.
        inspector: reads the states of jobs.
    """

    def __init__(self, store: str | None, inspector: Inspector) -> None:
        self._store = None if store is None or is_url(store) else Path(store)
        self._inspector = inspector
        self._met: set[str] = set()  # folders of jobs that were there at the last look

    def look(self) -> None:
        """Looks through the store once."""
        if self._store is None or not self._store.is_dir():
            return
        folders = [
            (folder, *named)
            for folder in self._store.iterdir()
            if (named := job_of_store_folder(folder.name)) is not None
        ]
        statuses = self._inspector.statuses([job for _, job, _ in folders])
        met = set()
        for (folder, _, created_ms), status in zip(folders, statuses, strict=True):
            if status is None or status.created_ms != created_ms:
                is_gone = folder.name in self._met
            else:
                met.add(folder.name)
                is_gone = status.state is JobState.CANCELLED
                if status.state is JobState.SUCCEEDED and not status.failed:
                    _delete_runs(folder)
            if is_gone:
                shutil.rmtree(folder, ignore_errors=True)
        self._met = met


def _delete_runs(folder: Path) -> None:
    """Deletes what only the reduce tasks needed, and the folder if nothing is left in it."""
    for file in folder.glob("*.runs"):
        file.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
