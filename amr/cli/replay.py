"""`amr replay`: one task of a job again, here, with the input that it had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from amr.cli.options import (
    FunctionsDirectory,
    JobId,
    OutputFile,
    RedisUrl,
    Streams,
    load_registry,
    open_client,
)
from amr.cli.output import check_output, say

if TYPE_CHECKING:
    from amr.job import JobSpec
    from amr.job_handle import Job
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
    streams: Streams = None,
) -> None:
    """Run one task of a job again, here, and print its output; the job is not changed."""
    from amr.cli.calling import call_and_put
    from amr.errors import PermanentError, UsageError

    if (index is None) != reduce:
        raise typer.BadParameter("name one task: --index N, or --reduce")
    check_output(output)
    with open_client(redis_url, streams=streams) as client:
        name, task = _task_of(client.job(job), index)
    try:
        invoker = load_registry(functions).find(name)
    except PermanentError as error:
        raise UsageError(str(error)) from None
    place = "reduce" if index is None else f"map[{index}]"
    say(f"{place} of job {job}: {name}")
    call_and_put(invoker, task, output)


def _task_of(job: Job, index: int | None) -> tuple[str, Task]:
    """Returns the function's name and the task with its body."""
    import orjson

    from amr.errors import UnknownJobError, UsageError
    from amr.job import JobSpec
    from amr.task import Task

    total = job.status().total
    source = job.inspector.source(job.id)
    if source is None:
        raise UnknownJobError(job.id)
    spec = JobSpec.from_header(orjson.loads(source.spec))
    if index is None:
        body = _reduce_body(job, spec, source.reduce)
        return spec.reducer or "", Task(b"0-0", job.id, "reduce", 0, 1, body)
    found = job.inspector.input(job.id, index)
    if found is None:
        raise UsageError(f"job {job.id} has no input {index}: it has {total:,} (from 0)")
    return spec.display_name, Task(b"0-0", job.id, "map", index, 1, found)


def _reduce_body(job: Job, spec: JobSpec, reduce: bytes) -> bytes:
    from amr.errors import UsageError
    from amr.worker.reduce_input import MissingOutputError, build_reduce_input

    if spec.reducer is None:
        raise UsageError(f"job {job.id} has no reducer")
    try:
        return build_reduce_input(job.inspector, job.id, spec, reduce)
    except MissingOutputError as error:
        raise UsageError(f"job {job.id} cannot be reduced yet: {error}") from None
