"""Runs: keys in order, each with its values, in blocks that are read one at a time.

A block is a header (how it is packed, its length) and two JSON lists: keys, and what belongs to
each. That is one value in a block of combined pairs, else a list of values; a key of very many
values has several blocks.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import orjson

from amr import wire
from amr.shuffle.keys import Key

#: A key and some of its values.
Group = tuple[Key, list[Any]]

#: Values of one block, so that it is some hundred kilobytes at the most for small ones.
_VALUES_MOST = 4096

_HEADER = struct.Struct("<BI")
_PACKED, _COMBINED = 1, 2
_PACK_FROM_BYTES = 512


def write_combined(keys: Sequence[Key], values: Sequence[Any]) -> Iterator[tuple[Key, bytes]]:
    """Yields the first key and the bytes of each block of keys that have one value each.

    Raises:
        NotJsonError: a value is none of JSON.
    """
    for start in range(0, len(keys), _VALUES_MOST):
        end = start + _VALUES_MOST
        yield keys[start], _write(_COMBINED, keys[start:end], values[start:end])


def write_groups(keys: Sequence[Key], values: Sequence[list[Any]]) -> Iterator[tuple[Key, bytes]]:
    """Yields the same of keys that have a list of values each.

    Raises:
        NotJsonError: a value is none of JSON.
    """
    start = held = 0
    for at, more in enumerate(values):
        held += len(more)
        if held <= _VALUES_MOST:
            continue
        if at > start:
            yield keys[start], _write(0, keys[start:at], values[start:at])
        start, held = at, len(more)
        if held > _VALUES_MOST:
            for first in range(0, held, _VALUES_MOST):
                part = more[first : first + _VALUES_MOST]
                yield keys[at], _write(0, [keys[at]], [part])
            start, held = at + 1, 0
    if start < len(keys):
        yield keys[start], _write(0, keys[start:], values[start:])


def read_blocks(data: bytes) -> Iterator[Group]:
    """Yields the groups of blocks that follow each other; lists among the keys are tuples."""
    for is_combined, keys, values in _blocks(data):
        yield from zip(keys, [[value] for value in values] if is_combined else values, strict=True)


def read_pairs(data: bytes) -> Iterator[tuple[Key, Any]]:
    """Yields each value of blocks that follow each other, with its key."""
    for is_combined, keys, values in _blocks(data):
        if is_combined:
            yield from zip(keys, values, strict=True)
        else:
            for key, more in zip(keys, values, strict=True):
                yield from zip(repeat(key), more, strict=False)


def _blocks(data: bytes) -> Iterator[tuple[bool, list[Key], list[Any]]]:
    """Yields blocks: whether they are of combined pairs, the keys, and what belongs to them."""
    at = 0
    while at < len(data):
        kind, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        body = data[at : at + length]
        at += length
        keys, values = orjson.loads(zlib.decompress(body) if kind & _PACKED else body)
        if list in set(map(type, keys)):
            keys = [hashable(key) for key in keys]
        yield bool(kind & _COMBINED), keys, values


def hashable(key: Any) -> Key:
    """Returns a key that was read as JSON: a list becomes a tuple."""
    return tuple(hashable(each) for each in key) if isinstance(key, list) else key


def _write(kind: int, keys: Sequence[Key], values: Sequence[Any]) -> bytes:
    body = wire.dumps((keys, values))
    if len(body) >= _PACK_FROM_BYTES:
        packed = zlib.compress(body, 1)
        if len(packed) < len(body):
            return _HEADER.pack(kind | _PACKED, len(packed)) + packed
    return _HEADER.pack(kind, len(body)) + body
