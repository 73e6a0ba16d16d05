"""Reduce trees, end to end: partial results give what one reduce of all outputs gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from amr.client import Client
from amr.errors import JobSpecError
from tests.mapreduce.conftest import Run

INPUTS = list(range(150))


@pytest.mark.parametrize("total", [0, 1, 3, 4, 15, 16, 17, 64, 150])
def test_any_number_of_outputs(run: Run, total: int) -> None:
    found = run("trees.letter", INPUTS[:total], reducer="trees.joined", reduce_tree=4)
    plain = run("trees.letter", INPUTS[:total], reducer="trees.joined")
    assert found["text"] == plain["text"]
    assert found["most"] <= max(4, 3 * 4), "one call had too much of it"


def test_no_call_has_more_than_its_branches(run: Run) -> None:
    found = run("trees.letter", INPUTS, reducer="trees.joined", reduce_tree=5)
    # The last call has what is left over: 150 are 1, 1 and 0 nodes of 125, 25 and 5.
    assert found == {"text": "".join(chr(97 + n % 26) for n in INPUTS), "most": 5, "calls": 38}


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [
        ("amr.sum", sum(INPUTS)),
        ("amr.count", 150),
        ("amr.min", 0),
        ("amr.max", 149),
        ("amr.mean", 74.5),
        ("amr.list", INPUTS),
        ("amr.first", 0),
        ("amr.top(3)", [149, 148, 147]),
    ],
)
@pytest.mark.parametrize("batch", [None, 7])
def test_reducers_of_our_own(run: Run, reducer: str, expected: Any, batch: int | None) -> None:
    found = run("trees.same", INPUTS, reducer=reducer, reduce_tree=3, batch=batch)
    assert found == expected


def test_an_async_reducer(run: Run) -> None:
    found = run("trees.letter", INPUTS[:60], reducer="trees.joined_later", reduce_tree=4)
    assert found["text"] == "".join(chr(97 + n % 26) for n in INPUTS[:60])


def test_the_reduce_object_reaches_every_call(run: Run) -> None:
    extra = {"reduce": {"factor": 1}}
    assert run("trees.same", INPUTS, reducer="trees.scaled", reduce_tree=4, **extra) == sum(INPUTS)


def test_failures_that_are_collected_reach_the_last_call_only(run: Run) -> None:
    found = run(
        "trees.not_thirds",
        INPUTS[:30],
        reducer="trees.kept",
        reduce_tree=2,
        on_failure="collect",
    )
    assert found["kept"] == [n for n in INPUTS[:30] if n % 3]
    assert found["failed"] == [n for n in INPUTS[:30] if n % 3 == 0]


def test_nothing_is_merged_where_all_failed(run: Run) -> None:
    found = run(
        "trees.not_thirds", [0, 3, 6, 9, 1], reducer="trees.kept", reduce_tree=2,
        on_failure="collect",
    )  # fmt: skip
    assert found == {"kept": [1], "failed": [0, 1, 2, 3]}


def test_a_redrive_gives_the_whole_result(client: Client, tmp_path: Path) -> None:
    flag = tmp_path / "mended"
    spec = {
        "mapper": "trees.needs",
        "inputs": [[n, str(flag)] for n in range(40)],
        "reducer": "amr.sum",
        "reduce_tree": 3,
        "on_failure": "collect",
        "retry": {"max_attempts": 1},
    }
    job = client.invoke(spec)
    assert job.result(60) == sum(n for n in range(40) if n % 7)
    flag.touch()
    job.redrive()
    assert job.result(60) == sum(range(40))


def test_the_result_may_be_written(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "{job}.jsonl"
    found = run("trees.same", INPUTS, reducer="amr.top(3)", reduce_tree=4, output=str(path))
    (part,) = found["parts"]
    assert [json.loads(line) for line in Path(part["path"]).read_text().splitlines()] == [
        149,
        148,
        147,
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "there is none"),
        ({"reducer": "amr.sum", "shuffle": {}}, "that of a shuffle is called with keys"),
        ({"reducer": "amr.sum", "reduce_tree": 1}, "from 2 to 1000"),
    ],
    ids=["no reducer", "shuffle", "one branch"],
)
def test_where_there_is_no_tree(run: Run, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(JobSpecError, match=message):
        run("trees.same", [1], **{"reduce_tree": 4, **fields})
