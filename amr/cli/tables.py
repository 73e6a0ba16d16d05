"""Tables for people."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from amr.cli.output import put
from amr.durations import format_duration
from amr.log import one_line

if TYPE_CHECKING:
    from amr.store.status import JobStatus

#: State of a job -> how it looks.
STATE_STYLES = {"succeeded": "green", "failed": "red", "cancelled": "yellow"}
_WIDTH_OF_FILES = 200


def show_jobs(jobs: Sequence[JobStatus]) -> None:
    """Prints a line a job."""
    rows = [
        (
            status.job,
            Text(shown_state(status), style=STATE_STYLES.get(status.state, "")),
            f"{status.succeeded + status.failed:,}/{status.total:,}",
            f"{status.failed:,}",
            moment(status.created_ms),
            age(status),
        )
        for status in jobs
    ]
    show_table(("job", "state", "done", "failed", "created", "took"), rows)


def show_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Collection[str] = ()
) -> None:
    """Prints a table, or that there is nothing in it; the columns of ``numbers`` to the right."""
    if not rows:
        put("none")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        justify: JustifyMethod = "right" if column in numbers else "left"
        table.add_column(column, overflow="fold", justify=justify)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(one_line(cell)) for cell in row))
    print_table(table)


def print_table(table: Table) -> None:
    """Prints by way of ``put``, which knows what to do when nobody reads."""
    console = _console()
    with console.capture() as printed:
        console.print(table)
    # Cells are padded to the width of their column, and nobody wants the last one's.
    put("\n".join(line.rstrip() for line in printed.get().splitlines()))


def _console() -> Console:
    console = Console(highlight=False)
    # What is read by a program or kept in a file is not to be folded to some terminal's width.
    return console if console.is_terminal else Console(width=_WIDTH_OF_FILES, highlight=False)


def shown_state(status: JobStatus) -> str:
    """Returns a job's state, and whether it is paused."""
    return f"{status.state}, paused" if status.paused else status.state


def moment(time_ms: int) -> str:
    """Returns a time in milliseconds since the epoch as people here write it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ms / 1000))


def age(status: JobStatus) -> str:
    """Returns how long a job has taken so far, or took."""
    end_ms = status.ended_ms or time.time() * 1000
    return format_duration(max(0.0, round((end_ms - status.created_ms) / 1000, 2)))
