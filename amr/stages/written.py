"""Tasks whose output is written as a file: a plain reducer, or mappers without a reducer."""

from __future__ import annotations

import asyncio

from amr import wire
from amr.invokers.base import Invoker
from amr.invokers.context import Context
from amr.jobspec.job import JobSpec
from amr.stages.part_file import write_part
from amr.stages.wrapper import Wrapper


class Written(Wrapper[Invoker]):
    """Calls what it stands before, and writes the elements of its output, if it is a list, or it.

    Args:
        inner: gives the output.
        spec: the job, which has an ``output``.
    """

    def __init__(self, inner: Invoker, spec: JobSpec) -> None:
        super().__init__(inner)
        self._spec = spec

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync function, and writes what it returns."""
        return self._write(self.inner.invoke(body, context), context)

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async function, and writes what it returns."""
        output = await self.inner.invoke_async(body, context)
        return await asyncio.to_thread(self._write, output, context)

    def _write(self, output: bytes, context: Context) -> bytes:
        value = wire.loads(output)
        if isinstance(value, list):
            return write_part(self._spec, map(wire.dumps, value), context)
        return write_part(self._spec, [output], context, single=True)
