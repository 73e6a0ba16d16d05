"""How far a job is: a bar on a terminal, a line a second elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from amr.cli.output import say
from amr.durations import format_duration
from amr.log import one_line
from amr.states import JobState

if TYPE_CHECKING:
    from amr.store.status import JobStatus

_LINE_EVERY_S = 1.0


class JobProgress:
    """Shows a job's status while it runs; use it as a context manager."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._first: tuple[float, int] | None = None
        self._said_at = 0.0
        self._said = ""

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and not self._quiet:
            self._bar = _make_bar()
            self._bar.start()
            self._task = self._bar.add_task("", total=None, left="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, status: JobStatus) -> None:
        """Shows where the job stands."""
        if self._quiet:
            return
        ended = status.succeeded + status.failed
        left = self._left(status, ended)
        if self._bar is not None:
            total = status.total if status.submitted else None
            line = f"{status.state} {one_line(status.name)}"
            self._bar.update(self._task, completed=ended, total=total, description=line, left=left)
            return
        line = f"{status.job}: {status.state} {ended}/{status.total} done"
        line += f", {status.failed} failed" if status.failed else ""
        now = time.monotonic()
        final = not status.live
        if line != self._said and (final or now - self._said_at >= _LINE_EVERY_S):
            self._said, self._said_at = line, now
            say(f"{line}{left}")

    def line(self, text: str) -> None:
        """Prints a line above the bar."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        elif not self._quiet:
            say(text)

    def _left(self, status: JobStatus, ended: int) -> str:
        """Returns the rate and the time that is left, in words."""
        now = time.monotonic()
        if self._first is None:
            self._first = (now, ended)
        since_s, done = now - self._first[0], ended - self._first[1]
        failed = f"  {status.failed} failed" if status.failed and self._bar else ""
        if status.state is JobState.REDUCING and status.partitions:
            failed += f"  {status.reduced}/{status.partitions} reduced"
        if since_s < 0.2 or not done or not status.live:
            return failed
        rate = done / since_s
        left_s = (status.total - ended) / rate
        return f"{failed}  {rate:,.0f}/s  {format_duration(round(left_s, 1))} left"


def _make_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        # A name is the user's text, not markup.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
    )
