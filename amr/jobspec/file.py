"""Reads job.json: bytes to checked JSON to a JobSpec, with a clear error for whatever is broken.

The parser is the fast one of ``amr.wire``; what it lets pass and a job must not have (deep
nesting, duplicate keys, integers that would lose digits) is found by looking at the text with a
few whole-buffer operations, so that a million inputs load in a second or two. Only a document in
which something is wrong is read again, slowly, to say where.
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from amr.errors import JobSpecError, Problem
from amr.jobspec.job import JobSpec, parse_job
from amr.jobspec.parameters import fill_in
from amr.wording import json_path, quoted

MAX_DEPTH = 64

_MOST_PROBLEMS = 20

#: Anything that describes a job: a spec, its document, or the path of one.
JobLike = JobSpec | Mapping[str, Any] | str | os.PathLike[str]


def load_job(path: str | Path, parameters: Mapping[str, Any] | None = None) -> JobSpec:
    """Returns the job in the file at ``path``; ``-`` is standard input.

    Args:
        path: of the file; paths of its sources are relative to its folder.
        parameters: values of the document's parameters.

    Raises:
        JobSpecError: the file cannot be read, is not JSON, or describes no right job.
        UsageError: a parameter is given that the document does not have.
    """
    source = "standard input" if str(path) == "-" else str(path)
    document = fill_in(parse_json(_read(path, source), source), parameters or {}, source)
    folder = Path.cwd() if str(path) == "-" else Path(path).absolute().parent
    return parse_job(document, source).under(folder)


def read_spec(
    job: JobLike, *, has_inputs: bool = False, parameters: Mapping[str, Any] | None = None
) -> JobSpec:
    """Returns the spec that ``job`` is, describes or names.

    Raises:
        JobSpecError: it is wrong.
    """
    if isinstance(job, JobSpec):
        return job
    if isinstance(job, Mapping):
        document = fill_in(job, parameters or {}, "job")
        if has_inputs:
            document.setdefault("inputs", [])
        return parse_job(document, "job").under(Path.cwd())
    return load_job(job if job == "-" else Path(job), parameters)


def parse_json(data: bytes, source: str = "job.json") -> Any:
    """Returns the value of the JSON text ``data``.

    Raises:
        JobSpecError: it is empty, not UTF-8, not JSON, nested too deep, or has duplicate keys or
            numbers that do not fit; with the line and column, or the path.
    """
    _check_encoding(data, source)
    structure = _structure(data)
    if _is_too_deep(structure):
        raise _refused(f"is nested deeper than {MAX_DEPTH} levels", source)
    _check_integers(data, source)
    value = _parse(data, source)
    # A duplicate key's first value is gone from what was parsed, and its colon with it.
    if structure.count(b":") != _structure(orjson.dumps(value)).count(b":"):
        raise JobSpecError(_duplicate_keys(data), source)
    return value


def _refused(message: str, source: str) -> JobSpecError:
    return JobSpecError([Problem("$", message)], source)


def _read(path: str | Path, source: str) -> bytes:
    try:
        if str(path) != "-":
            return Path(path).read_bytes()
        if sys.stdin is None:
            raise _refused("cannot be read: it is closed", source)
        return sys.stdin.buffer.read()
    except FileNotFoundError:
        raise _refused("there is no such file", source) from None
    except IsADirectoryError:
        raise _refused("is a directory; give the job file in it", source) from None
    except OSError as error:
        raise _refused(f"cannot be read: {error.strerror or error}", source) from None
    except ValueError as error:
        raise _refused(f"cannot be read: {error}", source) from None


_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "UTF-8 with a byte order mark"),
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def _check_encoding(data: bytes, source: str) -> None:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            raise _refused(f"expected UTF-8 without a byte order mark, found {encoding}", source)
    if not data or data.isspace():
        raise _refused("is empty", source)
    if b"\0" in data[:4]:
        raise _refused("expected UTF-8, found what looks like UTF-16 or UTF-32", source)
    if data.isascii():
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        where = _position(data, error.start)
        byte = data[error.start]
        raise _refused(f"expected UTF-8, found the byte 0x{byte:02x} at {where}", source) from None


def _position(data: bytes, offset: int) -> str:
    """Returns the line and column, counted from 1 and in characters, of a byte's offset."""
    line_start = data.rfind(b"\n", 0, offset) + 1
    line = data.count(b"\n", 0, offset) + 1
    column = len(data[line_start:offset].decode(errors="replace")) + 1
    return f"line {line}, column {column}"


_STRUCTURAL = b'[]{}:"'
_NOT_STRUCTURAL = bytes(set(range(256)) - set(_STRUCTURAL))
_ONE_KIND_OF_BRACKET = bytes.maketrans(b"{}", b"[]")
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_STRUCTURAL_STRING = re.compile(rb'"[^"]*+"?')


def _structure(data: bytes) -> bytes:
    """Returns the brackets and colons of a JSON text that stand outside its strings.

    Whether a byte is inside a string is the parity of the quotes before it. So two quotes with
    nothing in between can go, whether they are one string or the end and the start of two, and
    few strings are left to be looked at one by one.
    """
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    data = data.translate(None, _NOT_STRUCTURAL).replace(b'""', b"")
    return _STRUCTURAL_STRING.sub(b"", data)


def _is_too_deep(structure: bytes) -> bool:
    """Says whether brackets are nested deeper than MAX_DEPTH, without following them."""
    brackets = structure.translate(_ONE_KIND_OF_BRACKET, b":")
    if b"[" * (MAX_DEPTH + 1) in brackets:
        return True
    for _ in range(MAX_DEPTH):
        if b"[]" not in brackets:
            break
        # Takes the innermost pairs: each round makes the nesting one less deep.
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets or brackets.count(b"[") > MAX_DEPTH


_LONG_INTEGER = re.compile(rb"[0-9]{19,}+(?=\s*+(?:[,\]}]|\Z))")
_STRING_OR_LONG_INTEGER = re.compile(
    _STRING + rb"|(?<![0-9.eE+-])(-?[0-9]{19,}+)(?![.eE])", re.DOTALL
)


def _check_integers(data: bytes, source: str) -> None:
    """Refuses integers beyond 64 bits, which the parser would round."""
    # Strings and signs are looked at only where they could matter.
    if not any(_is_beyond_64_bits(b"-" + digits[0]) for digits in _LONG_INTEGER.finditer(data)):
        return
    offsets = (
        number.start(1)
        for number in _STRING_OR_LONG_INTEGER.finditer(data)
        if number[1] and _is_beyond_64_bits(number[1])
    )
    problems = [
        Problem("$", f"has an integer beyond 64 bits at {_position(data, offset)}")
        for offset in islice(offsets, _MOST_PROBLEMS)
    ]
    if problems:
        raise JobSpecError(problems, source)


def _is_beyond_64_bits(number: bytes) -> bool:
    return len(number) > 20 or not -(2**63) <= int(number) < 2**64


_NOT_A_NUMBER = re.compile(r"[^-NI]?(-?(?:NaN|Infinity))")


def _parse(data: bytes, source: str) -> Any:
    try:
        with _no_garbage_collection():
            return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        if error.pos >= len(error.doc.rstrip()):
            raise _refused(f"ends too early, at {where}: it looks truncated", source) from None
        if literal := _NOT_A_NUMBER.match(error.doc, max(error.pos - 1, 0)):
            message = f"has {literal[1]} at {where}, which JSON does not have: use null or a number"
            raise _refused(message, source) from None
        if "infinity" in error.msg:
            raise _refused(f"has a number beyond 64 bits at {where}", source) from None
        raise _refused(f"is not JSON at {where}: {error.msg}", source) from None


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keeps the collector from walking the growing document again and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _WithDuplicates(dict[str, Any]):
    """An object of the document in which ``keys_twice`` are there more than once."""

    keys_twice: tuple[str, ...] = ()


def _duplicate_keys(data: bytes) -> list[Problem]:
    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = _WithDuplicates(pairs)
        if len(value) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            value.keys_twice = tuple(key for key, count in counts.items() if count > 1)
        return value

    problems = _walk(json.loads(data, object_pairs_hook=build), ())
    return list(islice(problems, _MOST_PROBLEMS))


def _walk(value: Any, place: tuple[str | int, ...]) -> Iterator[Problem]:
    if isinstance(value, _WithDuplicates):
        for key in value.keys_twice:
            yield Problem(json_path(place), f"has the key {quoted(key)} more than once")
        for key, item in value.items():
            yield from _walk(item, (*place, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _walk(item, (*place, at))
