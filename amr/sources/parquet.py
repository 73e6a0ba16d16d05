"""Rows of Parquet files; the extra ``parquet`` brings pyarrow, which reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from amr.errors import SettingsError
from amr.jobspec.sources import FileSource
from amr.storage.files import open_file
from amr.storage.info import FileInfo, SourceError

_ROWS_AT_ONCE = 4096


def row_groups(source: FileSource, file: FileInfo) -> Iterator[tuple[int, int]]:
    """Yields runs of row groups, first and behind the last, each of about ``split`` bytes."""
    with _open(file) as parquet:
        metadata = parquet.metadata
    most = source.split or file.size
    first, size = 0, 0
    for group in range(metadata.num_row_groups):
        bytes_ = metadata.row_group(group).total_byte_size
        if size and size + bytes_ > most:
            yield first, group
            first, size = group, 0
        size += bytes_
    if metadata.num_row_groups:
        yield first, metadata.num_row_groups


def read_rows(file: FileInfo, first: int, end: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the position and the row of each row of some row groups.

    Args:
        file: the file.
        first: row group.
        end: row group behind the last; the size of the file stands for all of them.
    """
    at = 0
    with _open(file) as parquet:
        end = parquet.metadata.num_row_groups if end == file.size else end
        groups = list(range(first, end))
        for batch in parquet.iter_batches(batch_size=_ROWS_AT_ONCE, row_groups=groups):
            for row in batch.to_pylist():
                yield at, row
                at += 1


@contextmanager
def _open(file: FileInfo) -> Iterator[Any]:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError:
        raise SettingsError("Parquet needs the extra parquet: pip install 'amr[parquet]'") from None
    with open_file(file.path) as data:
        try:
            opened = parquet.ParquetFile(data)
        except Exception as error:
            raise SourceError(f"{file.path} is no Parquet file: {error}") from None
        yield opened
