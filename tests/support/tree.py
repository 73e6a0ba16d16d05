"""What workers do for a reduce tree: outputs are lists of numbers, and merging joins them."""

from __future__ import annotations

import json

from amr.stages.tree import left_over
from amr.task import Task, level_of, node_number
from tests.support.store_bench import StoreBench


def read_children(bench: StoreBench, task: Task, branches: int) -> bytes | None:
    """Returns what a merge or reduce task joins, as JSON; None where some of it is not there."""
    if task.stage == "reduce":
        nodes, indexes = left_over(bench.status(task.job).total, branches)
    else:
        level, at = level_of(task.stage, task.index)
        children = range(at * branches, (at + 1) * branches)
        nodes = [] if level == 1 else [node_number(level - 1, child) for child in children]
        indexes = children if level == 1 else range(0)
    failed = {failure.index for failure in bench.inspector.failures(task.job)}
    found = bench.inspector.partials(task.job, nodes)
    for index, output in bench.inspector.outputs(task.job, indexes.stop, indexes.start):
        found.append(b"[]" if index in failed else output)
    if None in found:
        return None
    return json.dumps([value for part in found if part for value in json.loads(part)]).encode()
