"""From what a job says of its inputs to the bodies of its map tasks, in chunks and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from amr import wire
from amr.errors import JobSpecError, Problem
from amr.jobspec.job import JobSpec
from amr.sources.expand import OutputsOf, expand, expected_items
from amr.sources.splits import Split

#: Most inputs, and most bytes of them, that one call appends; one larger input goes alone.
CHUNK_INPUTS = 2000
CHUNK_BYTES = 4 * 1024 * 1024

#: No Redis can be set to take less at once.
_SURELY_TAKEN_BYTES = 1_000_000


def make_bodies(
    spec: JobSpec, inputs: Iterable[Any] | None, outputs_of: OutputsOf
) -> tuple[Iterable[Any], int]:
    """Returns the bodies of a job's map tasks, and how many there will be, 0 if that is not known.

    Of a job with batches or splits, a body is a list of records or describes a split.

    Args:
        spec: the job.
        inputs: take the place of the job's own.
        outputs_of: gives the outputs of another job.
    """
    items = expand(spec.inputs, outputs_of) if inputs is None else inputs
    expected = expected_items(spec.inputs if inputs is None else inputs)
    size = spec.batch or 1
    return pack_items(spec, items), -(-expected // size)


def pack_items(spec: JobSpec, items: Iterable[Any]) -> Iterable[Any]:
    """Returns the bodies of a job's items: batches, where it has batches or splits."""
    return _group(items, spec.batch or 1) if spec.is_grouped else items


def _group(items: Iterable[Any], size: int) -> Iterator[Any]:
    batch: list[Any] = []
    for item in items:
        if isinstance(item, Split):
            if batch:
                yield batch
                batch = []
            yield item.document()
            continue
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def make_chunks(inputs: Iterable[Any], most_bytes: Callable[[], int]) -> Iterator[list[bytes]]:
    """Yields the inputs as JSON, in chunks that one call can carry."""
    chunk: list[bytes] = []
    size = 0
    for index, value in enumerate(inputs):
        data = encode_input(index, value)
        if len(data) > _SURELY_TAKEN_BYTES:
            _check_size(index, data, most_bytes())
        if chunk and (len(chunk) == CHUNK_INPUTS or size + len(data) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(data)
        size += len(data)
    if chunk:
        yield chunk


def encode_input(index: int, value: Any) -> bytes:
    """Returns an input as JSON.

    Raises:
        JobSpecError: it is not JSON.
    """
    path = f"$.inputs[{index}]"
    try:
        data = wire.dumps(value)
    except wire.NotJsonError as error:
        raise JobSpecError([Problem(path, str(error).replace("$", path, 1))]) from None
    return data


def _check_size(index: int, data: bytes, most_bytes: int) -> None:
    if len(data) <= most_bytes:
        return
    message = (
        f"is {len(data):,} bytes of JSON; at most {most_bytes:,} are taken: "
        "store the data elsewhere and give its place"
    )
    raise JobSpecError([Problem(f"$.inputs[{index}]", message)])
