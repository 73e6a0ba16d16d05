"""The mapper of a job as its tasks call it: a function or a chain, for one record or for many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from amr import wire
from amr.errors import PermanentError
from amr.invokers.base import Function, Invoker
from amr.invokers.chain import Chain
from amr.invokers.context import Context
from amr.invokers.failures import note_call
from amr.invokers.registry import Registry
from amr.jobspec.job import JobSpec
from amr.sources.records import RecordReader
from amr.sources.splits import read_split
from amr.stages.bad_records import RecordByRecord, SkippedOf
from amr.stages.wrapper import Wrapper


def find_mapper(spec: JobSpec, registry: Registry) -> Function:
    """Returns the mapper of a job, a function or a chain of them.

    Raises:
        PermanentError: a function is not known here.
    """
    steps = [registry.find(name) for name in spec.mappers]
    return steps[0] if len(steps) == 1 else Chain(steps)


def plain_mapper(spec: JobSpec, registry: Registry, skipped_of: SkippedOf) -> Invoker:
    """Returns what the map tasks of a job without a shuffle are called with.

    Args:
        spec: the job.
        registry: has its functions.
        skipped_of: tells which records of a task were given up.

    Raises:
        PermanentError: a function is not known here.
    """
    mapper = find_mapper(spec, registry)
    if not spec.is_grouped:
        return mapper
    if spec.skip_bad_records is not None:
        return SkippingMapper(mapper, RecordByRecord(spec, mapper, skipped_of))
    return BatchMapper(mapper) if spec.call == "batch" else RecordMapper(mapper)


def read_records(body: bytes) -> Iterator[Any]:
    """Yields the records that the body of a grouped task stands for.

    Raises:
        SourceError: a split cannot be read here.
    """
    value = wire.loads(body)
    yield from (RecordReader(read_split(value)).values() if isinstance(value, dict) else value)


def records_of(spec: JobSpec, body: bytes) -> Iterable[Any]:
    """Returns what the mapper is called with for one map task of the job, in turn.

    Raises:
        SourceError: a split cannot be read here.
    """
    if not spec.is_grouped:
        return [wire.loads(body)]
    records = read_records(body)
    return [list(records)] if spec.call == "batch" else records


class RecordMapper(Wrapper[Function]):
    """Calls the function once for each record; the output is the list of its outputs."""

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync function for each record."""
        outputs = []
        for context.record, record in enumerate(read_records(body)):
            try:
                outputs.append(self.inner.call(record, context))
            except BaseException as error:
                note_call(error, where=f"record {context.record}")
                raise
        return wire.dumps(outputs)

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async function for each record in turn."""
        outputs = []
        for context.record, record in enumerate(read_records(body)):
            try:
                outputs.append(await self.inner.call_async(record, context))
            except BaseException as error:
                note_call(error, where=f"record {context.record}")
                raise
        return wire.dumps(outputs)


class SkippingMapper(Wrapper[Function]):
    """The same, without the records that cannot be mapped."""

    def __init__(self, inner: Function, records: RecordByRecord) -> None:
        super().__init__(inner)
        self._records = records

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync function for each record."""
        return b"[" + b",".join(self._records.map(body, context, wire.dumps)) + b"]"

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async function for each record in turn."""
        return b"[" + b",".join(await self._records.map_async(body, context, wire.dumps)) + b"]"


class BatchMapper(Wrapper[Function]):
    """Calls the function once with the list of the records; it returns a list as long."""

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync function."""
        records = list(read_records(body))
        return self._encode(records, self.inner.call(records, context))

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async function."""
        records = list(read_records(body))
        return self._encode(records, await self.inner.call_async(records, context))

    def _encode(self, records: list[Any], outputs: Any) -> bytes:
        if not isinstance(outputs, (list, tuple)) or len(outputs) != len(records):
            many = f"{len(outputs):,}" if isinstance(outputs, (list, tuple)) else "no list"
            raise PermanentError(
                f"was called with {len(records):,} records, and must return a list of as many "
                f"outputs; it returned {many}"
            )
        return wire.dumps(outputs)
