"""Map tasks of a shuffled job: the mapper's pairs become sorted runs, one or more a partition."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from amr import wire
from amr.invokers import capture
from amr.invokers.base import Function, Invoker
from amr.invokers.context import Context
from amr.invokers.failures import note_call
from amr.invokers.registry import Registry
from amr.jobspec.job import JobSpec
from amr.reducers import Reduce, builtin_combiner, is_builtin
from amr.shuffle import collect, folds
from amr.shuffle.collect import Collector, PairError
from amr.shuffle.folds import Fold, find_fold
from amr.shuffle.keys import Key, as_key
from amr.shuffle.mapped import Mapped, lay_out, name_parts, pack
from amr.stages.bad_records import RecordByRecord, SkippedOf
from amr.stages.keyed import keyed_function
from amr.stages.mapper import find_mapper, plain_mapper, records_of
from amr.stages.partitioner import choose_partitions
from amr.stages.wrapper import Wrapper
from amr.storage.files import join_path
from amr.storage.publish import publish

#: A map task's runs from so many bytes on go to the store, where there is one.
_STORED_FROM_BYTES = 256 * 1024


def make_map_invoker(
    spec: JobSpec,
    folder: str,
    registry: Registry,
    skipped_of: SkippedOf,
    store: str | None,
) -> Invoker:
    """Returns what the map tasks of a job are called with.

    Args:
        spec: the job.
        folder: of the job's files in a store.
        registry: has its functions.
        skipped_of: tells which records of a task were given up.
        store: for large runs, where the job names none.

    Raises:
        PermanentError: a function is not known here.
    """
    if spec.shuffle is None:
        return plain_mapper(spec, registry, skipped_of)
    mapper = find_mapper(spec, registry)
    records = None
    if spec.skip_bad_records is not None:
        records = RecordByRecord(spec, mapper, skipped_of)
    return ShuffleMapper(mapper, spec, folder, registry, store, records)


class ShuffleMapper(Wrapper[Function]):
    """Calls the mapper for the task's records, and combines, sorts and cuts its pairs.

    Args:
        inner: the mapper.
        spec: the job, which has a shuffle.
        folder: of its files in a store.
        registry: has the combiner and the partitioner.
        store: for large runs, where the job names none.
        records: goes on after bad records; None where they fail the task.
    """

    def __init__(
        self,
        inner: Function,
        spec: JobSpec,
        folder: str,
        registry: Registry,
        store: str | None,
        records: RecordByRecord | None,
    ) -> None:
        super().__init__(inner)
        self._records = records
        assert spec.shuffle is not None
        self._spec = spec
        self._shuffle = shuffle = spec.shuffle
        self._folder = folder
        self._registry = registry
        self._store = shuffle.store or store

    def prepare(self) -> None:
        """Imports the mapper, the combiner and the partitioner."""
        super().prepare()
        self._combiner()
        choose_partitions(self._shuffle, self._registry)

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync mapper for all of the task's records; its pairs are taken as they come."""
        collector = self._collector()
        if self._records is not None:
            collector.add(chain.from_iterable(self._records.map(body, context, _checked_pairs)))
            return self._pack(collector, context)
        records = records_of(self._spec, body)
        call = self.inner.bound(context)
        with self._explained(context):
            token = capture.current.set(context)
            try:
                collector.add(chain.from_iterable(map(call, _numbered(records, context))))
                return self._pack(collector, context)
            finally:
                capture.current.reset(token)
                capture.flush(context)

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async or HTTP mapper for each of the task's records in turn."""
        collector = self._collector()
        if self._records is not None:
            pairs = await self._records.map_async(body, context, _checked_pairs)
            collector.add(chain.from_iterable(pairs))
            return self._pack(collector, context)
        with self._explained(context):
            for record in _numbered(records_of(self._spec, body), context):
                collector.add(await self.inner.call_async(record, context))
            return self._pack(collector, context)

    @contextmanager
    def _explained(self, context: Context) -> Iterator[None]:
        """Says which record an error came of, and what a mapper has to give that gave no pairs."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, (TypeError, ValueError)) and _is_of_pairs(error):
                told = f"{self.name} must return or yield pairs [key, value]: {error}"
                raise PairError(told) from None
            note_call(error, where=f"record {context.record}")
            raise

    def _collector(self) -> Collector:
        shuffle = self._shuffle
        fold, combine = self._combiner()
        return Collector(
            1 if shuffle.is_range else shuffle.partitions,
            choose_partitions(shuffle, self._registry),
            fold=fold,
            combine=combine,
        )

    def _pack(self, collector: Collector, context: Context) -> bytes:
        runs = collector.runs()
        table, parts = lay_out(runs, collector.samples if self._shuffle.is_range else [])
        store = self._store
        if store is not None and sum(map(len, parts)) >= _STORED_FROM_BYTES:
            name = f"{context.index:06}-{secrets.token_hex(6)}.runs"
            table.file = join_path(store, f"{self._folder}/{name}")
            publish(table.file, parts, create_only=True)
            return pack(Mapped(table.dump(), []))
        return pack(name_parts(context.index, table, parts))

    def _combiner(self) -> tuple[Fold | None, Reduce | None]:
        name = self._shuffle.combiner
        if name is None:
            return None, None
        if is_builtin(name):
            fold = find_fold(name)
            return fold, None if fold else builtin_combiner(name)
        return None, keyed_function(self._registry, name, "values")


def _checked_pairs(output: Any) -> list[tuple[Key, Any]]:
    """Returns the pairs of one record: what is wrong with them is found before one counts."""
    pairs = [(as_key(key), value) for key, value in output]
    wire.dumps(pairs)
    return pairs


def _numbered(records: Iterable[Any], context: Context) -> Iterator[Any]:
    """Yields the records, and tells the context which one it is."""
    for context.record, record in enumerate(records):
        yield record


def _is_of_pairs(error: Exception) -> bool:
    """Whether an error comes out of the loops over pairs: something was none."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    where = frames.tb_frame.f_globals.get("__name__") if frames is not None else None
    return where in (collect.__name__, folds.__name__)
