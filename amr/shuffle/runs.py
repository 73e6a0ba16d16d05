"""Runs: pairs in the order of their keys, in blocks that are read one at a time.

A block is a header (how it is packed, its length) and two JSON lists: keys, each once, and what
belongs to each: one value in a block in which every key has just one, else a list of values. The
pairs of a key may go on in the next block.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import orjson

from amr import wire
from amr.shuffle.keys import Key


class Block(NamedTuple):
    """Keys in order, one or more times each, and as many values."""

    keys: list[Key]
    values: list[Any]


#: Bytes of a block before it is packed: about, and at the most, unless it has a single pair; pairs
#: in it at the most, and in the first of a run.
_BLOCK_BYTES = 32 * 1024
_BYTES_MOST = 256 * 1024
_PAIRS_MOST = 4096
_FIRST_PAIRS = 16

_HEADER = struct.Struct("<BI")
_PACKED, _SINGLE = 1, 2
_PACK_FROM_BYTES = 512


def write_blocks(keys: Sequence[Key], values: Sequence[Any]) -> Iterator[tuple[Key, bytes]]:
    """Yields the first key and the bytes of each block of pairs, which are in order.

    Raises:
        NotJsonError: a value is none of JSON.
    """
    start, most = 0, _FIRST_PAIRS
    while start < len(keys):
        end = min(start + most, len(keys))
        kind, body = _write(keys[start:end], values[start:end])
        # The next block has as many pairs as the bytes of this one allow.
        most = min(_PAIRS_MOST, max(1, (end - start) * _BLOCK_BYTES // len(body)))
        if len(body) <= _BYTES_MOST or end - start == 1:
            yield keys[start], _pack(kind, body)
            start = end


def read_blocks(data: bytes) -> Iterator[Block]:
    """Yields blocks that follow each other; lists among the keys are tuples."""
    at = 0
    while at < len(data):
        kind, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        body = data[at : at + length]
        at += length
        keys, values = orjson.loads(zlib.decompress(body) if kind & _PACKED else body)
        if list in set(map(type, keys)):
            keys = [hashable(key) for key in keys]
        if not kind & _SINGLE:
            keys = [key for key, more in zip(keys, values, strict=True) for _ in more]
            values = list(chain.from_iterable(values))
        yield Block(keys, values)


def hashable(key: Any) -> Key:
    """Returns a key that was read as JSON: a list becomes a tuple."""
    return tuple(hashable(each) for each in key) if isinstance(key, list) else key


def _write(keys: Sequence[Key], values: Sequence[Any]) -> tuple[int, bytes]:
    """Returns the kind of a block, and its JSON."""
    if len(set(keys)) == len(keys):
        return _SINGLE, wire.dumps((keys, values))
    groups: dict[Key, list[Any]] = {}
    for key, value in zip(keys, values, strict=True):
        groups.setdefault(key, []).append(value)
    return 0, wire.dumps((list(groups), list(groups.values())))


def _pack(kind: int, body: bytes) -> bytes:
    if len(body) >= _PACK_FROM_BYTES:
        packed = zlib.compress(body, 1)
        if len(packed) < len(body):
            return _HEADER.pack(kind | _PACKED, len(packed)) + packed
    return _HEADER.pack(kind, len(body)) + body
