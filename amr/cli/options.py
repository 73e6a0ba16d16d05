"""Options that several commands have, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from amr.client import Client
    from amr.invokers.registry import Registry
    from amr.job_handle import Job

RedisUrl = Annotated[
    list[str] | None,
    typer.Option(
        "--redis-url", metavar="URL", help="Redis and stream: redis://HOST:PORT#STREAM; or several."
    ),
]
Streams = Annotated[
    int | None,
    typer.Option("--streams", metavar="K", min=1, max=256, help="Streams of each URL, as #NAME/K."),
]
FunctionsDirectory = Annotated[
    str | None,
    typer.Option("--functions", metavar="DIR", help="Directory of the functions (functions/)."),
]
Processes = Annotated[
    int | None,
    typer.Option("--processes", metavar="N", min=1, max=1024, help="Workers; default: cores."),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--param", metavar="NAME=VALUE", help='Value of {"param": NAME}; or NAME=@file.json.'
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the result there, not to stdout."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log everything, with tracebacks.")]
JobState = Annotated[
    str | None,
    typer.Option("--state", metavar="STATE", parser=lambda text: job_state(text), help="In STATE."),
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Job id.")]


def duration(text: str) -> float:
    """Reads a duration given on the command line, in seconds."""
    from amr.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def rate(text: str) -> float:
    """Reads a rate given on the command line, a second; ``none`` is 0."""
    from amr.rates import parse_rate

    try:
        return 0.0 if text in ("none", "0") else parse_rate(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def job_state(text: str) -> str:
    """Reads a state of jobs given on the command line."""
    from amr.states import JobState
    from amr.suggest import did_you_mean

    states = [known.value for known in JobState]
    if text in states:
        return text
    raise typer.BadParameter(
        f"{text!r}: the states are {', '.join(states)}{did_you_mean(text, states)}"
    )


def indexes(text: str) -> list[int]:
    """Reads indexes given on the command line, such as ``3``, ``3,5`` or ``10-20``."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise typer.BadParameter(f"{text!r}: write indexes as 3 or 3,5 or 10-20")
        found += range(int(first), int(last or first) + 1)
    return found


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


def open_client(
    redis_url: list[str] | None, verbose: bool = False, *, streams: int | None = None
) -> Client:
    """Returns a client of the Redis that the options or the environment name."""
    from amr.client import Client

    set_up_log(verbose)
    return Client(redis_url, streams=streams)


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
