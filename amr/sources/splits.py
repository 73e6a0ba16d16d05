"""Splits: parts of files that begin and end at records, each read by the worker of its task."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from amr.jobspec.sources import CsvSource, FileSource, parse_source
from amr.sources.parquet import row_groups
from amr.storage.files import find_files, open_file
from amr.storage.info import FileInfo, SourceError

_CHUNK_BYTES = 1 << 20


class Split(NamedTuple):
    """The records of ``source`` that are at ``start`` to before ``end`` of a file.

    Attributes:
        source: how the file is read.
        file: the file.
        start: first byte; of lines and JSON lines, the records that begin there or later.
        end: byte behind the last, at which records of the next split begin.
    """

    source: FileSource
    file: FileInfo
    start: int
    end: int

    def document(self) -> dict[str, Any]:
        """Returns the split as the body of its map task."""
        where = {"start": self.start, "end": self.end, "size": self.file.size}
        return {"split": self.source.document() | {self.source.KIND: self.file.path} | where}


def read_split(document: dict[str, Any]) -> Split:
    """Returns the split that ``Split.document`` wrote."""
    described = dict(document["split"])
    start, end, size = (described.pop(name) for name in ("start", "end", "size"))
    source = parse_source(described)
    assert isinstance(source, FileSource)
    return Split(source, FileInfo(source.paths[0], size), start, end)


def whole(source: FileSource, file: FileInfo) -> Split:
    """Returns all records of a file as one split."""
    return Split(source, file, 0, file.size)


def make_splits(source: FileSource) -> Iterator[Split]:
    """Yields the splits of a source's files, each of about ``source.split`` bytes.

    Raises:
        SourceError: a file cannot be read.
    """
    assert source.split is not None
    for file in find_files(source.paths):
        if source.KIND == "parquet":
            yield from (Split(source, file, at, to) for at, to in row_groups(source, file))
        elif file.is_compressed:
            yield whole(source, file)
        elif isinstance(source, CsvSource):
            yield from _csv_splits(source, file, source.split)
        else:
            for start in range(0, file.size, source.split):
                yield Split(source, file, start, min(start + source.split, file.size))


def _csv_splits(source: CsvSource, file: FileInfo, most: int) -> Iterator[Split]:
    """Cuts where a row ends: a line break between two quotes is part of a cell."""
    with open_file(file.path) as data:
        start = 0
        if source.header is True:
            names, start = read_header(source, file, data)
            source = source.model_copy(update={"header": names})
        for end in _row_ends(data, start, most, source.quote.encode()):
            yield Split(source, file, start, end)
            start = end


def read_header(source: CsvSource, file: FileInfo, data: IO[bytes]) -> tuple[tuple[str, ...], int]:
    """Reads the first row; returns the names in it and the byte behind it.

    Raises:
        SourceError: there is none, or it has a name twice.
    """
    read: list[bytes] = []

    def lines() -> Iterator[str]:
        for line in data:
            read.append(line)
            yield decode(line, file, 0)

    row = next(csv.reader(lines(), delimiter=source.delimiter, quotechar=source.quote), [])
    names = tuple(name.removeprefix("\ufeff") for name in row)
    if not names:
        raise SourceError(f'{file.path}: has no header row; without one, give "header": false')
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SourceError(f"{file.path}: its header has {', '.join(sorted(twice))} twice")
    return names, sum(map(len, read))


def _row_ends(data: IO[bytes], start: int, most: int, quote: bytes) -> Iterator[int]:
    """Yields bytes behind rows, about ``most`` apart; the last is the end of the file."""
    data.seek(start)
    at, last, due, quotes = start, start, start + most, 0
    while chunk := data.read(_CHUNK_BYTES):
        place = 0
        while at + len(chunk) >= due:
            # The row that is being read at `due` ends at the first break outside of quotes.
            begin = max(place, due - 1 - at)
            quotes += chunk.count(quote, place, begin)
            place = begin
            broken = chunk.find(b"\n", place)
            if broken < 0:
                break
            quotes += chunk.count(quote, place, broken)
            place = broken + 1
            due = at + place + 1
            if quotes % 2 == 0:
                last = at + place
                due = last + most
                yield last
        quotes += chunk.count(quote, place)
        at += len(chunk)
    if at > last:
        yield at


def decode(line: bytes, file: FileInfo, at: int) -> str:
    """Returns a line as text.

    Raises:
        SourceError: it is not UTF-8.
    """
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        byte = line[error.start]
        where = f"byte {at + error.start:,}"
        raise SourceError(f"{file.path} {where}: 0x{byte:02x} is not UTF-8") from None
