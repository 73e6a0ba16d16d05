"""The reducer of a job as its reduce tasks call it."""

from __future__ import annotations

import orjson

from amr.errors import PermanentError
from amr.invokers.base import Invoker
from amr.invokers.registry import Registry
from amr.jobspec.job import JobSpec
from amr.reducers import is_builtin
from amr.stages.own_reducer import OwnReducer
from amr.stages.partition_reducer import PartitionReducer
from amr.stages.tree import TreeReducer
from amr.store.inspect import Inspector


def make_reducer(spec: JobSpec, reduce: bytes, registry: Registry, inspector: Inspector) -> Invoker:
    """Returns what the reduce tasks of a job, and the merges of its tree, are called with.

    Args:
        spec: the job.
        reduce: the job's ``reduce``, as JSON.
        registry: has its functions.
        inspector: reads the runs of a shuffled job.

    Raises:
        PermanentError: a function is not known here.
    """
    if spec.reducer is None:
        raise PermanentError("the job has no function for its reduce task")
    if spec.shuffle is not None:
        return PartitionReducer(spec, orjson.loads(reduce), registry, inspector)
    reducer = plain_reducer(spec.reducer, registry)
    if spec.reduce_tree is not None:
        return TreeReducer(reducer, spec, reduce, inspector)
    return reducer


def plain_reducer(name: str, registry: Registry) -> Invoker:
    """Returns what reduces all outputs at once, by its name.

    Raises:
        PermanentError: it is not known here.
    """
    return OwnReducer(name) if is_builtin(name) else registry.find(name)
