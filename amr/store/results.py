"""Puts results together: of outputs, of partitions, and of the files that were written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from amr.errors import UnknownJobError, UsageError
from amr.jobspec.job import JobSpec
from amr.states import JobState
from amr.store.inspect import Inspector
from amr.store.status import JobStatus
from amr.wire import join_lists


def outputs_json(inspector: Inspector, status: JobStatus, version: int) -> bytes | None:
    """Returns the job's outputs in input order as JSON, or None when the job is not known.

    With ``on_failure`` other than ``fail`` these are the ``results`` of an object that also has the
    ``failures``, each with their ``count``.

    Of a job with batches or splits, these are the outputs of the records. One that writes files has
    their ``parts`` in place of results: ``{"path", "outputs", "bytes"}`` of each.
    """
    job = status.job
    failed = list(inspector.failures(job, version))
    missing = {failure.index for failure in failed}
    outputs = inspector.outputs(job, status.total)
    found = [output for at, output in outputs if output is not None and at not in missing]
    read = inspector.spec(job)
    if read is None:
        return None
    spec = JobSpec.from_header(read[0])
    rows = [
        {"index": f.index, "input": f.input, "error": f.error, "attempts": f.attempts}
        for f in failed
    ]
    return outputs_document(spec, found, rows)


def outputs_document(
    spec: JobSpec, outputs: Sequence[bytes], failures: Sequence[dict[str, Any]]
) -> bytes:
    """Returns the result of a job without a reducer as JSON.

    Args:
        spec: the job.
        outputs: of its map tasks, in input order, as JSON.
        failures: what is told of those that failed for good.
    """
    results = join_lists(outputs) if spec.is_grouped else b"[" + b",".join(outputs) + b"]"
    if spec.output is not None:
        results = _parts(outputs)
    if spec.on_failure == "fail":
        return results if spec.output is None else parts_document(outputs)
    if spec.output is None:
        are_lists = spec.is_grouped
        count = sum(len(orjson.loads(one)) for one in outputs) if are_lists else len(outputs)
        results = b'"results":{"count":%d,"results":%b}' % (count, results)
    told = (len(failures), orjson.dumps(failures))
    return b"{" + results + b',"failures":{"count":%d,"results":%b}}' % told


def parts_json(inspector: Inspector, status: JobStatus, version: int) -> bytes | None:
    """Returns the outputs of a shuffled job, partition by partition, or None when it is not known.

    Of one that writes files, these are ``{"parts": [{"path", "outputs", "bytes"}]}``.
    """
    found = inspector.result_parts(status.job, range(status.partitions), version)
    parts = [part for part in found if part is not None]
    if len(parts) < status.partitions:
        return None
    return parts_document(parts) if status.writes_files else join_lists(parts)


def reduced_json(inspector: Inspector, status: JobStatus, version: int) -> bytes | None:
    """Returns the output of a job's one reduce task, or None when it is not known.

    Of one that writes a file, this is ``{"parts": [{"path", "outputs", "bytes"}]}``.
    """
    result = inspector.result(status.job, version)
    if result is None or not status.writes_files:
        return result
    return parts_document([result])


def part_json(inspector: Inspector, status: JobStatus, number: int) -> bytes | None:
    """Returns one part of a job's result as JSON, or None when it is not there.

    The parts of a shuffled job are the outputs of its partitions. A job that writes files has a
    part for each: ``{"path", "outputs", "bytes"}``; without a reducer its map tasks write them.

    Raises:
        UsageError: the job has no such part.
    """
    job = status.job
    if not status.partitions and not status.writes_files:
        said = "has no parts, for it has neither shuffle nor output in its job.json"
        raise UsageError(f"job {job} {said}: `amr result {job}` gives the whole")
    count = status.partitions or (1 if status.has_reducer else status.total)
    if not 0 <= number < count and (number < 0 or status.submitted):
        several = f"its parts are 0 to {count - 1:,}"
        allowed = several if count > 1 else "its only part is 0" if count else "it had no inputs"
        raise UsageError(f"job {job} has no part {number:,}: {allowed}")
    if status.partitions:
        return inspector.result_parts(job, [number], status.version)[0]
    if status.has_reducer:
        return inspector.result(job, status.version)
    return inspector.outputs_at(job, [number])[0]


def iter_results(inspector: Inspector, job: str) -> Iterator[Any]:
    """Yields what a job that has ended gives to another one, in order.

    That are its outputs; of one with a reducer the elements of its result, if that is a list, else
    the result; of one that writes files what is told of each.

    Raises:
        UnknownJobError: there is no such job.
        UsageError: it has not succeeded.
    """
    status = inspector.status(job)
    read = inspector.spec(job)
    if status is None or read is None:
        raise UnknownJobError(job)
    if status.state is not JobState.SUCCEEDED:
        raise UsageError(f"the outputs of job {job} are no inputs: it is {status.state.value}")
    spec = JobSpec.from_header(read[0])
    if status.partitions:
        parts = inspector.result_parts(job, range(status.partitions), status.version)
    elif status.has_reducer:
        parts = [inspector.result(job, status.version)]
    else:
        parts = [output for _, output in inspector.outputs(job, status.total)]
    is_list = spec.output is None and (status.partitions > 0 or spec.is_grouped)
    for part in parts:
        value = orjson.loads(part or b"[]")
        takes_apart = is_list or (status.has_reducer and isinstance(value, list))
        yield from value if takes_apart else (value,)


def parts_document(told: Sequence[bytes]) -> bytes:
    """Returns the result of a job that writes files: what is told of each of these parts."""
    return b"{" + _parts(told) + b"}"


def _parts(told: Sequence[bytes]) -> bytes:
    """Returns the member ``parts`` of a result: what is told of each file."""
    return b'"parts":[' + b",".join(told) + b"]"
