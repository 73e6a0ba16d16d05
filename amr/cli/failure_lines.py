"""Dead letters in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from amr.cli.tables import show_table
from amr.log import one_line
from amr.wire import dumps

if TYPE_CHECKING:
    from amr.report.error_groups import ErrorGroup
    from amr.store.status import FailedTask, SkippedRecord

_SHOWN_INPUT = 500


def show_groups(groups: Sequence[ErrorGroup]) -> None:
    """Prints a line a group of errors."""
    rows = []
    for group in groups:
        more = ", …" if group.count > len(group.places) else ""
        first = ", ".join(group.places) + more
        rows.append((f"{group.count:,}", group.type, group.where, group.message, first))
    show_table(("count", "error", "where", "first message", "of"), rows, {"count"})


def describe_failed(failed: FailedTask) -> str:
    """Returns what is known of a task that is out of attempts, as lines for people."""
    lines = [f"{failed.place}, {failed.attempts} attempt(s): {describe_error(failed.error)}"]
    if failed.index is not None:
        lines.append(f"  input   {shorten(failed.input)}")
    if worker := failed.error.get("worker"):
        lines.append(f"  worker  {one_line(str(worker))}")
    return "\n".join([*lines, *trace_lines(failed.error)])


def describe_skipped(skipped: SkippedRecord) -> str:
    """Returns what is known of a record that was given up, as a line for people."""
    shown = "" if skipped.input is None else f"\n  input   {shorten(skipped.input)}"
    return f"{skipped.place}, skipped: {describe_error(skipped.error)}{shown}"


def describe_error(error: dict[str, Any]) -> str:
    """Returns type and message of an error as one line."""
    return ": ".join(one_line(str(error.get(name, ""))) for name in ("type", "message"))


def trace_lines(error: dict[str, Any]) -> list[str]:
    """Returns the lines of an error's traceback."""
    trace = str(error.get("traceback", "")).rstrip().splitlines()
    return [f"  | {one_line(line)}" for line in trace]


def shorten(value: object) -> str:
    """Returns a value as JSON in one line, cut where it is long."""
    shown = one_line(dumps(value).decode())
    return shown if len(shown) <= _SHOWN_INPUT else shown[: _SHOWN_INPUT - 1] + "…"
