"""`amr replay`: one task of a job again, here, with the input that it had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from amr.cli.options import (
    FunctionsDirectory,
    JobId,
    OutputFile,
    RedisUrl,
    load_registry,
    open_client,
)
from amr.cli.output import check_output, say

if TYPE_CHECKING:
    from amr.client import Client
    from amr.job import JobSpec
    from amr.task import Task


def replay(
    job: JobId,
    index: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="The map task of input number N.")
    ] = None,
    reduce: Annotated[bool, typer.Option("--reduce", help="The reduce task.")] = False,
    functions: FunctionsDirectory = None,
    output: OutputFile = None,
    redis_url: RedisUrl = None,
) -> None:
    """Run one task of a job again, here, and print its output; the job is not changed."""
    from amr.cli.calling import call_and_put
    from amr.errors import PermanentError, UsageError

    if (index is None) != reduce:
        raise typer.BadParameter("name one task: --index N, or --reduce")
    check_output(output)
    with open_client(redis_url) as client:
        name, task = _task_of(client, job, index)
    try:
        invoker = load_registry(functions).find(name)
    except PermanentError as error:
        raise UsageError(str(error)) from None
    place = "reduce" if index is None else f"map[{index}]"
    say(f"{place} of job {job}: {name}")
    call_and_put(invoker, task, output)


def _task_of(client: Client, job: str, index: int | None) -> tuple[str, Task]:
    """Returns the function's name and the task with its body."""
    import orjson

    from amr.errors import UnknownJobError, UsageError
    from amr.job import JobSpec
    from amr.task import Task

    total = client.job(job).status().total
    source = client.inspector.source(job)
    if source is None:
        raise UnknownJobError(job)
    spec = JobSpec.from_header(orjson.loads(source.spec))
    if index is None:
        body = _reduce_body(client, job, spec, source.reduce)
        return spec.reducer or "", Task(b"0-0", job, "reduce", 0, 1, body)
    found = client.inspector.input(job, index)
    if found is None:
        raise UsageError(f"job {job} has no input {index}: it has {total:,} (from 0)")
    return spec.mapper, Task(b"0-0", job, "map", index, 1, found)


def _reduce_body(client: Client, job: str, spec: JobSpec, reduce: bytes) -> bytes:
    from amr.errors import UsageError
    from amr.worker.reduce_input import MissingOutputError, build_reduce_input

    if spec.reducer is None:
        raise UsageError(f"job {job} has no reducer")
    try:
        return build_reduce_input(client.inspector, job, spec, reduce)
    except MissingOutputError as error:
        raise UsageError(f"job {job} cannot be reduced yet: {error}") from None
