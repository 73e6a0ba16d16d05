"""A job's events as lines for people."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from amr.durations import format_duration
from amr.log import one_line
from amr.task import shown_task

if TYPE_CHECKING:
    from amr.store.events import Event

_SHOWN_RESULT = 500


class EventLines:
    """Words for the events of one job, told in order: from them come the rates."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def describe(self, event: Event) -> str:
        """Returns an event as one line; control characters of users' text are made visible."""
        moment = time.strftime("%H:%M:%S", time.localtime(event.time_ms / 1000))
        line = f"{moment}.{event.time_ms % 1000:03d} {_say(event)}"
        return line + self._rate(event) if event.kind == "progress" else line

    def _rate(self, event: Event) -> str:
        """Returns the tasks a second since the last progress, in words."""
        ended = int(event.fields["done"]) + int(event.fields["failed"])
        last, self._last = self._last, (event.time_ms, ended)
        if last is None or event.time_ms <= last[0] or ended <= last[1]:
            return ""
        return f", {(ended - last[1]) * 1000 / (event.time_ms - last[0]):,.0f}/s"


def event_row(event: Event) -> dict[str, object]:
    """Returns an event as a row of JSON."""
    return {"time_ms": event.time_ms, "kind": event.kind} | event.fields


def _say(event: Event) -> str:
    field = event.fields
    match event.kind:
        case "log":
            level = "" if field.get("level") == "print" else f"{field.get('level')}: "
            task = _task(event.task or "", field.get("attempt"))
            return f"{task} {level}{one_line(field.get('text', ''))}"
        case "created":
            return "job created"
        case "queued":
            return f"{int(field['total']):,} map tasks queued"
        case "progress":
            return _say_progress(field)
        case "retry":
            wait = format_duration(int(field["delay_ms"]) / 1000)
            error = one_line(field.get("error", ""))
            return f"{_task(field['task'], field['attempt'])} retry in {wait}: {error}"
        case "failed" if "task" in field:
            error = one_line(field.get("error", ""))
            return f"{_task(field['task'], field['attempt'])} failed for good: {error}"
        case "backup":
            ran = format_duration(round(int(field["running_ms"]) / 1000, 1))
            return f"{shown_task(field['task'])} has run for {ran}: a backup task was started"
        case "reduced":
            return f"{int(field['done']):,} of {int(field['total']):,} partitions reduced"
        case "swept":
            return f"{_task(field['task'], None)} its stream entry was lost: given a new one"
        case "paused":
            return "job paused"
        case "resumed":
            return "job resumed"
        case "updated":
            rate = f", rate {field['rate']}/s" if field.get("rate") else ""
            return f"job updated: concurrency {field['concurrency']}{rate}"
        case "redriven":
            tasks = f"{int(field['tasks']):,} failed map task(s) run again"
            return f"{tasks}, for version {field['version']} of the result"
        case "reducing":
            failed = f", {field['failed']} failed" if field.get("failed", "0") != "0" else ""
            return f"all map tasks ended: {field['done']} done{failed}; reducing"
        case "succeeded":
            return f"job succeeded{_say_result(field.get('result'))}"
        case "cancelled":
            return "job cancelled"
        case _:
            return f"job {event.kind}: {one_line(field.get('error', ''))}"


def _say_progress(field: dict[str, str]) -> str:
    total = int(field.get("total", 0))
    done, failed = int(field["done"]), int(field["failed"])
    of = f" of {total:,} ({100 * (done + failed) // total} %)" if total else ""
    return f"{done:,}{of} map tasks done" + (f", {failed:,} failed" if failed else "")


def _say_result(result: str | None) -> str:
    if result is None:
        return ""
    shown = one_line(result)
    return f": {shown[:_SHOWN_RESULT]}{'…' if len(shown) > _SHOWN_RESULT else ''}"


def _task(task: str, attempt: str | None) -> str:
    return f"{shown_task(task)}#{attempt}" if attempt else shown_task(task)
