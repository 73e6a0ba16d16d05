"""Commands that change a job: cancel, pause, resume, update, redrive, prune."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from amr.cli.options import (
    JobId,
    JobState,
    OutputFile,
    RedisUrl,
    Streams,
    duration,
    indexes,
    load_registry,
    open_client,
    rate,
)
from amr.cli.output import check_output, say

if TYPE_CHECKING:
    from amr.client import Client


def cancel(job: JobId, redis_url: RedisUrl = None, streams: Streams = None) -> None:
    """End a job at once."""
    with open_client(redis_url, streams=streams) as client:
        cancelled = client.job(job).cancel()
    say(f"job {job} is cancelled" if cancelled else f"job {job} was cancelled before")


def pause(job: JobId, redis_url: RedisUrl = None, streams: Streams = None) -> None:
    """Let nothing more of a job begin; what runs goes on to its end."""
    with open_client(redis_url, streams=streams) as client:
        client.job(job).pause()
    say(f"job {job} is paused: amr resume {job}")


def resume(job: JobId, redis_url: RedisUrl = None, streams: Streams = None) -> None:
    """Let a paused job go on."""
    with open_client(redis_url, streams=streams) as client:
        client.job(job).resume()
    say(f"job {job} goes on")


def update(
    job: JobId,
    concurrency: Annotated[
        int | None, typer.Option(metavar="N", help="Most map tasks in flight at once.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(metavar="RATE", parser=rate, help="Most that begin, as 100/s; or none."),
    ] = None,
    redis_url: RedisUrl = None,
    streams: Streams = None,
) -> None:
    """Give a running job another concurrency or rate."""
    if concurrency is None and rate is None:
        raise typer.BadParameter("say what to change: --concurrency N, --rate 100/s")
    with open_client(redis_url, streams=streams) as client:
        handle = client.job(job)
        handle.update(concurrency=concurrency, rate=rate)
        status = handle.status()
    told = "no rate" if status.rate is None else f"rate {status.rate:g}/s"
    say(f"job {job}: concurrency {status.concurrency:,}, {told}")


def redrive(
    job: JobId,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="INDEX…", help="Only these map tasks: 3 5 10-20."),
    ] = None,
    error: Annotated[
        str | None,
        typer.Option(metavar="PATTERN", help="Only tasks whose error matches, as 'Timeout'."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show the progress and print the result: --wait [30s].")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="TIME", parser=duration, help="With --wait: at most so long."),
    ] = None,
    functions: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Run it here, with the functions of DIR; waits."),
    ] = None,
    output: OutputFile = None,
    redis_url: RedisUrl = None,
    streams: Streams = None,
) -> None:
    """Run a job's failed tasks again, and go on to its result; what is done stays done."""
    from amr.cli.follow import wait_for_result
    from amr.cli.invoke import goes_on

    wait = wait or functions is not None
    if not wait and (timeout is not None or output is not None):
        raise typer.BadParameter("--timeout and --output go with --wait")
    check_output(output)
    chosen = None if only is None else [index for text in only for index in indexes(text)]
    with open_client(redis_url, streams=streams) as client, _workers(client, job, functions):
        handle = client.job(job)
        done = handle.redrive(only=chosen, error=error)
        version = f", for version {done.version} of its result" if done.version > 1 else ""
        say(f"job {job}: {done.tasks:,} failed task(s) run again{version}")
        if wait:
            with goes_on(job):
                more = f"amr failures {job}"
                wait_for_result(handle, timeout_s=timeout, output=output, more=more)


@contextmanager
def _workers(client: Client, job: str, functions: str | None) -> Iterator[None]:
    """Runs workers with the functions of a directory, where one is named and no trigger is up.

    Raises:
        UsageError: a trigger is up: its workers would take the tasks with their own functions.
    """
    from amr.cli.run import served
    from amr.errors import UsageError
    from amr.local_trigger import LocalTrigger

    if functions is None:
        yield
        return
    load_registry(functions)
    if client.served_functions() is not None:
        raise UsageError(
            "a trigger is up on this stream and would run the tasks with its own functions: "
            "deploy the repaired ones there and redrive without --functions, or stop it first"
        )
    with LocalTrigger(client.job(job).target, served(functions)):
        yield


def prune(
    older: Annotated[
        float,
        typer.Option(metavar="TIME", parser=duration, help="Ended at least so long ago, as 7d."),
    ] = 0.0,
    state: JobState = None,
    redis_url: RedisUrl = None,
    streams: Streams = None,
) -> None:
    """Delete what is kept of jobs that have ended."""
    with open_client(redis_url, streams=streams) as client:
        count = client.prune(older_s=older, state=state)
    say(f"{count:,} job(s) deleted")
