"""The reducer's body: the job's ``reduce`` object with the outputs of the map tasks in it."""

from __future__ import annotations

from amr import wire
from amr.job import JobSpec
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
    total = 0 if status is None else status.total
    failures = [
        {
            "index": failed.index,
            "input": failed.input,
            "error": {name: failed.error.get(name) for name in ("type", "message")},
            "attempts": failed.attempts,
        }
        for failed in (inspector.failures(job) if status and status.failed else ())
        if failed.index is not None
    ]
    failed_indexes = {row["index"] for row in failures}
    outputs: list[bytes] = []
    for index, output in inspector.outputs(job, total):
        if output is not None:
            outputs.append(output)
        elif index not in failed_indexes:
            raise MissingOutputError(f"the output of map task {index} is gone from Redis")
    joined = wire.join_lists(outputs) if spec.is_grouped else b"[" + b",".join(outputs) + b"]"
    parts = [b'"inputs":' + joined]
    if spec.on_failure != "fail":
        parts.append(b'"failures":' + wire.dumps(failures))
    given = reduce[1:-1].strip()
    return b"{" + b",".join([given, *parts] if given else parts) + b"}"
