"""Waits for a job as `run` and `invoke --wait` do: progress, the functions' lines, the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from amr.cli import exits
from amr.cli.event_lines import describe_event
from amr.cli.output import put_result, say
from amr.cli.progress import JobProgress
from amr.errors import JobEndedError

if TYPE_CHECKING:
    from amr.client import Job
    from amr.store.events import Event

_SHOWN = frozenset({"log", "retry", "failed", "swept"})
_FAILURES_SHOWN = 3


def wait_for_result(
    job: Job, *, timeout_s: float | None, output: Path | None, quiet: bool = False
) -> None:
    """Shows a job's progress until it ends, and prints its result.

    Raises:
        typer.Exit: with code 1 when the job ended without a result.
        WaitTimeoutError: the time ran out.
    """
    with JobProgress(quiet) as progress:

        def show_line(event: Event) -> None:
            if event.kind in _SHOWN and "task" in event.fields | {"task": event.kind == "log"}:
                progress.line(describe_event(event))

        job.wait(timeout_s, on_status=progress.show, on_event=None if quiet else show_line)
    try:
        result = job.result_json()
    except JobEndedError as error:
        say(f"amr: {error}")
        _show_failures(job)
        raise typer.Exit(exits.FAILED) from None
    put_result(result, output)


def _show_failures(job: Job) -> None:
    failures = job.failures()
    for failed in failures[:_FAILURES_SHOWN]:
        trace = str(failed.error.get("traceback", "")).rstrip()
        if trace:
            place = "reduce" if failed.index is None else f"map[{failed.index}]"
            say(f"{place}, attempt {failed.attempts}:")
            say(trace)
    if failures:
        say(f"{len(failures)} failed task(s): amr failures {job.id}")
