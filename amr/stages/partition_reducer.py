"""Reduce tasks of a shuffled job: the groups of one partition, key by key, through the reducer."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from amr import wire
from amr.errors import PermanentError
from amr.invokers import capture
from amr.invokers.context import Context
from amr.invokers.failures import note_call
from amr.invokers.local import LocalInvoker
from amr.invokers.registry import Registry
from amr.jobspec.job import JobSpec
from amr.reducers import Reduce, builtin_reducer, is_builtin
from amr.shuffle.folds import find_last_fold
from amr.shuffle.keys import Key, as_given
from amr.stages.keyed import check_reducer, keyed_reducer, outputs_of
from amr.stages.part_file import write_part
from amr.stages.partition import PartitionGroups
from amr.store.inspect import Inspector
from amr.wording import found

Groups = Iterator[tuple[Key, Iterator[Any]]]

#: Groups and values that one request to an HTTP reducer holds.
_GROUPS_AT_ONCE = 1000
_VALUES_AT_ONCE = 20_000


class PartitionReducer:
    """Reads one partition's runs, merges them and calls the reducer once for each key.

    The output is the list of ``[key, value]`` of a reducer that returns, and of what it yields of
    one that yields.

    Args:
        spec: the job.
        reduce: the job's ``reduce``.
        registry: has the reducer.
        inspector: reads the runs.
    """

    def __init__(
        self, spec: JobSpec, reduce: dict[str, Any], registry: Registry, inspector: Inspector
    ) -> None:
        assert spec.reducer is not None
        assert spec.shuffle is not None
        self.name = spec.reducer
        self._spec = spec
        self._reduce = reduce
        self._registry = registry
        self._inspector = inspector
        self._inner = None if is_builtin(self.name) else registry.find(self.name)
        self.concurrent = self._inner is not None and self._inner.concurrent
        self.limit = self._inner.limit if self._inner is not None else None
        self.timeout_s: float | None = None

    def prepare(self) -> None:
        """Imports the reducer."""
        if isinstance(self._inner, LocalInvoker):
            check_reducer(self._registry, self.name)
            self.concurrent = inspect.iscoroutinefunction(self._inner.load())
        elif self._inner is not None:
            self._inner.prepare()

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync reducer for each key of the partition that the context names."""
        token = capture.current.set(context)
        try:
            return self._encode(self._reduced(context), context)
        finally:
            capture.current.reset(token)
            capture.flush(context)

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """The same of an async reducer, or of an HTTP one with many groups in a request."""
        groups = self._groups(context)
        if isinstance(self._inner, LocalInvoker):
            outputs = await self._await(groups, context)
        else:
            outputs = await self._ask(groups, context)
        return await asyncio.to_thread(self._encode, outputs, context)

    def _encode(self, outputs: Iterable[bytes], context: Context) -> bytes:
        if self._spec.output is not None:
            return write_part(self._spec, outputs, context)
        return _join(outputs)

    def _reduced(self, context: Context) -> Iterator[bytes]:
        shuffle = self._spec.shuffle
        assert shuffle is not None
        fold = find_last_fold(self.name, shuffle.combiner)
        if fold is not None:
            yield from map(wire.dumps, self._partition(context).folded(fold))
            return
        reducer = self._function(context)
        for key, values in self._groups(context):
            try:
                yield from outputs_of(key, reducer(as_given(key), values))
            except BaseException as error:
                note_call(error, where=f"key {found(as_given(key))}")
                raise

    async def _await(self, groups: Groups, context: Context) -> list[bytes]:
        reducer = self._function(context)
        outputs: list[bytes] = []
        while (group := await asyncio.to_thread(next, groups, None)) is not None:
            key, values = group
            outputs += outputs_of(key, await reducer(as_given(key), values))
        return outputs

    def _partition(self, context: Context) -> PartitionGroups:
        return PartitionGroups(self._inspector, self._spec, context.job, context.index)

    def _groups(self, context: Context) -> Groups:
        return self._partition(context).merged()

    def _function(self, context: Context) -> Reduce:
        shuffle = self._spec.shuffle
        assert shuffle is not None
        if is_builtin(self.name):
            return builtin_reducer(self.name, shuffle.combiner)
        context.reduce = self._reduce
        return keyed_reducer(self._registry, self.name, context)

    async def _ask(self, groups: Groups, context: Context) -> list[bytes]:
        assert self._inner is not None
        outputs: list[bytes] = []
        while batch := await asyncio.to_thread(_take, groups):
            context.record = len(outputs)
            answers = await self._inner.call_async({**self._reduce, "groups": batch}, context)
            if not isinstance(answers, list) or len(answers) != len(batch):
                raise PermanentError(
                    f"must answer {len(batch)} groups with a list of as many values"
                )
            outputs += [
                wire.dumps([key, answer]) for (key, _), answer in zip(batch, answers, strict=True)
            ]
        return outputs


def _join(outputs: Iterable[bytes]) -> bytes:
    """Returns the list of outputs, which are copied one by one: what the encoder gives keeps some
    kilobytes of memory, however few bytes it has.
    """
    joined = bytearray()
    for output in outputs:
        joined += b","
        joined += output
    return b"[" + bytes(joined[1:]) + b"]"


def _take(groups: Groups) -> list[tuple[Any, list[Any]]]:
    """Takes the groups of one request."""
    batch: list[tuple[Any, list[Any]]] = []
    held = 0
    for key, values in groups:
        batch.append((as_given(key), list(values)))
        held += len(batch[-1][1])
        if len(batch) >= _GROUPS_AT_ONCE or held >= _VALUES_AT_ONCE:
            break
    return batch
