"""Reads the runs of one partition from the store, and merges them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from amr.jobspec.job import JobSpec
from amr.shuffle.folds import Fold
from amr.shuffle.keys import Key
from amr.shuffle.mapped import Part, Table, part_name
from amr.shuffle.merge import merge, merge_folded
from amr.shuffle.ranges import KeyRange, key_range
from amr.shuffle.runs import Block, read_blocks
from amr.stages.reading import reading_redis
from amr.stages.reduce_input import MissingOutputError
from amr.storage.files import open_file
from amr.store.inspect import Inspector


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
        return merge(self._runs())

    def folded(self, fold: Fold) -> Iterator[tuple[Key, Any]]:
        """Yields each key of the partition, in order, with what ``fold`` makes of its values.

        Raises:
            MissingOutputError: somebody else deleted a run.
        """
        return merge_folded(self._runs(), fold)

    def _runs(self) -> list[Iterator[Block]]:
        with reading_redis():
            runs, keys = self._find()
        return [self._blocks(run, keys) for run in runs]

    def _find(self) -> tuple[list[_StoredRun], KeyRange | None]:
        """Returns the runs that have keys of the partition, and which keys these are."""
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

    def _blocks(self, run: _StoredRun, keys: KeyRange | None) -> Iterator[Block]:
        blocks = (block for part in run.parts for block in read_blocks(self._read(run, part)))
        return blocks if keys is None else keys.cut(blocks)

    def _read(self, run: _StoredRun, part: Part) -> bytes:
        if run.file is not None:
            with open_file(run.file, part.at) as file:
                return file.read(part.length)
        assert self._spec.shuffle is not None
        partition = 0 if self._spec.shuffle.is_range else self._partition
        name = part_name(partition, run.task, part.at)
        with reading_redis():
            (data,) = self._inspector.runs(self._job, [name])
        if data is None:
            raise MissingOutputError(f"the run {name} is gone from Redis")
        return data
