"""The source task of a job: gathers what a function makes, or what another job has given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from amr import wire
from amr.errors import JobSpecError, PermanentError, RetryLater, UsageError
from amr.inputs import make_chunks, pack_items
from amr.invokers.base import Function
from amr.invokers.context import Context
from amr.jobspec.job import JobSpec
from amr.jobspec.sources import FunctionSource
from amr.stages.reading import reading_redis
from amr.stages.wrapper import Wrapper
from amr.states import LIVE_STATES
from amr.store.inspect import Inspector
from amr.store.replies import Code
from amr.store.results import iter_results
from amr.task import Task

#: Keeps items of an attempt, from a position on; answers OK, or that the attempt is not current.
Gather = Callable[[Task, int, list[bytes]], Code]


class StaleAttemptError(PermanentError):
    """Another attempt of the source task has begun."""


class Follower:
    """Gathers what another job has given, once it has ended.

    Args:
        spec: the job that gets it.
        other: the other job.
        inspector: reads it.
        gather: keeps the items.
    """

    concurrent = False
    limit: int | None = None
    timeout_s: float | None = None

    def __init__(self, spec: JobSpec, other: str, inspector: Inspector, gather: Gather) -> None:
        self.name = f"outputs of job {other}"
        self._spec = spec
        self._other = other
        self._inspector = inspector
        self._gather = gather

    def prepare(self) -> None:
        """Is ready as it is."""

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Gathers the items."""
        try:
            with reading_redis():
                if self._inspector.state(self._other) in LIVE_STATES:
                    raise RetryLater(1.0)
                items = iter_results(self._inspector, self._other)
                return gather_items(self._spec, items, self._gather, context)
        except UsageError as error:
            raise PermanentError(str(error)) from None

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Does the same."""
        return self.invoke(body, context)


class SourceCaller(Wrapper[Function]):
    """Calls the function; the output is the number of bodies that were gathered.

    Args:
        spec: the job.
        source: names the function, and has its body.
        function: the function.
        gather: keeps the items.
    """

    def __init__(
        self, spec: JobSpec, source: FunctionSource, function: Function, gather: Gather
    ) -> None:
        super().__init__(function)
        self._spec = spec
        self._body = source.body
        self._gather = gather

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync function."""
        return self._take(self.inner.call(self._body, context), context)

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async function or an HTTP call."""
        items = await self.inner.call_async(self._body, context)
        return await asyncio.to_thread(self._take, items, context)

    def _take(self, items: Any, context: Context) -> bytes:
        if isinstance(items, (str, bytes, dict)) or not isinstance(items, Iterable):
            kind = type(items).__name__
            raise PermanentError(f"must return or yield the inputs, one by one; returned a {kind}")
        return gather_items(self._spec, items, self._gather, context)


def gather_items(spec: JobSpec, items: Iterable[Any], gather: Gather, context: Context) -> bytes:
    """Keeps the items of an attempt as bodies of the job; returns how many those are, as JSON.

    Raises:
        PermanentError: an item is no input, or another attempt has begun.
    """
    count = 0
    try:
        for chunk in make_chunks(pack_items(spec, items), lambda: wire.MAX_BODY_BYTES):
            with reading_redis():
                code = gather(context.task, count, chunk)
            if code is not Code.OK:
                raise StaleAttemptError("another attempt makes the inputs")
            count += len(chunk)
    except JobSpecError as error:
        raise PermanentError(str(error.problems[0])) from None
    return wire.dumps(count)
