"""Jobs in this process, one call after the other: no Redis, no retries, and a debugger works."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Iterable, Iterator
from typing import Any, cast

import orjson

from amr import wire
from amr.errors import UsageError
from amr.inputs import encode_input, make_bodies, pack_items
from amr.invokers.base import Invoker
from amr.invokers.context import Context, LogSink
from amr.invokers.failures import describe_failure
from amr.invokers.registry import Registry
from amr.jobspec.job import JobSpec
from amr.jobspec.sources import FunctionSource
from amr.reducers import builtin_reducer, is_builtin
from amr.shuffle.keys import Key, as_given, as_key, order_of
from amr.stages.keyed import keyed_reducer, outputs_of
from amr.stages.mapper import plain_mapper
from amr.stages.pairs import PairsMapper
from amr.stages.part_file import write_part
from amr.stages.partitioner import choose_partitions
from amr.stages.reduce_input import reduce_body
from amr.stages.reducer import plain_reducer
from amr.stages.written import Written
from amr.store.results import outputs_document, parts_document
from amr.task import Stage, Task

_JOB = "sequential"


class SequentialRun:
    """Runs a job and those behind it in its chain; the result is that of the workers.

    That is, for functions that give the same each time.

    An exception of a function ends it, unless the job goes on after failures. A combiner is not
    called.

    Args:
        spec: the job.
        registry: its functions.
    """

    def __init__(self, spec: JobSpec, registry: Registry) -> None:
        self._spec = spec
        self._registry = registry
        self._state: dict[str, Any] = {}
        #: Runs what is async. One for all calls: connections belong to the loop they were made on.
        self._loop = asyncio.Runner()

    def run(self) -> bytes:
        """Returns the result of the chain's last job as JSON."""
        with self._loop:
            try:
                result = self._result()
                while self._spec.then is not None:
                    inputs = self._given(result)
                    self._spec = self._spec.then.model_copy(update={"inputs": inputs})
                    result = self._result()
            finally:
                self._loop.run(self._registry.aclose())
        return result

    def _given(self, result: bytes) -> list[Any]:
        """Returns what the job gives to the next one."""
        value = orjson.loads(result)
        if self._spec.output is not None:
            return cast(list[Any], value["parts"])
        if self._spec.reducer is None and self._spec.on_failure != "fail":
            return cast(list[Any], value["results"]["results"])
        return value if isinstance(value, list) else [value]

    def _result(self) -> bytes:
        outputs: list[bytes] = []
        failures: list[dict[str, Any]] = []
        mapper = self._mapper()
        mapper.prepare()
        for index, body in enumerate(self._bodies()):
            data = encode_input(index, body)
            try:
                outputs.append(self._call(mapper, "map", index, data))
            except Exception as error:
                if self._spec.on_failure == "fail":
                    raise
                told = describe_failure(error, mapper.name)
                failed = {"type": told.type, "message": told.message}
                failures.append({"index": index, "input": body, "error": failed, "attempts": 1})
        if len(failures) > self._spec.tolerated_failures(len(outputs) + len(failures)):
            raise UsageError(f"{len(failures)} map tasks failed: {failures[0]['error']['message']}")
        if self._spec.shuffle is not None:
            return self._reduce_by_key(outputs)
        if self._spec.reducer is not None:
            return self._reduce(outputs, failures)
        return outputs_document(self._spec, outputs, failures)

    def _bodies(self) -> Iterable[Any]:
        source = self._spec.inputs
        if isinstance(source, FunctionSource):
            return pack_items(self._spec, self._items(source))

        def outputs_of(job: str) -> Iterable[Any]:
            raise UsageError(f"the outputs of job {job} are in Redis: run it without --sequential")

        return make_bodies(self._spec, None, outputs_of)[0]

    def _mapper(self) -> Invoker:
        if self._spec.shuffle is not None:
            return PairsMapper(self._spec, self._registry)
        mapper = plain_mapper(self._spec, self._registry, lambda *_: set())
        is_last = self._spec.output is not None and self._spec.reducer is None
        return Written(mapper, self._spec) if is_last else mapper

    def _items(self, source: FunctionSource) -> Iterable[Any]:
        function = self._registry.find(source.function)
        function.prepare()
        context = self._context("source", 0)
        if function.concurrent:
            items = self._loop.run(function.call_async(source.body, context))
        else:
            items = function.call(source.body, context)
        return cast(Iterable[Any], items)

    def _call(self, invoker: Invoker, stage: Stage, index: int, body: bytes) -> bytes:
        context = self._context(stage, index, body)
        if invoker.concurrent:
            return self._loop.run(invoker.invoke_async(body, context))
        return invoker.invoke(body, context)

    def _context(self, stage: Stage, index: int, body: bytes = b"") -> Context:
        task = Task(b"0-0", _JOB, stage, index, 1, body)
        context = Context(task, None, self._state, _Stderr())
        context.replaces = True  # all sequential runs have one id
        return context

    def _reduce(self, outputs: list[bytes], failures: list[dict[str, Any]]) -> bytes:
        reducer = plain_reducer(self._spec.reducer or "", self._registry)
        reducer.prepare()
        partials, rest = self._merge(reducer, outputs)
        body = reduce_body(self._spec, wire.dumps(self._spec.reduce), partials, rest, failures)
        if self._spec.output is None:
            return self._call(reducer, "reduce", 0, body)
        return parts_document([self._call(Written(reducer, self._spec), "reduce", 0, body)])

    def _merge(self, reducer: Invoker, outputs: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Returns what a reduce tree leaves over: partial results, and the outputs behind them."""
        branches = self._spec.reduce_tree
        if branches is None:
            return [], outputs
        reduce = wire.dumps(self._spec.reduce)
        whole = len(outputs) // branches * branches
        children = outputs[:whole]
        partials: list[bytes] = []
        are_outputs = True
        while children:
            merged = []
            for at in range(0, len(children), branches):
                some = children[at : at + branches]
                merged_before, given = ([], some) if are_outputs else (some, [])
                body = reduce_body(self._spec, reduce, merged_before, given, None)
                merged.append(self._call(reducer, "merge", at // branches, body))
            are_outputs = False
            upper = len(merged) // branches * branches
            children, partials = merged[:upper], merged[upper:] + partials
        return partials, outputs[whole:]

    def _reduce_by_key(self, outputs: list[bytes]) -> bytes:
        groups: dict[Key, list[Any]] = {}
        for output in outputs:
            for key, value in orjson.loads(output):
                groups.setdefault(as_key(key), []).append(value)
        parts = []
        for partition, keys in enumerate(self._partitions(sorted(groups, key=order_of(groups)))):
            context = self._context("reduce", partition)
            reduced = self._reduced(keys, groups, context)
            if self._spec.output is not None:
                parts.append(write_part(self._spec, reduced, context))
            else:
                parts += reduced
        is_written = self._spec.output is not None
        return parts_document(parts) if is_written else b"[" + b",".join(parts) + b"]"

    def _partitions(self, keys: list[Key]) -> list[list[Key]]:
        shuffle = self._spec.shuffle
        assert shuffle is not None
        by_partition: list[list[Key]] = [[] for _ in range(shuffle.partitions)]
        if shuffle.is_range:
            for at, key in enumerate(keys):
                by_partition[at * shuffle.partitions // len(keys)].append(key)
            return by_partition
        partitions_of = choose_partitions(shuffle, self._registry)
        assert partitions_of is not None
        for key, partition in zip(keys, partitions_of(keys), strict=True):
            by_partition[partition].append(key)
        return by_partition

    def _reduced(
        self, keys: list[Key], groups: dict[Key, list[Any]], context: Context
    ) -> Iterator[bytes]:
        name = self._spec.reducer or ""
        context.reduce = self._spec.reduce
        if is_builtin(name):
            reducer = builtin_reducer(name)
        else:
            reducer = keyed_reducer(self._registry, name, context)
        for key in keys:
            output = reducer(as_given(key), iter(groups[key]))
            if inspect.iscoroutine(output):
                output = self._loop.run(output)
            yield from outputs_of(key, output)


class _Stderr(LogSink):
    """Shows what functions log."""

    def append(self, task: Task, level: str, text: str) -> None:
        print(f"{level}: {text}", file=sys.stderr)
