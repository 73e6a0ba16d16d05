"""Tasks whose outputs go to the store where they are too large for Redis."""

from __future__ import annotations

import asyncio

from amr.invokers.base import Invoker
from amr.invokers.context import Context
from amr.stages.wrapper import Wrapper
from amr.storage.spilled import spill


class Spilling(Wrapper[Invoker]):
    """Calls what it stands before; a large output becomes a file, and a reference to it.

    Args:
        inner: gives the output.
        most_bytes: of outputs that stay.
        folder: path or URL of the job's folder in the store.
    """

    def __init__(self, inner: Invoker, most_bytes: int, folder: str) -> None:
        super().__init__(inner)
        self._most_bytes = most_bytes
        self._folder = folder

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync function."""
        return self._fitting(self.inner.invoke(body, context), context)

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async function."""
        output = await self.inner.invoke_async(body, context)
        if len(output) <= self._most_bytes:
            return output
        return await asyncio.to_thread(self._fitting, output, context)

    def _fitting(self, output: bytes, context: Context) -> bytes:
        if len(output) <= self._most_bytes:
            return output
        return spill(output, self._folder, f"{context.stage}-{context.index:06}")
