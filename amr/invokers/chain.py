"""Several functions as one: each is called with what the one before returned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import GeneratorType
from typing import Any

from amr.invokers.base import Function
from amr.invokers.context import Context
from amr.invokers.failures import note_call
from amr.wire import dumps, loads


class Chain:
    """Calls functions in turn; an error names the one that it came from.

    Args:
        steps: the functions, at least one.
    """

    def __init__(self, steps: Sequence[Function]) -> None:
        self._steps = tuple(steps)
        self.name = " > ".join(step.name for step in steps)
        self.concurrent = False
        limits = [step.limit for step in steps if step.limit is not None]
        self.limit: int | None = min(limits, default=None)
        timeouts = [step.timeout_s for step in steps if step.timeout_s is not None]
        self.timeout_s: float | None = sum(timeouts) if len(timeouts) == len(steps) else None

    def prepare(self) -> None:
        """Imports every function of the chain."""
        for step in self._steps:
            step.prepare()
        self.concurrent = any(step.concurrent for step in self._steps)

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls sync functions in turn."""
        return dumps(self.call(loads(body), context))

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Calls functions in turn, of which one at least is async."""
        return dumps(await self.call_async(loads(body), context))

    def bound(self, context: Context) -> Callable[[Any], Any]:
        """Returns what calls sync functions in turn with a value."""
        return lambda value: self.call(value, context)

    def call(self, value: Any, context: Context) -> Any:
        """Calls sync functions in turn with a value."""
        for step in self._steps:
            try:
                value = _whole(step.call(value, context))
            except BaseException as error:
                note_call(error, function=step.name)
                raise
        return value

    async def call_async(self, value: Any, context: Context) -> Any:
        """The same, of which one at least is async; sync ones run on a thread meanwhile."""
        for step in self._steps:
            try:
                if step.concurrent:
                    value = await step.call_async(value, context)
                else:
                    value = _whole(await asyncio.to_thread(step.call, value, context))
            except BaseException as error:
                note_call(error, function=step.name)
                raise
        return value


def _whole(value: Any) -> Any:
    """Returns the list of what a generator yields, and anything else as it is."""
    return list(value) if isinstance(value, GeneratorType) else value
