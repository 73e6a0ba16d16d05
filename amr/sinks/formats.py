"""How outputs are written: by the ending of the path."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import orjson

from amr.errors import PermanentError

#: What a spreadsheet takes for a formula, and would run: such text gets an apostrophe before it.
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")

_NO_OUTPUTS = b"[]\n"

#: Bytes that are packed at once.
_CHUNK_BYTES = 1 << 20


def encode(outputs: Iterable[bytes], path: str, *, single: bool = False) -> Iterator[bytes]:
    """Yields the file of outputs, each of which is JSON, in the format that the path ends in.

    Args:
        outputs: in order.
        path: of the file.
        single: there is one output, which is no element of a list: a JSON file has it as it is.

    Raises:
        PermanentError: an output is no row, where the format is CSV.
    """
    kind = _format_of(path)
    write = _jsonl if single and kind == "json" else _FORMATS[kind]
    parts = write(outputs)
    return _packed(parts) if path.endswith(".gz") else parts


def count_outputs(file: IO[bytes], path: str, *, has_header: bool) -> int:
    """Returns how many outputs are in a file, unpacked, that ``encode`` made.

    Args:
        file: the file.
        path: its path, for the format.
        has_header: where it is CSV, its first row is of names.
    """
    kind = _format_of(path)
    if kind == "csv":
        quotes = rows = 0
        for line in file:
            quotes += line.count(b'"')
            rows += quotes % 2 == 0  # else the row goes on: the end of the line is in quotes
        return max(0, rows - has_header)
    return sum(1 for line in file if kind != "json" or line != _NO_OUTPUTS)


def _format_of(path: str) -> str:
    return path.removesuffix(".gz").rpartition(".")[2]


def _json(outputs: Iterable[bytes]) -> Iterator[bytes]:
    before = b"["
    for output in outputs:
        yield before
        yield output
        before = b",\n"
    yield _NO_OUTPUTS if before == b"[" else b"]\n"


def _jsonl(outputs: Iterable[bytes]) -> Iterator[bytes]:
    for output in outputs:
        yield output + b"\n"


def _csv(outputs: Iterable[bytes]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names: list[str] | None = None
    for output in outputs:
        value = orjson.loads(output)
        if isinstance(value, dict):
            if names is None:
                names = list(value)
                writer.writerow(names)
            if set(value) != set(names):
                raise PermanentError(f"CSV rows have the same columns: {names}, not {list(value)}")
            value = [value[name] for name in names]
        if not isinstance(value, list):
            raise PermanentError(f"a CSV row is a list or an object, not {output[:60].decode()}")
        writer.writerow(map(_cell, value))
        if text.tell() >= _CHUNK_BYTES:
            yield _taken(text)
    yield _taken(text)


def _cell(value: Any) -> Any:
    if isinstance(value, (list, dict, bool)):
        return orjson.dumps(value).decode()
    if isinstance(value, str) and value.startswith(_FORMULA_SIGNS) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _taken(text: io.StringIO) -> bytes:
    data = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return data


def _packed(parts: Iterable[bytes]) -> Iterator[bytes]:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        for part in parts:
            file.write(part)
            if packed.tell() >= _CHUNK_BYTES:
                yield packed.getvalue()
                packed.seek(0)
                packed.truncate()
    yield packed.getvalue()


_FORMATS: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
}
