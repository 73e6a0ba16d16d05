"""Commands that look at jobs: status, list, result, failures."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amr.cli import exits
from amr.cli.options import (
    AsJson,
    JobId,
    JobState,
    OutputFile,
    RedisUrl,
    Streams,
    duration,
    open_client,
)
from amr.cli.output import check_output, put, put_json, put_result, say

if TYPE_CHECKING:
    from amr.store.status import JobStatus


def status(
    job: JobId, as_json: AsJson = False, redis_url: RedisUrl = None, streams: Streams = None
) -> None:
    """Show where a job stands: its stages, its stragglers, and who runs its tasks."""
    from amr.cli.status_tables import show_status

    with open_client(redis_url, streams=streams) as client:
        found = client.job(job).details()
    if not as_json:
        show_status(found)
        return
    lists = {name: rows for name, rows in asdict(found).items() if name != "status"}
    put_json(_as_row(found.status) | lists)


def list_jobs(
    state: JobState = None,
    name: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Name or id, with * and ?.")
    ] = None,
    newer: Annotated[
        float | None, typer.Option(metavar="TIME", parser=duration, help="Made in the last TIME.")
    ] = None,
    older: Annotated[
        float | None, typer.Option(metavar="TIME", parser=duration, help="Made before that.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
    redis_url: RedisUrl = None,
    streams: Streams = None,
) -> None:
    """List jobs, the newest first."""
    from amr.cli.tables import show_jobs

    with open_client(redis_url, streams=streams) as client:
        found = client.jobs(state=state, name=name, newer_s=newer, older_s=older, most=limit)
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
    version: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Of a redriven job: the result of version N."),
    ] = None,
    part: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Only partition N of a shuffle, or part file N, once it is done.",
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", "-f", help="Print results as they come, a line of JSON each, to the end."
        ),
    ] = False,
    output: OutputFile = None,
    redis_url: RedisUrl = None,
    streams: Streams = None,
) -> None:
    """Print a job's result as JSON."""
    from amr.cli.invoke import goes_on

    if timeout is not None and not wait:
        raise typer.BadParameter("--timeout goes with --wait")
    if part is not None and version is not None:
        raise typer.BadParameter("--part is of the newest version: leave --version out")
    if follow and (wait or part is not None or version is not None or output is not None):
        raise typer.BadParameter(
            "--follow goes to the end and to stdout by itself: leave --wait, --part, --version "
            "and --output out"
        )
    check_output(output)
    with open_client(redis_url, streams=streams) as client, goes_on(job):
        handle = client.job(job)
        if follow:
            for line in handle.stream_json():
                put_result(line, None)
            return
        if part is not None:
            if wait:
                handle.wait(timeout)
            put_result(handle.part_json(part), output)
            return
        status = handle.status()
        if not wait and status.live and version in (None, status.version):
            say(f"amr: job {job} has not ended yet: amr result {job} --wait")
            raise typer.Exit(exits.FAILED)
        put_result(handle.result_json(timeout, version=version), output)


def failures(
    job: JobId,
    grouped: Annotated[
        bool, typer.Option("--grouped", help="Errors of one type and place as one, with a count.")
    ] = False,
    as_json: AsJson = False,
    redis_url: RedisUrl = None,
    streams: Streams = None,
) -> None:
    """Show the tasks that are out of attempts: errors, tracebacks, workers, inputs."""
    import orjson

    from amr.cli.failure_lines import describe_failed, describe_skipped, show_groups

    count = 0
    with open_client(redis_url, streams=streams) as client:
        if grouped:
            groups = client.job(job).error_groups()
            if as_json:
                put_json([asdict(group) for group in groups])
            else:
                show_groups(groups)
            return
        for failed in client.job(job).iter_failures():
            count += 1
            put(orjson.dumps(asdict(failed)).decode() if as_json else describe_failed(failed))
        skipped = 0
        for record in client.job(job).skipped():
            skipped += 1
            put(orjson.dumps(asdict(record)).decode() if as_json else describe_skipped(record))
    if not as_json:
        more = f", {skipped:,} skipped record(s)" if skipped else ""
        say(f"{count:,} failed task(s)" + (f": amr redrive {job}" if count else "") + more)


def _as_row(status: JobStatus) -> dict[str, Any]:
    row = asdict(status)
    created_ms, ended_ms = row.pop("created_ms"), row.pop("ended_ms")
    ended = None if ended_ms is None else _moment(ended_ms)
    return {"id": row.pop("job"), **row, "created": _moment(created_ms), "ended": ended}


def _moment(time_ms: int) -> str:
    """Returns a time as ISO-8601."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
