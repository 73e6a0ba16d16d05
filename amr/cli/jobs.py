"""Commands that look at jobs or end them: status, list, result, failures, cancel."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amr.cli import exits
from amr.cli.options import AsJson, JobId, OutputFile, RedisUrl, duration, open_client
from amr.cli.output import check_output, put, put_json, put_result, say

if TYPE_CHECKING:
    from amr.store.inspect import JobStatus

#: How many of the newest jobs are looked at for those in one state.
_LOOKED_AT = 1000


def status(job: JobId, as_json: AsJson = False, redis_url: RedisUrl = None) -> None:
    """Show where a job stands."""
    from amr.cli.tables import show_status

    with open_client(redis_url) as client:
        found = client.job(job).status()
    if as_json:
        put_json(_as_row(found))
    else:
        show_status(found)


def list_jobs(
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help=f"Of the newest {_LOOKED_AT:,}, those in STATE."),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
    redis_url: RedisUrl = None,
) -> None:
    """List jobs, the newest first."""
    from amr.cli.tables import show_jobs
    from amr.errors import SettingsError
    from amr.states import JobState
    from amr.suggest import did_you_mean

    states = [known.value for known in JobState]
    if state is not None and state not in states:
        guess = did_you_mean(state, states)
        raise SettingsError(f"--state {state!r}: the states are {', '.join(states)}{guess}")
    with open_client(redis_url) as client:
        looked_at = limit if state is None else max(limit, _LOOKED_AT)
        found = client.jobs(state=state, most=looked_at)[:limit]
    if as_json:
        put_json([_as_row(row) for row in found])
    else:
        show_jobs(found)


def result(
    job: JobId,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end: --wait [30s].")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="TIME", parser=duration, help="With --wait: at most so long."),
    ] = None,
    output: OutputFile = None,
    redis_url: RedisUrl = None,
) -> None:
    """Print a job's result as JSON."""
    from amr.cli.invoke import goes_on

    if timeout is not None and not wait:
        raise typer.BadParameter("--timeout goes with --wait")
    check_output(output)
    with open_client(redis_url) as client, goes_on(job):
        handle = client.job(job)
        if not wait and handle.status().live:
            say(f"amr: job {job} has not ended yet: amr result {job} --wait")
            raise typer.Exit(exits.FAILED)
        put_result(handle.result_json(timeout), output)


def failures(job: JobId, as_json: AsJson = False, redis_url: RedisUrl = None) -> None:
    """List the tasks that are out of attempts."""
    import orjson

    from amr.cli.tables import show_failures

    with open_client(redis_url) as client:
        found = client.job(job).failures()
    if not as_json:
        show_failures(found)
        return
    for failed in found:
        put(orjson.dumps(asdict(failed)).decode())


def cancel(job: JobId, redis_url: RedisUrl = None) -> None:
    """End a job at once."""
    with open_client(redis_url) as client:
        cancelled = client.job(job).cancel()
    say(f"job {job} is cancelled" if cancelled else f"job {job} was cancelled before")


def _as_row(status: JobStatus) -> dict[str, Any]:
    row = asdict(status)
    created_ms, ended_ms = row.pop("created_ms"), row.pop("ended_ms")
    ended = None if ended_ms is None else _moment(ended_ms)
    return {"id": row.pop("job"), **row, "created": _moment(created_ms), "ended": ended}


def _moment(time_ms: int) -> str:
    """Returns a time as ISO-8601."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
