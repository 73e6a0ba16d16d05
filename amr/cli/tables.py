"""Tables for people."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from amr.cli.output import put
from amr.durations import format_duration
from amr.log import one_line

if TYPE_CHECKING:
    from amr.store.status import JobStatus

_STATE_STYLES = {"succeeded": "green", "failed": "red", "cancelled": "yellow"}
_WIDTH_OF_FILES = 200


def show_status(status: JobStatus) -> None:
    """Prints where a job stands."""
    rows: list[tuple[str, object]] = [
        ("job", status.job),
        ("name", status.name),
        ("state", _state(status)),
        ("total", status.total),
        ("pending", status.pending),
        ("running", status.running),
        ("succeeded", status.succeeded),
        ("failed", status.failed),
        ("timed out", status.timed_out),
        ("cancelled", status.cancelled),
        *([("reduced", f"{status.reduced} of {status.partitions}")] if status.partitions else ()),
        ("retries", status.retries),
        *([("backups", status.backups)] if status.backups else ()),
        *([("skipped records", status.skipped)] if status.skipped else ()),
        ("concurrency", status.concurrency),
        ("rate", "none" if status.rate is None else f"{status.rate:g}/s"),
        ("created", _moment(status.created_ms)),
        ("took" if status.ended_ms else "running for", _age(status)),
    ]
    rows += [("after", status.after)] if status.after else []
    rows += [("then", status.next)] if status.next else []
    if status.version > 1:
        rows.append(("version", status.version))
    if status.error:
        rows.append(("error", status.error))
    rows += [(f"counter {name}", f"{value:,}") for name, value in sorted(status.counters.items())]
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        style = _STATE_STYLES.get(str(value), "") if name == "state" else ""
        shown = f"{value:,}" if isinstance(value, int) else one_line(str(value))
        table.add_row(Text(name, style="dim"), Text(shown, style=style))
    _print(table)


def show_jobs(jobs: Sequence[JobStatus]) -> None:
    """Prints a line a job."""
    rows = [
        (
            status.job,
            Text(_state(status), style=_STATE_STYLES.get(status.state, "")),
            f"{status.succeeded + status.failed:,}/{status.total:,}",
            f"{status.failed:,}",
            _moment(status.created_ms),
            _age(status),
        )
        for status in jobs
    ]
    show_table(("job", "state", "done", "failed", "created", "took"), rows)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Prints a table, or that there is nothing in it."""
    if not rows:
        put("none")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(one_line(cell)) for cell in row))
    _print(table)


def _print(table: Table) -> None:
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


def _state(status: JobStatus) -> str:
    return f"{status.state}, paused" if status.paused else status.state


def _moment(time_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ms / 1000))


def _age(status: JobStatus) -> str:
    end_ms = status.ended_ms or time.time() * 1000
    return format_duration(max(0.0, round((end_ms - status.created_ms) / 1000, 2)))
