"""A dead letter in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amr.log import one_line
from amr.wire import dumps

if TYPE_CHECKING:
    from amr.store.status import FailedTask, SkippedRecord

_SHOWN_INPUT = 500


def describe_failed(failed: FailedTask) -> str:
    """Returns what is known of a task that is out of attempts, as lines for people."""
    error = {name: str(value) for name, value in failed.error.items()}
    kind, message = one_line(error.get("type", "")), one_line(error.get("message", ""))
    lines = [f"{failed.place}, {failed.attempts} attempt(s): {kind}: {message}"]
    if failed.index is not None:
        lines.append(f"  input   {_short(failed.input)}")
    if worker := error.get("worker"):
        lines.append(f"  worker  {one_line(worker)}")
    trace = error.get("traceback", "").rstrip().splitlines()
    return "\n".join([*lines, *(f"  | {one_line(line)}" for line in trace)])


def describe_skipped(skipped: SkippedRecord) -> str:
    """Returns what is known of a record that was given up, as a line for people."""
    error = {name: one_line(str(value)) for name, value in skipped.error.items()}
    place = f"map[{skipped.index}] record {skipped.record}, skipped"
    shown = "" if skipped.input is None else f"\n  input   {_short(skipped.input)}"
    return f"{place}: {error.get('type', '')}: {error.get('message', '')}{shown}"


def _short(value: object) -> str:
    shown = one_line(dumps(value).decode())
    return shown if len(shown) <= _SHOWN_INPUT else shown[: _SHOWN_INPUT - 1] + "…"
