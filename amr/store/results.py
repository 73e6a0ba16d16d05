"""Reads the result of a job that has no reducer: its outputs, and its failures if it has some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from amr.errors import UnknownJobError, UsageError
from amr.job import JobSpec
from amr.states import JobState
from amr.store.inspect import Inspector
from amr.wire import join_lists


def outputs_json(inspector: Inspector, job: str, total: int, version: int) -> bytes | None:
    """Returns the job's outputs in input order as JSON, or None when the job is not known.

    With ``on_failure`` other than ``fail`` these are the ``results`` of an object that also has the
    ``failures``, each with their ``count``.

    Of a job with batches or splits, these are the outputs of the records.

    Args:
        inspector: of the stream.
        job: job id.
        total: its inputs.
        version: of the result.
    """
    failed = list(inspector.failures(job, version))
    missing = {failure.index for failure in failed}
    outputs = inspector.outputs(job, total)
    found = [output for at, output in outputs if output is not None and at not in missing]
    read = inspector.spec(job)
    if read is None:
        return None
    spec = JobSpec.from_header(read[0])
    results = join_lists(found) if spec.is_grouped else b"[" + b",".join(found) + b"]"
    if spec.on_failure == "fail":
        return results
    count = sum(len(orjson.loads(one)) for one in found) if spec.is_grouped else len(found)
    failures = [
        {"index": f.index, "input": f.input, "error": f.error, "attempts": f.attempts}
        for f in failed
    ]
    return b'{"results":{"count":%d,"results":%b},"failures":{"count":%d,"results":%b}}' % (
        *(count, results),
        *(len(failures), orjson.dumps(failures)),
    )


def parts_json(inspector: Inspector, job: str, partitions: int, version: int) -> bytes | None:
    """Returns the outputs of a shuffled job, partition by partition, or None when it is not known.

    Args:
        inspector: of the stream.
        job: job id.
        partitions: how many there are.
        version: of the result.
    """
    parts = inspector.result_parts(job, partitions, version)
    return None if None in parts else join_lists(part or b"" for part in parts)


def iter_outputs(inspector: Inspector, job: str) -> Iterator[Any]:
    """Yields the outputs of the map tasks of a job that has ended, in input order.

    Of a job with batches or splits, these are the outputs of the records.

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
    is_grouped = JobSpec.from_header(read[0]).is_grouped
    for _, output in inspector.outputs(job, status.total):
        if output is not None:
            value = orjson.loads(output)
            yield from value if is_grouped else (value,)
