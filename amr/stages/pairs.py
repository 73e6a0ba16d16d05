"""The pairs of one map task as they are, for people who look at a shuffled job."""

from __future__ import annotations

from amr import wire
from amr.invokers.base import Function
from amr.invokers.context import Context
from amr.invokers.registry import Registry
from amr.jobspec.job import JobSpec
from amr.stages.mapper import find_mapper, records_of
from amr.stages.wrapper import Wrapper


class PairsMapper(Wrapper[Function]):
    """Calls the mapper of a shuffled job; the output is the list of its pairs, neither combined nor
    sorted.

    Args:
        spec: the job.
        registry: has its mapper.
    """

    def __init__(self, spec: JobSpec, registry: Registry) -> None:
        super().__init__(find_mapper(spec, registry))
        self._spec = spec

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync mapper for each record."""
        records = records_of(self._spec, body)
        return wire.dumps([pair for each in records for pair in self.inner.call(each, context)])

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async mapper for each record."""
        pairs = []
        for record in records_of(self._spec, body):
            pairs += await self.inner.call_async(record, context)
        return wire.dumps(pairs)
