"""Which tasks a job has."""

from __future__ import annotations

from amr.errors import UsageError
from amr.store.status import JobStatus
from amr.task import TREE_LEVELS, Stage, level_of, node_number, place_of


def check_task(status: JobStatus, stage: Stage, index: int) -> None:
    """Refuses a task that its job does not have, and says which it has.

    Raises:
        UsageError: there is no such task.
    """
    if stage == "map":
        is_there, has = index < status.total, _shown_maps(status)
    elif stage == "reduce":
        count = max(1, status.partitions) if status.has_reducer else 0
        is_there, has = index < count, _shown_reduces(count)
    elif stage == "merge":
        level, at = level_of(stage, index)
        is_there = level > 0 and at < _merges_of_level(status, level)
        has = _shown_merges(status)
    else:
        is_there, has = status.has_source, "no task that makes its inputs"
    if not is_there:
        raise UsageError(f"no task {place_of(stage, index)}: job {status.job} has {has}")


def _shown_maps(status: JobStatus) -> str:
    if not status.total:
        return "no map tasks" + ("" if status.submitted else " yet")
    so_far = "" if status.submitted else " so far"
    if status.total == 1:
        return f"1 map task{so_far}: 0"
    return f"{status.total:,} map tasks{so_far}: 0 to {status.total - 1}"


def _shown_reduces(count: int) -> str:
    if count < 2:
        return "1 reduce task: reduce" if count else "no reducer"
    return f"{count:,} reduce tasks: reduce[0] to reduce[{count - 1}]"


def _merges_of_level(status: JobStatus, level: int) -> int:
    return 0 if status.branches is None else status.total // status.branches**level


def _shown_merges(status: JobStatus) -> str:
    if status.branches is None:
        return "no reduce_tree"
    counts = {level: _merges_of_level(status, level) for level in range(1, TREE_LEVELS)}
    ranges = [
        f"{_shown_node(level, 0)} to {_shown_node(level, count - 1)}"
        if count > 1
        else _shown_node(level, 0)
        for level, count in counts.items()
        if count
    ]
    so_far = "" if status.submitted else " so far"
    return f"the merges {', '.join(ranges)}{so_far}" if ranges else f"no merges{so_far}"


def _shown_node(level: int, at: int) -> str:
    return place_of("merge", node_number(level, at))
