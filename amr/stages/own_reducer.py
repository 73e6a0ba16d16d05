"""Reducers of our own as a job without a shuffle calls them: once, or in a tree."""

from __future__ import annotations

from typing import Any

from amr import wire
from amr.invokers.context import Context
from amr.reducers import builtin_combiner, builtin_merger, builtin_reducer


class OwnReducer:
    """Reduces the ``inputs`` of the body, such as ``amr.sum``.

    In a tree the body has ``partials`` as well, which come before them. A partial result is what
    the combiner of that name gives: of ``amr.mean`` the sum and how many there were.

    Args:
        name: of the reducer.
    """

    concurrent = False
    limit: int | None = None
    timeout_s: float | None = None

    def __init__(self, name: str) -> None:
        self.name = name

    def prepare(self) -> None:
        """Is ready as it is."""

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Reduces the outputs in the body."""
        given = wire.loads(body)
        partials: list[Any] = given.get("partials", [])
        values: list[Any] = given["inputs"]
        if context.stage != "merge" and not partials:
            return wire.dumps(builtin_reducer(self.name)(None, values))
        if values:
            partials.append(builtin_combiner(self.name)(None, values))
        if context.stage == "merge":
            return wire.dumps(builtin_merger(self.name)(None, partials))
        return wire.dumps(builtin_reducer(self.name, combiner=self.name)(None, partials))

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Does the same."""
        return self.invoke(body, context)
