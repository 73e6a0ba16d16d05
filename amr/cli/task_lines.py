"""One task in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from amr.cli.event_lines import EventLines
from amr.cli.failure_lines import describe_error, describe_skipped, shorten, trace_lines
from amr.cli.tables import moment
from amr.durations import format_duration
from amr.log import one_line
from amr.wire import dumps

if TYPE_CHECKING:
    from amr.report.task_details import Execution, TaskDetails, TaskOutput
    from amr.store.events import Event

#: Of each kind of lines; --json has all of them.
_LINES_MOST = 20


def describe_task(details: TaskDetails) -> str:
    """Returns what is known of a task, as lines for people."""
    lines = [f"{name:<9} {text}" for name, text in _facts(details)]
    if details.error:
        lines += trace_lines(details.error)
    if details.skipped:
        lines += ["", "skipped", *map(describe_skipped, details.skipped[:_LINES_MOST])]
        lines += _more(len(details.skipped) - _LINES_MOST, "records")
    lines += _section("history", details.history, details.history_since_ms)
    lines += _section("log", details.log, details.log_since_ms)
    return "\n".join(lines)


def next_steps(details: TaskDetails) -> str | None:
    """Returns the commands for a dead letter, or None."""
    if details.state != "failed":
        return None
    job = details.status.job
    only, which = "", None
    if details.stage == "map":
        only, which = f" --only {details.index}", f"--index {details.index}"
    elif details.stage == "reduce":
        which = f"--partition {details.index}" if details.status.partitions else "--reduce"
    again = f"run it again: amr redrive {job}{only}"
    return again if which is None else f"{again}; here, to look: amr replay {job} {which}"


def _facts(details: TaskDetails) -> Iterator[tuple[str, str]]:
    job, error, output = details.status.job, details.error, details.output
    yield "task", f"{details.place} of job {job}"
    yield "state", _shown_state(details)
    if details.attempt is not None:
        yield "attempt", f"{details.attempt} of {details.max_attempts}"
    if details.crashes:
        yield "crashes", f"{details.crashes}: workers that died with it in their hands"
    if details.deferrals:
        yield "deferrals", f"{details.deferrals}: times that it put itself off"
    if details.entry is not None and details.queued_ms is not None:
        yield "entry", f"{details.entry}, of {moment(details.queued_ms)}"
    if details.ended_ms is not None:
        yield "ended", moment(details.ended_ms)
    if details.stage == "map":
        if details.state == "cancelled":
            yield "input", "deleted with its job"
        else:
            yield "input", _cut(details, details.input, "input")
    if output is not None:
        yield "output", _shown_output(details, output)
        if output.kind == "value" and output.path is not None:
            yield "", f"kept in {one_line(output.path)}"
    for earlier in details.earlier:
        told = f"missing from version {earlier.version} of the result"
        yield "failed", f"{told}, {earlier.attempts} attempt(s): {describe_error(earlier.error)}"
    if error is not None:
        yield "error", describe_error(error)
        if worker := error.get("worker"):
            yield "worker", one_line(str(worker))


def _shown_state(details: TaskDetails) -> str:
    status = details.status
    told = [_shown_place(details)]
    if details.state == "queued":
        told += [_shown_hold(execution) for execution in details.executions]
    if details.due_ms is not None:
        left_s = (details.due_ms - details.read_ms) / 1000
        due = f"due in {format_duration(left_s)}, at {moment(details.due_ms)}"
        told.append(due if left_s > 0 else "due: it waits for a place on the stream")
    if status.paused and details.state in ("waiting", "queued", "delayed"):
        told.append("the job is paused")
    return ", ".join(told)


def _shown_place(details: TaskDetails) -> str:
    status = details.status
    match details.state, details.stage:
        case "waiting", "merge":
            return f"waiting: {details.children_ended} of its {status.branches} children have ended"
        case "waiting", "source" if status.after:
            return f"waiting for the end of job {status.after}"
        case "waiting", "reduce":
            return "waiting for the end of all map tasks"
        case "waiting", _:
            return "waiting for its turn"
        case "queued", _:
            queued_ms = details.queued_ms or details.read_ms
            return f"queued for {format_duration(max(0, details.read_ms - queued_ms) / 1000)}"
        case "running", _:
            runs = [one for one in details.executions if one.running_s is not None]
            return "running " + " and ".join(
                f"on {one.worker} for {format_duration(one.running_s or 0.0)}" for one in runs
            )
        case "delayed", _:
            return "waiting for its next attempt"
        case "cut off", _:
            begun = "" if details.attempt else ", before it had begun"
            return f"cut off by the end of its job{begun}"
        case "cancelled", _:
            return "cancelled with its job"
        case "unknown", _:
            return "unknown: somebody else deleted what Redis had of it"
    return details.state


def _shown_hold(execution: Execution) -> str:
    held = f"in the hands of {execution.worker} for {format_duration(execution.held_s)}"
    if execution.is_gone:
        return f"{held}, which is gone: another worker takes it"
    return f"{held}, which runs another task"


def _shown_output(details: TaskDetails, output: TaskOutput) -> str:
    count, size = f"{output.count or 0:,}", f"{output.bytes or 0:,} bytes"
    match output.kind:
        case "inputs":
            return f"{count} inputs of the job"
        case "file":
            return f"{count} outputs in {one_line(output.path or '')}, {size}"
        case "runs":
            where = output.missing or f"in {one_line(output.path or 'Redis')}"
            return f"{count} sorted runs, {size}, {where}"
        case "merged":
            return f"not kept: it went into {output.into}"
        case "nothing":
            return "nothing: all map tasks under it failed"
        case _ if output.missing is not None:
            return f"cannot be read here: {one_line(output.missing)}"
    return _cut(details, output.value, "output.value")


def _cut(details: TaskDetails, value: object, path: str) -> str:
    """Returns a value, or its start and how to get all of it."""
    shown = shorten(value)
    if not shown.endswith("…"):
        return shown
    whole = f"amr task {details.status.job} '{details.place}' --json | jq .{path}"
    return f"{shown}\n{'':<9} of {len(dumps(value)):,} bytes: {whole}"


def _section(name: str, events: Sequence[Event], since_ms: int | None) -> list[str]:
    older = []
    if since_ms is not None:
        older = [f"the job's {name} before {moment(since_ms)} is not kept"]
    if not events and not older:
        return []
    shown = map(EventLines().describe, events[-_LINES_MOST:])
    return ["", name, *older, *_more(len(events) - _LINES_MOST, "older lines"), *shown]


def _more(count: int, what: str) -> list[str]:
    return [f"{count:,} {what} more: --json has them all"] if count > 0 else []
