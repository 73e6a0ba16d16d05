"""Runs: keys in order, each with its values, in blocks that are read one at a time.

A block is a header (how it is packed, its length, that of its JSON) and two JSON lists: keys, and
what belongs to each. That is one value in a block of combined pairs, else a list of values; a key
of many or large values has several blocks.
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

#: Values of one block, and bytes of its JSON unless it is a single value: whoever merges runs
#: holds a block of each.
_VALUES_MOST = 4096
_JSON_MOST_BYTES = 256 * 1024

_HEADER = struct.Struct("<BII")
_PACKED, _COMBINED = 1, 2
_PACK_FROM_BYTES = 512


def write_combined(keys: Sequence[Key], values: Sequence[Any]) -> Iterator[tuple[Key, bytes]]:
    """Yields the first key and the bytes of each block of keys that have one value each.

    Raises:
        NotJsonError: a value is none of JSON.
    """
    for start in range(0, len(keys), _VALUES_MOST):
        end = start + _VALUES_MOST
        yield from _write(_COMBINED, keys[start:end], values[start:end])


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
            yield from _write(0, keys[start:at], values[start:at])
        start, held = at, len(more)
        if held > _VALUES_MOST:
            for first in range(0, held, _VALUES_MOST):
                part = more[first : first + _VALUES_MOST]
                yield from _write(0, [keys[at]], [part])
            start, held = at + 1, 0
    if start < len(keys):
        yield from _write(0, keys[start:], values[start:])


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


def json_bytes(block: bytes) -> int:
    """Returns the bytes of a block's JSON, which are more than its own where it is packed."""
    length: int = _HEADER.unpack_from(block)[2]
    return length


def _blocks(data: bytes) -> Iterator[tuple[bool, list[Key], list[Any]]]:
    """Yields blocks: whether they are of combined pairs, the keys, and what belongs to them."""
    at = 0
    while at < len(data):
        kind, length, _ = _HEADER.unpack_from(data, at)
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


def _write(kind: int, keys: Sequence[Key], values: Sequence[Any]) -> Iterator[tuple[Key, bytes]]:
    """Yields the block of some keys, or several where they have too much for one."""
    body = wire.dumps((keys, values))
    length = len(body)
    if length <= _JSON_MOST_BYTES:
        yield keys[0], _pack(kind, body)
    elif len(keys) > 1:
        for part in _cut(len(keys), length):
            yield from _write(kind, keys[part], values[part])
    elif not kind & _COMBINED and len(values[0]) > 1:
        for part in _cut(len(values[0]), length):
            yield from _write(kind, keys, [values[0][part]])
    else:
        yield keys[0], _pack(kind, body)


def _cut(count: int, length: int) -> Iterator[slice]:
    """Yields slices of ``count`` things of ``length`` bytes, each about right for a block."""
    step = max(1, count * _JSON_MOST_BYTES // length)
    for start in range(0, count, step):
        yield slice(start, start + step)


def _pack(kind: int, body: bytes) -> bytes:
    length = len(body)
    if length >= _PACK_FROM_BYTES:
        packed = zlib.compress(body, 1)
        if len(packed) < length:
            return _HEADER.pack(kind | _PACKED, len(packed), length) + packed
    return _HEADER.pack(kind, length, length) + body
