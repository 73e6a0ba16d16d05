"""Tasks whose output is written as a file: a plain reducer, or mappers without a reducer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from amr import wire
from amr.invokers.base import Invoker
from amr.invokers.context import Context
from amr.job import JobSpec
from amr.stages.part_file import write_part


class Written:
    """Calls what it stands before, and writes the elements of its output, if it is a list, or it.

    Args:
        inner: gives the output.
        spec: the job, which has an ``output``.
    """

    def __init__(self, inner: Invoker, spec: JobSpec) -> None:
        self._inner = inner
        self._spec = spec
        self.name = inner.name
        self.concurrent = inner.concurrent
        self.limit = inner.limit
        self.timeout_s = inner.timeout_s

    def prepare(self) -> None:
        """Imports the function."""
        self._inner.prepare()
        self.concurrent = self._inner.concurrent

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync function, and writes what it returns."""
        return write_part(self._spec, _elements(self._inner.invoke(body, context)), context)

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async function, and writes what it returns."""
        outputs = _elements(await self._inner.invoke_async(body, context))
        return await asyncio.to_thread(write_part, self._spec, outputs, context)


def _elements(output: bytes) -> Iterable[bytes]:
    value = wire.loads(output)
    return map(wire.dumps, value) if isinstance(value, list) else [output]
