"""Reads the result of a job that has no reducer: its outputs, and its failures if it has some."""

from __future__ import annotations

import orjson

from amr.store.inspect import Inspector


def outputs_json(inspector: Inspector, job: str, total: int, version: int) -> bytes | None:
    """Returns the job's outputs in input order as JSON, or None when the job is not known.

    With ``on_failure`` other than ``fail`` these are the ``results`` of an object that also has the
    ``failures``, each with their ``count``.

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
    results = b"[" + b",".join(found) + b"]"
    read = inspector.spec(job)
    if read is None:
        return None
    if read[0].get("on_failure", "fail") == "fail":
        return results
    failures = [
        {"index": f.index, "input": f.input, "error": f.error, "attempts": f.attempts}
        for f in failed
    ]
    return b'{"results":{"count":%d,"results":%b},"failures":{"count":%d,"results":%b}}' % (
        *(len(found), results),
        *(len(failures), orjson.dumps(failures)),
    )
