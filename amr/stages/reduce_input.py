"""The reducer's body: the job's ``reduce`` object with the outputs of the map tasks in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amr import wire
from amr.jobspec.job import JobSpec
from amr.reducers import is_builtin
from amr.store.inspect import Inspector


class MissingOutputError(Exception):
    """An output that was counted is not in the store."""


def build_reduce_input(inspector: Inspector, job: str, spec: JobSpec, reduce: bytes) -> bytes:
    """Returns the body for the reducer of ``job``, as JSON.

    ``inputs`` holds the outputs in input order. Unless the job's policy is to fail, ``failures``
    lists what failed: index, input, error and attempts. Outputs are joined as they are stored, so
    none is read and written again.

    Args:
        inspector: reads the store.
        job: job id.
        spec: the job's description.
        reduce: the reducer's body without them, as JSON.

    Raises:
        MissingOutputError: somebody else deleted an output.
    """
    status = inspector.status(job)
    failures = list_failures(inspector, job) if status and status.failed else []
    outputs = read_outputs(inspector, job, range(status.total if status else 0))
    return reduce_body(spec, reduce, (), outputs, failures)


def list_failures(inspector: Inspector, job: str) -> list[dict[str, Any]]:
    """Returns the dead map tasks of a job, as its reducer is told of them."""
    return [
        {
            "index": failed.index,
            "input": failed.input,
            "error": {name: failed.error.get(name) for name in ("type", "message")},
            "attempts": failed.attempts,
        }
        for failed in inspector.failures(job)
        if failed.index is not None
    ]


def read_outputs(inspector: Inspector, job: str, indexes: range) -> list[bytes]:
    """Returns the outputs of map tasks that did not fail, as JSON.

    Raises:
        MissingOutputError: somebody else deleted one.
    """
    outputs, missing = [], []
    for index, output in inspector.outputs(job, indexes.stop, indexes.start):
        if output is None:
            missing.append(index)
        else:
            outputs.append(output)
    for index, is_dead in zip(missing, inspector.are_dead(job, missing), strict=True):
        if not is_dead:
            raise MissingOutputError(f"the output of map task {index} is gone from Redis")
    return outputs


def reduce_body(
    spec: JobSpec,
    reduce: bytes,
    partials: Sequence[bytes],
    outputs: Sequence[bytes],
    failures: Sequence[dict[str, Any]] | None,
) -> bytes:
    """Returns what a reducer is called with, as JSON.

    Args:
        spec: the job.
        reduce: its ``reduce``, as JSON.
        partials: what outputs before these were merged to.
        outputs: of map tasks.
        failures: dead map tasks; None for a merge, which is told of none.
    """
    listed = b"[" + b",".join(partials) + b"]"
    of_records = outputs if spec.is_grouped else [b"[" + b",".join(outputs) + b"]"]
    parts = []
    if partials and is_builtin(spec.reducer):
        # Reducers of ours have partial results that are not like outputs.
        parts = [b'"partials":' + listed, b'"inputs":' + wire.join_lists(of_records)]
    else:
        parts = [b'"inputs":' + wire.join_lists([listed, *of_records])]
    if failures is not None and spec.on_failure != "fail":
        parts.append(b'"failures":' + wire.dumps(failures))
    given = reduce[1:-1].strip()
    return b"{" + b",".join([given, *parts] if given else parts) + b"}"
