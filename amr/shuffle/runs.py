"""Runs: groups of a key and its values, sorted by key, in blocks that are read one at a time.

A block is a header (how it is packed, its length) and a JSON list of groups ``[key, values]``. A
group of very many values is written as several of the same key.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from amr import wire
from amr.shuffle.keys import Key

Group = tuple[Key, list[Any]]

#: Values and groups of one block, so that it is some hundred kilobytes at the most for small ones.
_VALUES_MOST = 4096

_PLAIN, _ZLIB = 0, 1
_HEADER = struct.Struct("<BI")
_PACK_FROM_BYTES = 512


def write_blocks(groups: Iterable[Group]) -> Iterator[tuple[Key, bytes]]:
    """Yields the first key and the bytes of each block.

    Raises:
        NotJsonError: a value is none of JSON.
    """
    block: list[tuple[Key, list[Any]]] = []
    held = 0
    for key, values in groups:
        for start in range(0, len(values), _VALUES_MOST):
            part = values if len(values) <= _VALUES_MOST else values[start : start + _VALUES_MOST]
            if held and held + len(part) > _VALUES_MOST:
                yield block[0][0], _pack(block)
                block, held = [], 0
            block.append((key, part))
            held += len(part)
    if block:
        yield block[0][0], _pack(block)


def read_blocks(data: bytes) -> Iterator[Group]:
    """Yields the groups of blocks that follow each other; lists among the keys are tuples."""
    at = 0
    while at < len(data):
        kind, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        body = data[at : at + length]
        at += length
        for key, values in orjson.loads(zlib.decompress(body) if kind == _ZLIB else body):
            yield hashable(key), values


def _pack(block: list[tuple[Key, list[Any]]]) -> bytes:
    body = wire.dumps(block)
    if len(body) >= _PACK_FROM_BYTES:
        packed = zlib.compress(body, 1)
        if len(packed) < len(body):
            return _HEADER.pack(_ZLIB, len(packed)) + packed
    return _HEADER.pack(_PLAIN, len(body)) + body


def hashable(key: Any) -> Key:
    """Returns a key that was read as JSON: a list becomes a tuple."""
    return tuple(hashable(each) for each in key) if isinstance(key, list) else key
