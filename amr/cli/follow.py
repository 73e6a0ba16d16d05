"""Waits for a job as `run` and `invoke --wait` do: progress, the functions' lines, the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from amr.cli import exits
from amr.cli.event_lines import EventLines
from amr.cli.failure_lines import describe_failed
from amr.cli.output import put_result, say
from amr.cli.progress import JobProgress
from amr.errors import JobEndedError
from amr.states import JobState

if TYPE_CHECKING:
    from amr.job_handle import Job
    from amr.store.events import Event
    from amr.store.status import JobStatus

_TROUBLE = frozenset({"retry", "failed", "swept"})
_TROUBLES_SHOWN = 20
_FAILURES_SHOWN = 3


def wait_for_result(
    job: Job,
    *,
    timeout_s: float | None,
    output: Path | None,
    quiet: bool = False,
    more: str = "",
    check: Callable[[], None] | None = None,
) -> None:
    """Shows a job's progress until it ends, and that of those that follow it; prints the result.

    Args:
        job: to wait for.
        timeout_s: seconds to wait at most.
        output: file for the result in place of stdout.
        quiet: show neither progress nor lines.
        more: the command that shows all failures, where there will be one.
        check: called with every look at the job; raises when it cannot go on.

    Raises:
        typer.Exit: with code 1 when the job ended without a result.
        WaitTimeoutError: the time ran out.
    """
    ended = _wait_for_end(job, timeout_s, quiet, check)
    if ended.state is JobState.SUCCEEDED and (following := job.next()) is not None:
        return wait_for_result(
            following,
            timeout_s=timeout_s,
            output=output,
            quiet=quiet,
            more=more and f"amr failures {following.id}",
            check=check,
        )
    try:
        result = job.result_json()
    except JobEndedError as error:
        say(f"amr: {error}")
        _show_failures(job, more)
        raise typer.Exit(exits.FAILED) from None
    if ended.failed:
        say(f"{ended.failed:,} of {ended.total:,} map tasks failed{_hint(more)}")
    put_result(result, output)
    return None


def _wait_for_end(
    job: Job, timeout_s: float | None, quiet: bool, check: Callable[[], None] | None
) -> JobStatus:
    with JobProgress(quiet) as progress:
        lines = _Lines(progress)

        def look(status: JobStatus) -> None:
            if check:
                check()
            progress.show(status)

        return job.wait(timeout_s, on_status=look, on_event=None if quiet else lines.show)


class _Lines:
    """Shows what functions print, and the first of the tasks' troubles."""

    def __init__(self, progress: JobProgress) -> None:
        self._progress = progress
        self._words = EventLines()
        self._troubles = 0

    def show(self, event: Event) -> None:
        if event.kind == "log":
            self._progress.line(self._words.describe(event))
        elif event.kind in _TROUBLE and not event.ends_job:
            self._troubles += 1
            if self._troubles <= _TROUBLES_SHOWN:
                self._progress.line(self._words.describe(event))
            elif self._troubles == _TROUBLES_SHOWN + 1:
                self._progress.line("more retries and failures are counted, but not shown")


def _show_failures(job: Job, more: str) -> None:
    failures = job.failures()
    for failed in failures[:_FAILURES_SHOWN]:
        say(describe_failed(failed))
    if (more and failures) or len(failures) > _FAILURES_SHOWN:
        say(f"{len(failures):,} failed task(s){_hint(more)}")


def _hint(command: str) -> str:
    return f": {command}" if command else ""
