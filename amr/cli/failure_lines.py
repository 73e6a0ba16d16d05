"""A dead letter in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amr.log import one_line
from amr.wire import dumps

if TYPE_CHECKING:
    from amr.store.status import FailedTask

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


def _short(value: object) -> str:
    shown = one_line(dumps(value).decode())
    return shown if len(shown) <= _SHOWN_INPUT else shown[: _SHOWN_INPUT - 1] + "…"
