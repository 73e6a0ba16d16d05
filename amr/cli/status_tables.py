"""What `amr status` and `amr trigger workers` print for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from amr.cli.output import put
from amr.cli.tables import STATE_STYLES, age, moment, print_table, show_table, shown_state
from amr.durations import format_duration
from amr.log import one_line

if TYPE_CHECKING:
    from amr.report.details import JobDetails
    from amr.report.stages import StageStatus
    from amr.report.stragglers import Straggler
    from amr.report.workers import WorkerStatus
    from amr.store.status import JobStatus

_STAGE_COLUMNS = ("stage", "waiting", "running", "done", "failed", "total", "tasks/s", "eta")
_ROWS_MOST = 20


def show_status(details: JobDetails) -> None:
    """Prints where a job stands: the whole, its stages, its stragglers, and who runs its tasks."""
    _show_facts(details.status)
    put("")
    numbers = _STAGE_COLUMNS[1:]
    show_table(_STAGE_COLUMNS, [_stage_row(stage) for stage in details.stages], numbers)
    if details.stragglers:
        put("")
        rows = [_straggler_row(straggler) for straggler in details.stragglers]
        _show_first(("straggler", "attempt", "worker", "held for", "backup"), rows)
    if details.workers:
        put("")
        _show_first(("worker", "runs"), [(w.worker, shown_work(w)) for w in details.workers])


def show_workers(workers: Sequence[WorkerStatus]) -> None:
    """Prints a line a worker."""
    rows = [
        (w.worker, w.stream, w.name, shown_work(w), f"{format_duration(w.told_s)} ago")
        for w in workers
    ]
    show_table(("worker", "stream", "trigger", "runs", "told"), rows)


def shown_work(worker: WorkerStatus) -> str:
    """Returns what a worker runs: ``map[37] of JOB for 2.3s``, ``12 calls``, ``idle``."""
    work = []
    if worker.task is not None:
        ran = format_duration(worker.task.running_s)
        work.append(f"{worker.task.place} of {worker.task.job} for {ran}")
    # A single call beside a task is that task itself: it runs alone.
    if worker.calls > 1 or (worker.calls and not work):
        work.append(f"{worker.calls:,} call{'' if worker.calls == 1 else 's'}")
    return ", ".join(work) or worker.state


def _show_facts(status: JobStatus) -> None:
    rows: list[tuple[str, object]] = [
        ("job", status.job),
        ("name", status.name),
        ("state", shown_state(status)),
        ("timed out", status.timed_out),
        ("cancelled", status.cancelled),
        ("retries", status.retries),
        *([("waiting for a retry", status.retrying)] if status.retrying else ()),
        *([("backups", status.backups)] if status.backups else ()),
        *([("skipped records", status.skipped)] if status.skipped else ()),
        ("concurrency", status.concurrency),
        ("rate limit", "none" if status.rate is None else f"{status.rate:g}/s"),
        ("created", moment(status.created_ms)),
        ("took" if status.ended_ms else "running for", age(status)),
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
        style = STATE_STYLES.get(str(value), "") if name == "state" else ""
        shown = f"{value:,}" if isinstance(value, int) else one_line(str(value))
        table.add_row(Text(name, style="dim"), Text(shown, style=style))
    print_table(table)


def _stage_row(stage: StageStatus) -> tuple[str, ...]:
    counts = (stage.waiting, stage.running, stage.done, stage.failed)
    return (
        stage.stage,
        *(f"{count:,}" for count in counts),
        "not known yet" if stage.total is None else f"{stage.total:,}",
        "" if stage.rate is None else _shown_rate(stage.rate),
        "" if stage.eta_s is None else format_duration(stage.eta_s),
    )


def _shown_rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _straggler_row(straggler: Straggler) -> tuple[str, ...]:
    backup = "begun" if straggler.backup else ""
    held = format_duration(straggler.held_s)
    return straggler.place, str(straggler.attempt), straggler.worker, held, backup


def _show_first(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    """Prints the first rows, and how many more there are."""
    show_table(columns, rows[:_ROWS_MOST])
    if len(rows) > _ROWS_MOST:
        put(f"and {len(rows) - _ROWS_MOST:,} more: --json has them all")
