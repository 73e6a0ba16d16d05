"""What a map task of a shuffled job comes to: its runs in parts, and a table of the parts."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from amr.shuffle.collect import Run, Samples
from amr.shuffle.keys import Key
from amr.shuffle.runs import hashable

#: Bytes of blocks that make one part.
PART_BYTES = 64 * 1024

#: What no JSON begins with.
_MARK = b"\x02"
_LENGTHS = struct.Struct("<HI")


class Part(NamedTuple):
    """A part of a run, which is read at once.

    Attributes:
        key: the first one in it.
        at: the byte of the file where it begins; of what is in Redis, its number.
        length: its bytes.
    """

    key: Key
    at: int
    length: int


@dataclass
class Table:
    """Where the runs of one map task are.

    Attributes:
        runs: for each partition the runs, in order, each a list of parts.
        file: where the parts are; in Redis if None.
        samples: some of the keys, where the partitions are ranges of keys.
    """

    runs: list[list[list[Part]]] = field(default_factory=list)
    file: str | None = None
    samples: Samples = field(default_factory=list)

    def dump(self) -> bytes:
        """Returns the table as JSON."""
        rows = [[list(map(tuple, parts)) for parts in runs] for runs in self.runs]
        document: dict[str, Any] = {"runs": rows}
        if self.file is not None:
            document["file"] = self.file
        if self.samples:
            document["samples"] = self.samples
        return orjson.dumps(document)

    @classmethod
    def load(cls, data: bytes) -> Table:
        """Returns the table that ``dump`` wrote."""
        document = orjson.loads(data)
        runs = [
            [[Part(hashable(part[0]), part[1], part[2]) for part in run] for run in runs]
            for runs in document["runs"]
        ]
        samples = [
            (weight, [hashable(key) for key in keys])
            for weight, keys in document.get("samples", ())
        ]
        return cls(runs, document.get("file"), samples)


class Mapped(NamedTuple):
    """The output of a map task: its table as JSON, and by name the parts that Redis keeps."""

    table: bytes
    parts: list[tuple[str, bytes]]


def lay_out(partitions: Sequence[Sequence[Run]], samples: Samples) -> tuple[Table, list[bytes]]:
    """Returns the table of runs as a file has them, one part behind the other, and the parts."""
    table = Table(samples=samples)
    written: list[bytes] = []
    at = 0
    for runs in partitions:
        table.runs.append([])
        for run in runs:
            parts = []
            for key, data in _join_blocks(run):
                parts.append(Part(key, at, len(data)))
                written.append(data)
                at += len(data)
            table.runs[-1].append(parts)
    return table, written


def name_parts(index: int, table: Table, written: Sequence[bytes]) -> Mapped:
    """Gives names to the parts of map task ``index``, so that Redis keeps them."""
    named: list[tuple[str, bytes]] = []
    rest = iter(written)
    for partition, runs in enumerate(table.runs):
        number = 0
        for parts in runs:
            for position, part in enumerate(parts):
                named.append((part_name(partition, index, number), next(rest)))
                parts[position] = part._replace(at=number)
                number += 1
    return Mapped(table.dump(), named)


def part_name(partition: int, index: int, number: int) -> str:
    """Returns the name of a part of a map task's runs."""
    return f"{partition}:{index}:{number}"


def pack(mapped: Mapped) -> bytes:
    """Returns all of it as one output, for the way to the store."""
    packed = [_MARK, _LENGTHS.pack(0, len(mapped.table)), mapped.table]
    for name, data in mapped.parts:
        packed += (_LENGTHS.pack(len(name), len(data)), name.encode(), data)
    return b"".join(packed)


def unpack(output: bytes) -> Mapped:
    """Returns what was packed; of any other output the output, and no parts."""
    if output[:1] != _MARK:
        return Mapped(output, [])
    (_, table), *parts = _unpack(output)
    return Mapped(table, parts)


def _unpack(output: bytes) -> Iterator[tuple[str, bytes]]:
    at = len(_MARK)
    while at < len(output):
        name, length = _LENGTHS.unpack_from(output, at)
        at += _LENGTHS.size
        yield output[at : at + name].decode(), output[at + name : at + name + length]
        at += name + length


def _join_blocks(run: Run) -> Iterator[tuple[Key, bytes]]:
    """Yields the first key and the bytes of blocks that make one part."""
    first: Key = None
    held: list[bytes] = []
    size = 0
    for key, block in run:
        if held and size + len(block) > PART_BYTES:
            yield first, b"".join(held)
            held, size = [], 0
        if not held:
            first = key
        held.append(block)
        size += len(block)
    if held:
        yield first, b"".join(held)
