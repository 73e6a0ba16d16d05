"""From a source to items: inputs of their own, or splits that stand for many."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

from amr.jobspec.sources import (
    ChainSource,
    FileSource,
    FilesSource,
    Inputs,
    OutputsSource,
    ProductSource,
    RangeSource,
    Source,
)
from amr.sources.records import RecordReader
from amr.sources.splits import make_splits, whole
from amr.storage.files import find_files

#: Gives the outputs of another job, by its id.
OutputsOf = Callable[[str], Iterable[Any]]


def expand(source: Inputs, outputs_of: OutputsOf) -> Iterator[Any]:
    """Yields the items of a source in order: values, and a ``Split`` where workers are to read.

    Args:
        source: a list, or any source but a function, which a worker calls.
        outputs_of: gives the outputs of another job.

    Raises:
        SourceError: a file or a record cannot be read.
    """
    match source:
        case list():
            yield from source
        case RangeSource():
            yield from range(*source.range)
        case FilesSource():
            yield from ({"path": file.path, "size": file.size} for file in find_files(source.files))
        case FileSource():
            yield from _records(source)
        case OutputsSource():
            yield from outputs_of(source.job)
        case ChainSource():
            for part in source.chain:
                yield from expand(part, outputs_of)
        case ProductSource():
            yield from _product(source, outputs_of)
        case Source():
            raise TypeError(f"{source.KIND} is not expanded here")


def expected_items(source: Any) -> int:
    """Returns how many items a source or iterable will have, 0 where only reading it tells."""
    if isinstance(source, RangeSource):
        return len(range(*source.range))
    return len(source) if isinstance(source, Sized) else 0


def _records(source: FileSource) -> Iterator[Any]:
    if source.is_split:
        yield from make_splits(source)
        return
    for file in find_files(source.paths):
        yield from RecordReader(whole(source, file)).values()


def _product(source: ProductSource, outputs_of: OutputsOf) -> Iterator[Any]:
    parts = source.parts
    columns = [list(expand(part, outputs_of)) for part in parts.values()]
    for row in itertools.product(*columns):
        yield dict(zip(parts, row, strict=True)) if isinstance(source.product, dict) else list(row)
