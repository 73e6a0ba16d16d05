"""The records of a split, one by one."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from amr import wire
from amr.jobspec.source_fields import ColumnType
from amr.jobspec.sources import CsvSource, FileSource, JsonlSource, LinesSource
from amr.sources.parquet import read_rows
from amr.sources.splits import Split, decode, read_header
from amr.storage.files import open_file
from amr.storage.info import FileInfo, SourceError

_TEXT_BYTES = 1 << 20


class Raw(NamedTuple):
    """A record that is not read yet: the byte where it begins, and a line or a row of cells."""

    at: int
    data: Any


class RecordReader:
    """Reads the records of one split. Finding a record and reading it are apart, so that one that
    cannot be read keeps nobody from those behind it.

    Args:
        split: what to read.
    """

    def __init__(self, split: Split) -> None:
        self._file = split.file
        self._split = split
        self._source: FileSource = split.source
        self._names: tuple[str, ...] = ()

    def raws(self) -> Iterator[Raw]:
        """Yields the split's records, unread.

        Raises:
            SourceError: the file cannot be opened.
        """
        if self._source.KIND == "parquet":
            split = self._split
            yield from (Raw(*row) for row in read_rows(split.file, split.start, split.end))
            return
        with self._open() as file:
            if isinstance(self._source, CsvSource):
                yield from self._rows(self._source, file)
            else:
                yield from self._lines(file)

    def value(self, raw: Raw) -> Any:
        """Returns a record as the mapper gets it.

        Raises:
            SourceError: it is broken; the file and the byte are named.
        """
        if isinstance(self._source, CsvSource):
            return self._row(self._source, raw)
        if isinstance(raw.data, bytes):
            line = raw.data.removesuffix(b"\n").removesuffix(b"\r")
            if isinstance(self._source, JsonlSource):
                return self._json(raw.at, line)
            return decode(line, self._file, raw.at)
        return raw.data

    def values(self) -> Iterator[Any]:
        """Yields the records as the mapper gets them."""
        if isinstance(self._source, LinesSource):
            return self._texts()
        return map(self.value, self.raws())

    def _texts(self) -> Iterator[str]:
        """Yields lines, decoded many at a time."""
        at = self._split.start
        with self._open() as file:
            if at:
                at += len(file.readline()) - 1
            end = self._end()
            while at < end:
                # The last line begins before the end of the split, and may end behind it.
                data = file.read(int(min(_TEXT_BYTES, end - at)))
                if not data.endswith(b"\n"):
                    data += file.readline()
                if not data:
                    return
                yield from self._split_lines(data, at)
                at += len(data)

    def _split_lines(self, data: bytes, at: int) -> list[str]:
        text = decode(data, self._file, at)
        lines = text.removesuffix("\n").split("\n")
        return [line.removesuffix("\r") for line in lines] if "\r" in text else lines

    def _open(self) -> IO[bytes]:
        """Opens the file where to begin. One that only grew since it was split has its splits."""
        file = open_file(self._file.path, self._start())
        if not self._file.is_compressed:
            size = file.seek(0, os.SEEK_END)
            if size < self._file.size:
                file.close()
                raise SourceError(
                    f"{self._file.path} has {size:,} bytes; it had {self._file.size:,} when the "
                    "job was submitted: files that a job reads must not be changed"
                )
            file.seek(self._start())
        return file

    def _start(self) -> int:
        """Returns where to begin: lines one byte early, to see whether one begins at the start."""
        start = self._split.start
        return start if isinstance(self._source, CsvSource) else max(0, start - 1)

    def _lines(self, file: IO[bytes]) -> Iterator[Raw]:
        at = self._split.start
        if at:
            at += len(file.readline()) - 1  # the end of a line that belongs to the split before
        end = self._end()
        skip_blank = isinstance(self._source, JsonlSource)
        for line in file:
            if at >= end:
                return
            if not (skip_blank and line.isspace()):
                yield Raw(at, line)
            at += len(line)

    def _rows(self, source: CsvSource, file: IO[bytes]) -> Iterator[Raw]:
        at = self._split.start
        if source.header is True:
            self._names, at = read_header(source, self._file, file)
        elif source.header is not False:
            self._names = source.header
        end = self._end()

        def lines() -> Iterator[str]:
            nonlocal at
            for line in file:
                at += len(line)
                yield decode(line, self._file, at - len(line))

        reader = csv.reader(
            lines(), delimiter=source.delimiter, quotechar=source.quote, strict=True
        )
        while at < end:
            began = at
            try:
                row = next(reader, None)
            except csv.Error as error:
                raise SourceError(f"{self._file.path} byte {began:,}: {error}") from None
            if row is None:
                return
            if row:
                yield Raw(began, row)

    def _end(self) -> float:
        """Returns the byte before which records begin; of a compressed file all are wanted."""
        return float("inf") if self._file.is_compressed else self._split.end

    def _json(self, at: int, line: bytes) -> Any:
        try:
            return wire.loads(line)
        except ValueError as error:
            raise SourceError(f"{self._file.path} byte {at:,}: not JSON: {error}") from None

    def _row(self, source: CsvSource, raw: Raw) -> Any:
        names, cells = self._names, raw.data
        if not names:
            return cells
        if len(cells) != len(names):
            raise SourceError(
                f"{self._file.path} byte {raw.at:,}: a row of {len(cells)} cells, where the header "
                f"has {len(names)} columns"
            )
        row: dict[str, Any] = dict(zip(names, cells, strict=True))
        for column, kind in source.types.items():
            if column not in row:
                raise SourceError(f"{self._file.path}: has no column {column!r} to be {kind}")
            row[column] = _typed(row[column], kind, self._file, raw.at, column)
        return row


_TRUE = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _typed(cell: str, kind: ColumnType, file: FileInfo, at: int, column: str) -> Any:
    if kind == "str":
        return cell
    text = cell.strip()
    if not text:
        return None
    try:
        match kind:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return _TRUE[text.lower()]
            case "json":
                return wire.loads(text)
    except (ValueError, KeyError):
        raise SourceError(
            f"{file.path} byte {at:,}: column {column!r} is to be {kind}, found {cell[:60]!r}"
        ) from None
