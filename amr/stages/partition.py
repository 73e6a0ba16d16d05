"""Reads the runs of one partition from the store, and merges them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from amr.job import JobSpec
from amr.shuffle.folds import Fold
from amr.shuffle.keys import Key, order_of
from amr.shuffle.mapped import PART_BYTES, Part, Table, part_name
from amr.shuffle.merge import merge_in_memory, merge_streams
from amr.shuffle.ranges import KeyRange, key_range
from amr.shuffle.runs import Group, read_blocks, read_pairs
from amr.stages.reduce_input import MissingOutputError
from amr.storage.files import open_file
from amr.store.inspect import Inspector

#: Bytes of JSON in runs that are merged in memory; larger ones as streams.
IN_MEMORY_BYTES = 32 * 1024 * 1024

#: Parts that are read from Redis at once: about 4 MB.
_PARTS_AT_ONCE = 4 * 1024 * 1024 // PART_BYTES


class _StoredRun(NamedTuple):
    """A run: the map task whose it is, the file that has it or None, and its parts."""

    task: int
    file: str | None
    parts: Sequence[Part]


class PartitionGroups:
    """The groups of one partition.

    Args:
        inspector: reads the store.
        spec: the job.
        job: job id.
        partition: which one.
    """

    def __init__(self, inspector: Inspector, spec: JobSpec, job: str, partition: int) -> None:
        self._inspector = inspector
        self._spec = spec
        self._job = job
        self._partition = partition

    def merged(self) -> Iterator[tuple[Key, Iterator[Any]]]:
        """Yields each key of the partition, in order, with its values.

        Raises:
            MissingOutputError: somebody else deleted a run.
        """
        runs, keys = self._found
        if _json_bytes(runs) <= IN_MEMORY_BYTES:
            return merge_in_memory([self._groups(run, keys) for run in runs])
        at_once = max(1, _PARTS_AT_ONCE // len(runs))  # parts of all runs are held at a time
        return merge_streams([self._groups(run, keys, at_once) for run in runs])

    def folded(self, fold: Fold) -> Iterator[tuple[Key, Any]] | None:
        """Yields each key of the partition, in order, with what ``fold`` makes of its values.

        Returns None where the partition is too large for that, or is a range of keys.

        Raises:
            MissingOutputError: somebody else deleted a run.
        """
        runs, keys = self._found
        if keys is not None or _json_bytes(runs) > IN_MEMORY_BYTES:
            return None
        found: dict[Key, Any] = {}
        for run in runs:
            for data in self._read(run):
                fold(found, read_pairs(data), sys.maxsize)
        return ((key, found[key]) for key in sorted(found, key=order_of(found)))

    @cached_property
    def _found(self) -> tuple[list[_StoredRun], KeyRange | None]:
        """The runs that have keys of the partition, and which keys these are."""
        status = self._inspector.status(self._job)
        outputs = self._inspector.outputs(self._job, status.total if status else 0)
        # A task without an output is a dead letter.
        tables = [(index, Table.load(output)) for index, output in outputs if output is not None]
        assert self._spec.shuffle is not None
        if not self._spec.shuffle.is_range:
            return [
                _StoredRun(index, table.file, parts)
                for index, table in tables
                for parts in table.runs[self._partition]
            ], None
        samples = (table.samples for _, table in tables)
        keys = key_range(samples, self._spec.shuffle.partitions, self._partition)
        return [
            _StoredRun(index, table.file, keys.parts(parts))
            for index, table in tables
            for parts in table.runs[0]
        ], keys

    def _groups(
        self, run: _StoredRun, keys: KeyRange | None, at_once: int = _PARTS_AT_ONCE
    ) -> Iterator[Group]:
        groups = (group for data in self._read(run, at_once) for group in read_blocks(data))
        return groups if keys is None else keys.groups(groups)

    def _read(self, run: _StoredRun, at_once: int = _PARTS_AT_ONCE) -> Iterator[bytes]:
        """Yields the parts of a run; Redis is asked for ``at_once`` of them."""
        if run.file is not None:
            for part in run.parts:
                with open_file(run.file, part.at) as file:
                    yield file.read(part.length)
            return
        assert self._spec.shuffle is not None
        partition = 0 if self._spec.shuffle.is_range else self._partition
        names = [part_name(partition, run.task, part.at) for part in run.parts]
        for start in range(0, len(names), at_once):
            some = names[start : start + at_once]
            for name, data in zip(some, self._inspector.runs(self._job, some), strict=True):
                if data is None:
                    raise MissingOutputError(f"the run {name} is gone from Redis")
                yield data


def _json_bytes(runs: Sequence[_StoredRun]) -> int:
    """Returns the bytes of JSON in runs: packed they may be a thousandth of what they hold."""
    return sum(part.json_bytes for run in runs for part in run.parts)
