"""Options that several commands have, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from amr.client import Client, Job
    from amr.invokers.registry import Registry

RedisUrl = Annotated[
    str | None,
    typer.Option("--redis-url", metavar="URL", help="Redis and stream: redis://HOST:PORT#STREAM."),
]
FunctionsDirectory = Annotated[
    str | None,
    typer.Option("--functions", metavar="DIR", help="Directory of the functions (functions/)."),
]
Processes = Annotated[
    int | None,
    typer.Option("--processes", metavar="N", min=1, max=1024, help="Workers; default: cores."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the result there, not to stdout."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log everything, with tracebacks.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Job id.")]


def duration(text: str) -> float:
    """Reads a duration given on the command line, in seconds."""
    from amr.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def set_up_log(verbose: bool, level: int | None = None) -> int:
    """Sends this process's log to stderr and returns its level.

    Args:
        verbose: log everything.
        level: of the logging module where not verbose; WARNING if None.
    """
    import logging

    from amr.log import configure

    chosen = logging.DEBUG if verbose else level or logging.WARNING
    configure(chosen)
    return chosen


def open_client(redis_url: str | None, verbose: bool = False) -> Client:
    """Returns a client of the Redis that the option or the environment names."""
    from amr.client import Client

    set_up_log(verbose)
    return Client(redis_url)


def find_job(client: Client, job: str | None) -> Job:
    """Returns the handle of a job, the newest one without an id.

    Raises:
        UsageError: there is no job at all.
    """
    from amr.errors import UsageError

    if job is not None:
        return client.job(job)
    newest = client.newest()
    if newest is None:
        raise UsageError("no job was invoked on this stream yet: `amr invoke job.json`")
    return newest


def load_registry(functions: str | None) -> Registry:
    """Returns the functions of the directory that the option or the environment names."""
    from amr.invokers.registry import Registry
    from amr.settings import functions_directory

    return Registry.load(functions_directory(functions))
