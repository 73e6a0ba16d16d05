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
    from amr.invokers.base import Invoker
    from amr.invokers.registry import Registry
    from amr.job_handle import Job
    from amr.jobspec.job import JobSpec
    from amr.task import Task


def replay(
    job: JobId,
    index: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="The map task of input number N.")
    ] = None,
    reduce: Annotated[bool, typer.Option("--reduce", help="The reduce task.")] = False,
    partition: Annotated[
        int | None, typer.Option(metavar="P", min=0, help="The reduce task of partition P.")
    ] = None,
    functions: FunctionsDirectory = None,
    output: OutputFile = None,
    redis_url: RedisUrl = None,
    streams: Streams = None,
) -> None:
    """Run one task of a job again, here, and print its output; the job is not changed."""
    from amr.cli.calling import call_and_put
    from amr.errors import PermanentError, UsageError
    from amr.task import shown_task

    if (index is None) == (not reduce and partition is None):
        raise typer.BadParameter("name one task: --index N, --reduce or --partition P")
    check_output(output)
    registry = load_registry(functions)
    with open_client(redis_url, streams=streams) as client:
        handle = client.job(job)
        try:
            spec, reduce_body = _read_job(handle)
            if index is not None:
                invoker, task = _map_task(handle, spec, registry, index)
            else:
                invoker, task = _reduce_task(handle, spec, registry, reduce_body, partition or 0)
        except PermanentError as error:
            raise UsageError(str(error)) from None
        say(f"{shown_task(task.field)} of job {job}: {invoker.name}")
        call_and_put(registry, invoker, task, output)


def _read_job(job: Job) -> tuple[JobSpec, bytes]:
    import orjson

    from amr.errors import UnknownJobError
    from amr.jobspec.job import JobSpec

    job.status()
    source = job.inspector.source(job.id)
    if source is None:
        raise UnknownJobError(job.id)
    spec = JobSpec.from_header(orjson.loads(source.spec))
    return spec.model_copy(update={"output": None}), source.reduce  # the job's files stay


def _map_task(job: Job, spec: JobSpec, registry: Registry, index: int) -> tuple[Invoker, Task]:
    """Returns what a map task is called with, and the task; that of a shuffled job gives pairs."""
    from amr.errors import UsageError
    from amr.stages.mapper import plain_mapper
    from amr.stages.pairs import PairsMapper
    from amr.task import Task

    found = job.inspector.input(job.id, index)
    if found is None:
        total = job.status().total
        raise UsageError(f"job {job.id} has no input {index}: it has {total:,} (from 0)")
    task = Task(b"0-0", job.id, "map", index, 1, found)
    if spec.shuffle is not None:
        return PairsMapper(spec, registry), task
    return plain_mapper(spec, registry, job.inspector.skipped_of), task


def _reduce_task(
    job: Job, spec: JobSpec, registry: Registry, reduce: bytes, partition: int
) -> tuple[Invoker, Task]:
    from amr.errors import UsageError
    from amr.stages.reduce_input import MissingOutputError, build_reduce_input
    from amr.stages.reducer import make_reducer
    from amr.task import Task

    if spec.reducer is None:
        raise UsageError(f"job {job.id} has no reducer")
    partitions = spec.shuffle.partitions if spec.shuffle is not None else 1
    if partition >= partitions:
        raise UsageError(f"job {job.id} has no partition {partition}: it has {partitions} (from 0)")
    body = b""
    if spec.shuffle is None:
        try:
            body = build_reduce_input(job.inspector, job.id, spec, reduce)
        except MissingOutputError as error:
            raise UsageError(f"job {job.id} cannot be reduced yet: {error}") from None
    invoker = make_reducer(spec, reduce, registry, job.inspector)
    return invoker, Task(b"0-0", job.id, "reduce", partition, 1, body)
