"""Reduce trees: outputs are merged some at a time while others are still mapped.

A node has ``reduce_tree`` children: map tasks next to each other, or nodes of the level below.
Which task is under which node is known beforehand, so a job gives the same result each time,
whatever order its tasks end in. What is left over at the end goes to the reduce task.
"""

from __future__ import annotations

import asyncio

from amr.invokers.base import Invoker
from amr.invokers.context import Context
from amr.jobspec.job import JobSpec
from amr.stages.reading import reading_redis
from amr.stages.reduce_input import (
    MissingOutputError,
    list_failures,
    read_outputs,
    reduce_body,
)
from amr.stages.wrapper import Wrapper
from amr.store.inspect import Inspector
from amr.task import level_of, node_number


def left_over(total: int, branches: int) -> tuple[list[int], range]:
    """Returns the nodes that no other is above of, in input order, and the map tasks behind them.

    Args:
        total: map tasks.
        branches: children of a node.
    """
    nodes: list[int] = []
    begin = 0
    levels = 1
    while branches ** (levels + 1) <= total:
        levels += 1
    for level in range(levels, 0, -1):
        size = branches**level
        while total - begin >= size:
            nodes.append(node_number(level, begin // size))
            begin += size
    return nodes, range(begin, total)


class TreeReducer(Wrapper[Invoker]):
    """Reads the children of a node, or what is left over, and calls the reducer with them.

    Args:
        inner: the reducer.
        spec: the job, which has a ``reduce_tree``.
        reduce: the reducer's body without the outputs, as JSON.
        inspector: reads the store.
    """

    def __init__(self, inner: Invoker, spec: JobSpec, reduce: bytes, inspector: Inspector) -> None:
        super().__init__(inner)
        assert spec.reduce_tree is not None
        self._branches = spec.reduce_tree
        self._spec = spec
        self._reduce = reduce
        self._inspector = inspector

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync reducer; gives nothing where every map task under the node has failed."""
        with reading_redis():
            given = self._body(context)
        return self.inner.invoke(given, context) if given else b""

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async or HTTP reducer."""
        with reading_redis():
            given = await asyncio.to_thread(self._body, context)
        return await self.inner.invoke_async(given, context) if given else b""

    def _body(self, context: Context) -> bytes | None:
        inspector, job = self._inspector, context.job
        failures = None
        if context.stage == "merge":
            nodes, indexes = self._children(context.index)
        else:
            status = inspector.status(job)
            nodes, indexes = left_over(status.total if status else 0, self._branches)
            failures = list_failures(inspector, job) if status and status.failed else []
        outputs = read_outputs(inspector, job, indexes)
        partials = self._partials(job, nodes)
        if failures is None and not partials and not outputs:
            return None
        return reduce_body(self._spec, self._reduce, partials, outputs, failures)

    def _children(self, node: int) -> tuple[list[int], range]:
        level, at = level_of("merge", node)
        children = range(at * self._branches, (at + 1) * self._branches)
        if level == 1:
            return [], children
        return [node_number(level - 1, child) for child in children], range(0)

    def _partials(self, job: str, nodes: list[int]) -> list[bytes]:
        """Returns what the nodes were merged to, but for those with nothing under them."""
        partials = []
        for node, partial in zip(nodes, self._inspector.partials(job, nodes), strict=True):
            if partial is None:
                raise MissingOutputError(f"the partial result {node} is gone from Redis")
            partials.append(partial)
        return [partial for partial in partials if partial]
