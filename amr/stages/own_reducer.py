"""Reducers of our own as a job without a shuffle calls them: once, with all outputs."""

from __future__ import annotations

from amr import wire
from amr.invokers.context import Context
from amr.reducers import builtin_reducer


class OwnReducer:
    """Reduces the ``inputs`` of the body, such as ``amr.sum``.

    Args:
        name: of the reducer.
    """

    concurrent = False
    limit: int | None = None
    timeout_s: float | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self._reduce = builtin_reducer(name)

    def prepare(self) -> None:
        """Is ready as it is."""

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Reduces the outputs in the body."""
        return wire.dumps(self._reduce(None, wire.loads(body)["inputs"]))

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Does the same."""
        return self.invoke(body, context)
