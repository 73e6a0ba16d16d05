"""A task whose input Redis cannot give at the moment is put off, and loses no attempt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from amr.errors import RetryLater
from amr.invokers.context import Context, LogSink
from amr.invokers.registry import Registry
from amr.jobspec.job import parse_job
from amr.redis_url import RedisTarget, parse_redis_url
from amr.stages.reducer import make_reducer
from amr.store.connection import ResponseError
from amr.store.inspect import Inspector
from amr.store.keys import Keys
from amr.store.link import Link
from amr.task import Stage, Task
from tests.support.invariant import read

TREE = {"mapper": "f.map", "inputs": [], "reducer": "amr.sum", "reduce_tree": 4}
SHUFFLED = {"mapper": "f.map", "inputs": [], "reducer": "amr.sum", "shuffle": {}}


def call(target: RedisTarget, document: dict[str, object], stage: Stage) -> None:
    inspector = Inspector(Link(target), Keys(target.stream))
    reducer = make_reducer(parse_job(document), b"{}", Registry({}, {}), inspector)
    task = Task(b"1-1", "j", stage, 33, 1, b"")
    context = Context(task, None, {}, LogSink())
    reducer.invoke(b"", context)
    asyncio.run(reducer.invoke_async(b"", context))


@pytest.mark.parametrize(
    ("document", "stage"), [(TREE, "merge"), (TREE, "reduce"), (SHUFFLED, "reduce")]
)
def test_redis_that_is_away(tmp_path: Path, document: dict[str, object], stage: Stage) -> None:
    target = parse_redis_url(f"unix://{tmp_path / 'nobody.sock'}")
    with pytest.raises(RetryLater, match="Redis: "):
        call(target, document, stage)


def test_what_does_not_pass_fails_the_attempt(redis_target: RedisTarget) -> None:
    read(Link(redis_target), "SET", Keys(redis_target.stream).job_key("outputs", "j"), "no hash")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        call(redis_target, TREE, "merge")
