"""What tasks are called, and which nodes of a reduce tree are above them."""

from __future__ import annotations

import pytest

from amr.task import Stage, field_of, level_of, node_number, nodes_above, read_task, shown_task

TASKS: list[tuple[Stage, int]] = [
    *[("map", 0), ("map", 37), ("reduce", 0), ("reduce", 12), ("source", 0)],
    *[("merge", node_number(1, 0)), ("merge", node_number(1, 5)), ("merge", node_number(31, 7))],
]


@pytest.mark.parametrize(("stage", "index"), TASKS)
def test_a_task_is_found_by_what_it_is_called(stage: Stage, index: int) -> None:
    field = field_of(stage, index)
    assert read_task(field) == (stage, index)
    assert read_task(shown_task(field)) == (stage, index)


def test_the_first_partition_may_be_called_by_its_number() -> None:
    assert read_task("reduce[0]") == read_task("reduce0") == read_task("reduce")


@pytest.mark.parametrize(
    "text",
    [
        *("", "maps", "-1", "1.5", "٣", "map", "map[]", "map[-1]", "map[1", "37 ", "Reduce"),
        *("reduce[", "reduce[x]", "reduce-1", "merge", "merge[5]", "merge[1.5", "merge[32.0]"),
        *("source0", "source[0]", "9" * 5000),
    ],
)
def test_what_no_task_is_called_is_none(text: str) -> None:
    assert read_task(text) is None


def test_a_node_has_its_level_and_its_position() -> None:
    assert level_of("merge", node_number(2, 5)) == (2, 5)
    assert level_of("map", 37) == (0, 37)


def test_only_nodes_that_are_there_are_above_a_task() -> None:
    # Seven map tasks, two by two: three nodes over the first six, one over the first four.
    assert list(nodes_above(0, 1, 7, 2)) == [node_number(1, 0), node_number(2, 0)]
    assert list(nodes_above(0, 5, 7, 2)) == [node_number(1, 2)]
    assert list(nodes_above(0, 6, 7, 2)) == []
    assert list(nodes_above(1, 1, 7, 2)) == [node_number(2, 0)]
    assert list(nodes_above(1, 2, 7, 2)) == []
