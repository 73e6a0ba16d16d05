"""`amr task`: all that is known of one task of a job."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amr.cli.options import AsJson, JobId, RedisUrl, Streams, open_client
from amr.cli.output import put, put_json, say

if TYPE_CHECKING:
    from amr.report.task_details import TaskDetails


def task(
    job: JobId,
    which: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="Index of a map task, or reduce, 'reduce[2]', 'merge[1.5]' or source.",
        ),
    ],
    as_json: AsJson = False,
    redis_url: RedisUrl = None,
    streams: Streams = None,
) -> None:
    """Show one task: where it is, its input and output, its failures and what it printed."""
    from amr.cli.task_lines import describe_task, next_steps

    with open_client(redis_url, streams=streams) as client:
        found = client.job(job).task(which)
    if as_json:
        put_json(_as_row(found))
        return
    put(describe_task(found))
    if steps := next_steps(found):
        say(steps)


def _as_row(details: TaskDetails) -> dict[str, Any]:
    from amr.cli.event_lines import event_row

    row = {name: value for name, value in asdict(details).items() if name != "status"}
    for name in ("history", "log"):
        row[name] = [event_row(event) for event in getattr(details, name)]
    status = details.status
    return {"job": status.job, "job_state": status.state, "task": details.place, **row}
