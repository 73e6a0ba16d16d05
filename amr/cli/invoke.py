"""`amr invoke`: submit a job to a deployed trigger."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from amr.cli import exits
from amr.cli.options import (
    FunctionsDirectory,
    OutputFile,
    Parameters,
    RedisUrl,
    Streams,
    Verbose,
    duration,
    open_client,
)
from amr.cli.output import check_output, put, say

if TYPE_CHECKING:
    from amr.client import Client
    from amr.jobspec.job import JobSpec


def invoke(
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="job.json, or - for standard input.")
    ] = None,
    job_option: Annotated[
        str | None, typer.Option("--job", "-j", metavar="JOB", help="The same as the argument.")
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", metavar="KEY", help="Make it idempotent: the same id, the same job."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show the progress and print the result: --wait [30s].")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="TIME", parser=duration, help="With --wait: at most so long, as 30s."),
    ] = None,
    durability: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL",
            help="Who must have job and result first: memory, replica, disk; else job.json's.",
        ),
    ] = None,
    parameters: Parameters = None,
    output: OutputFile = None,
    redis_url: RedisUrl = None,
    streams: Streams = None,
    stream: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of several streams, the one; else the id's hash tells."),
    ] = None,
    functions: FunctionsDirectory = None,
    verbose: Verbose = False,
) -> None:
    """Submit a job and print its id; with --wait, its result."""
    from amr.cli.follow import wait_for_result
    from amr.errors import UnconfirmedError
    from amr.jobspec.file import load_job
    from amr.jobspec.parameters import read_parameters

    path = _one_of(job, job_option)
    if not wait and (timeout is not None or output is not None):
        raise typer.BadParameter("--timeout and --output go with --wait")
    check_output(output)
    spec = load_job(path, read_parameters(parameters or ())).with_durability(durability)
    with open_client(redis_url, verbose, streams=streams) as client:
        _check_functions(client, spec, path, functions)
        try:
            handle = client.invoke(spec, id=id_, stream=stream)
        except UnconfirmedError as error:
            if not wait:
                put(error.job)
            raise
        if not handle.created:
            say(f"the job was submitted before: {handle.id}")
        if not wait:
            put(handle.id)
            return
        with goes_on(handle.id):
            say(f"job {handle.id}")
            more = f"amr failures {handle.id}"
            wait_for_result(handle, timeout_s=timeout, output=output, more=more)


@contextmanager
def goes_on(job: str) -> Iterator[None]:
    """Says, when the wait for a job is interrupted, that this does not end the job."""
    try:
        yield
    except exits.Interrupted:
        say(f"job {job} goes on: amr status {job}, amr logs -f {job}")
        raise


def spread(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with options of several values as the parser wants them.

    ``--wait 30s`` and ``--wait=30s`` become ``--wait --timeout 30s``, and ``--only 3 5`` becomes
    ``--only 3 --only 5``.
    """
    parts: list[str] = []
    for argument in arguments:
        if argument.startswith("--wait="):
            parts += ["--wait", "--timeout", argument.removeprefix("--wait=")]
        elif parts and parts[-1] == "--wait" and _is_duration(argument):
            parts += ["--timeout", argument]
        elif parts[-2:-1] == ["--only"] and re.fullmatch("[0-9][0-9,-]*", argument):
            parts += ["--only", argument]
        else:
            parts.append(argument)
    return parts


def _is_duration(text: str) -> bool:
    from amr.durations import parse_duration

    try:
        parse_duration(text)
    except ValueError:
        return False
    return True


def _one_of(job: str | None, job_option: str | None) -> str:
    if (job is None) == (job_option is None):
        raise typer.BadParameter("name one job.json: amr invoke JOB, or amr invoke -j JOB")
    return job if job is not None else job_option or ""


def _check_functions(client: Client, spec: JobSpec, path: str, functions: str | None) -> None:
    """Checks the names against what is served, or against the local directory while nothing is."""
    from amr.cli.options import load_registry
    from amr.jobspec.job import check_functions
    from amr.settings import functions_directory

    served = client.served_functions()
    if served is not None:
        check_functions(spec, served, path)
        return
    say("no trigger is up on this stream: the job waits for one (amr trigger run)")
    if functions is not None or functions_directory(None).is_dir():
        check_functions(spec, load_registry(functions).names(), path)
