"""What travels between the stream and a function: a task, and the outcome of one attempt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

Stage = Literal["source", "map", "merge", "reduce"]

#: Stages whose tasks call the reducer.
REDUCING = ("merge", "reduce")

#: A node of a reduce tree is numbered by its position in its level times this, and the level.
TREE_LEVELS = 32

#: What people and the store call a task: the stage, and what tells it from the others of it.
_NUMBER = "([0-9]{1,15})"
_NAMES: dict[Stage, re.Pattern[str]] = {
    "map": re.compile(rf"{_NUMBER}|map\[{_NUMBER}\]"),
    "reduce": re.compile(rf"reduce(?:{_NUMBER}|\[{_NUMBER}\])?"),
    "merge": re.compile(rf"merge(?:{_NUMBER}|\[{_NUMBER}\.{_NUMBER}\])"),
    "source": re.compile("source"),
}


def field_of(stage: str, index: int) -> str:
    """Returns a task's name among those of its job: its index, source, merge and node, or reduce
    and partition.
    """
    if stage == "map":
        return str(index)
    if stage == "merge":
        return f"merge{index}"
    return stage if stage == "source" else f"reduce{index or ''}"


def shown_task(field: str) -> str:
    """Returns what people call a task: ``map[3]``, ``merge[1.5]`` (the sixth of the first level),
    ``reduce``, ``reduce[2]``, ``source``.
    """
    if field.isdecimal():
        return f"map[{field}]"
    node = field.removeprefix("merge")
    if node != field and node.isdecimal():
        level, at = level_of("merge", int(node))
        return f"merge[{level}.{at}]"
    partition = field.removeprefix("reduce")
    return f"reduce[{partition}]" if partition.isdecimal() else field


def place_of(stage: str, index: int) -> str:
    """Returns what people call the task with that index of a stage."""
    return shown_task(field_of(stage, index))


def read_task(text: str) -> tuple[Stage, int] | None:
    """Returns stage and index of what ``field_of`` or ``shown_task`` calls a task, or None."""
    for stage, name in _NAMES.items():
        if match := name.fullmatch(text):
            numbers = [int(number) for number in match.groups() if number is not None]
            if len(numbers) < 2:
                return stage, numbers[0] if numbers else 0
            level, at = numbers
            return (stage, node_number(level, at)) if level < TREE_LEVELS else None
    return None


def node_number(level: int, at: int) -> int:
    """Returns the number of a node: of level 1 are those whose children are map tasks."""
    return at * TREE_LEVELS + level


def level_of(stage: Stage, index: int) -> tuple[int, int]:
    """Returns the level of a merge, 0 of a map task, and its position among those of its level."""
    if stage != "merge":
        return 0, index
    at, level = divmod(index, TREE_LEVELS)
    return level, at


def nodes_above(level: int, at: int, total: int, branches: int) -> Iterator[int]:
    """Yields the nodes of a reduce tree that are above one, from the lowest up.

    Args:
        level: of the node; 0 for a map task.
        at: its position among those of its level.
        total: map tasks of the job.
        branches: children of a node.
    """
    for above in range(level + 1, TREE_LEVELS):
        at //= branches
        if at >= total // branches**above:
            return
        yield node_number(above, at)


def count_nodes(total: int, branches: int) -> int:
    """Returns how many merges a reduce tree over so many map tasks has."""
    count = 0
    while total := total // branches:
        count += total
    return count


def store_folder_of(job: str, created_ms: int) -> str:
    """Returns the folder of a job's files in a store, which jobs of other streams may share."""
    return f"{job}@{created_ms}"


def job_of_store_folder(folder: str) -> tuple[str, int] | None:
    """Returns the job and its creation, or None where a folder is none of a job."""
    job, sign, created = folder.rpartition("@")
    return (job, int(created)) if sign and job and created.isdecimal() else None


class Task(NamedTuple):
    """One stream entry: a map or a reduce task on one of its attempts.

    A NamedTuple and not a frozen dataclass: one is made a task, at some 50,000 a second.

    Attributes:
        entry_id: id of the stream entry that woke us, such as ``b"1763676800000-0"``.
        job: job id.
        stage: ``map`` or ``reduce``; ``merge`` makes partial results, ``source`` the inputs.
        index: position of the input in the job's inputs; of a reduce task its partition, of a
            merge its node.
        attempt: 1 for the first attempt.
        body: the input as JSON; empty for reduce and merge, whose input the worker collects.
        suspect: a worker died while it held this task, so it is run with nothing else in hand.
    """

    entry_id: bytes
    job: str
    stage: Stage
    index: int  # type: ignore[assignment] # hides tuple.index, which nobody needs of a task
    attempt: int
    body: bytes
    suspect: bool = False

    @property
    def field(self) -> str:
        """The task's name among those of its job."""
        return field_of(self.stage, self.index)


class Failure(NamedTuple):
    """Why an attempt failed.

    Attributes:
        type: name of the error's class, such as ``ValueError`` or ``HTTP 404``.
        message: one line for people; names the function.
        traceback: the user's part of the traceback, or an empty string.
        permanent: more attempts are pointless.
        retry_after_s: seconds the function asked for before the next attempt, or None.
        timed_out: the attempt ran past its limit.
        where: file and line of the user's code, else the function; empty where it was not called.
    """

    type: str
    message: str
    traceback: str = ""
    permanent: bool = False
    retry_after_s: float | None = None
    timed_out: bool = False
    where: str = ""


class Outcome(NamedTuple):
    """What one attempt came to: exactly one of ``output`` and ``failure`` is set.

    Attributes:
        task: the task that was attempted.
        output: the function's output as JSON, or None.
        failure: why there is no output, or None.
        counters: what the function counted in this attempt, or None.
        elapsed_s: seconds of the worker's time that the call took.
        took_s: seconds from its start to its end, where that is longer.
        skipped: positions of records that were given up, and their errors as JSON.
    """

    task: Task
    output: bytes | None
    failure: Failure | None
    counters: dict[str, int] | None
    elapsed_s: float
    took_s: float = 0.0
    skipped: tuple[tuple[int, bytes], ...] = ()

    @property
    def lasted_us(self) -> float:
        """Microseconds from the call's start to its end."""
        return 1e6 * (self.took_s or self.elapsed_s)
