"""From what a job says of its inputs to the bodies of its map tasks, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from amr.job import JobSpec
from amr.sources.expand import OutputsOf, expand, expected_items
from amr.sources.splits import Split


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
    if not spec.is_grouped:
        return items, expected
    size = spec.batch or 1
    return _group(items, size), -(-expected // size)


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
