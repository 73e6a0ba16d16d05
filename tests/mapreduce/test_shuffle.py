"""Shuffled jobs, end to end: any way to partition and combine gives what a plain loop gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from amr.client import Client
from amr.errors import JobFailedError
from tests.mapreduce.conftest import Run
from tests.support.wait import wait_for


@pytest.fixture
def counts(text: Path) -> dict[str, int]:
    return dict(Counter(text.read_text().split()))


def words_of(text: Path, split: str = "10kB") -> dict[str, Any]:
    return {"lines": str(text), "split": split}


@pytest.mark.parametrize(
    "shuffle",
    [
        {},
        {"partitions": 1},
        {"partitions": 40},
        {"combiner": "amr.sum"},
        {"combiner": "amr.count"},
        {"combiner": "shapes.total"},
        {"partitioner": "shapes.by_length", "partitions": 3},
        {"partitioner": "range", "partitions": 3},
        {"partitioner": "range", "partitions": 3, "combiner": "amr.sum"},
    ],
    ids=str,
)
@pytest.mark.parametrize("reducer", ["shapes.total", "amr.sum", "shapes.total_later"])
def test_word_count(
    run: Run, text: Path, counts: dict[str, int], shuffle: dict[str, Any], reducer: str
) -> None:
    result = run("shapes.words", words_of(text), reducer=reducer, shuffle=shuffle)
    assert dict(result) == counts
    assert len(result) == len(counts)
    if shuffle.get("partitioner") == "range":
        assert [word for word, _ in result] == sorted(counts)


def test_async_mappers_and_plain_inputs_and_batches(
    run: Run, text: Path, counts: dict[str, int]
) -> None:
    lines = {"lines": str(text)}
    for fields in ({"batch": 100}, {}):
        result = run("shapes.words_later", lines, reducer="amr.sum", shuffle={}, **fields)
        assert dict(result) == counts


def test_keys_of_all_types_in_order(run: Run) -> None:
    result = run("shapes.keyed", {"range": 14}, reducer="amr.list", shuffle={"partitions": 1})
    assert result == [
        [None, list(range(14))],
        *([n, [n, n + 7]] for n in range(7)),
        [[0, "odd or even"], [1] * 7],
        [[1, "odd or even"], [1] * 7],
    ]


def test_a_reducer_may_yield_and_may_ask_for_what_the_job_gives_it(run: Run) -> None:
    inputs = ["b a", "a"]
    result = run("shapes.words", inputs, reducer="shapes.each", shuffle={"partitions": 1})
    assert result == ["a=1", "a=1", "b=1"]
    shuffle = {"partitions": 1}
    reduce = {"prefix": "#"}
    result = run("shapes.words", inputs, reducer="shapes.ranked", shuffle=shuffle, reduce=reduce)
    assert result == [["a", "#2"], ["b", "#1"]]


def test_counters_and_no_pairs_at_all(client: Client, text: Path) -> None:
    spec = {"mapper": "shapes.count_words", "reducer": "amr.sum", "shuffle": {}}
    job = client.invoke(spec | {"inputs": words_of(text)})
    assert job.result(60) == []
    assert job.status().counters == {"words": 30_000}


def test_large_runs_go_to_the_store(run: Run, text: Path, counts: Any, tmp_path: Path) -> None:
    large = tmp_path / "large.txt"
    large.write_text("".join(f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}\n" for n in range(100_000)))
    shuffle = {"store": str(tmp_path / "store"), "partitions": 3}
    result = run("shapes.words", words_of(large, "600kB"), reducer="amr.count", shuffle=shuffle)
    assert sorted(result) == sorted(
        [word, n] for word, n in Counter(large.read_text().split()).items()
    )
    assert len(list((tmp_path / "store").rglob("*.runs"))) == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mapper": "shapes.no_pairs"}, r"shapes\.no_pairs must return or yield pairs"),
        ({"mapper": "shapes.double"}, "must return or yield pairs"),
        ({"mapper": "shapes.no_key"}, "a key is null, a number"),
        ({"reducer": "shapes.picky"}, r'no w3 .*, key "w3"'),
        ({"reducer": "shapes.same"}, r"called with \(key, values\)"),
        ({"shuffle": {"partitioner": "shapes.no_number"}}, "returned a str, not a number"),
        ({"shuffle": {"combiner": "shapes.picky"}}, "no w3"),
    ],
    ids=str,
)
def test_what_is_wrong_with_functions_is_told(
    run: Run, fields: dict[str, Any], message: str
) -> None:
    spec = {"mapper": "shapes.words", "reducer": "amr.sum", "shuffle": {}} | fields
    with pytest.raises(JobFailedError, match=message):
        run(spec.pop("mapper"), ["w1 w3"], **spec)


def test_a_partition_that_failed_is_made_again_and_the_others_are_kept(
    client: Client, text: Path
) -> None:
    spec = {"mapper": "shapes.words", "reducer": "shapes.picky", "shuffle": {"partitions": 4}}
    job = client.invoke(spec | {"inputs": words_of(text)})
    with pytest.raises(JobFailedError, match="reduce task"):
        job.result(60)
    (failed,) = job.failures()
    assert (failed.index, failed.partition is not None) == (None, True)
    first = {p for p, part in enumerate(client.inspector.result_parts(job.id, range(4))) if part}
    assert job.redrive().tasks == 0
    assert not job.wait(60).live
    again = {p for p, part in enumerate(client.inspector.result_parts(job.id, range(4))) if part}
    assert first <= again
    assert failed.partition not in again
    assert len(again) <= 3


def test_dead_tasks_that_are_redriven_make_every_partition_anew(
    client: Client, tmp_path: Path
) -> None:
    fixed = tmp_path / "fixed"
    spec = {
        "mapper": "shapes.until_exists",
        "reducer": "amr.sum",
        "shuffle": {"partitions": 3},
        "inputs": [[str(fixed), line] for line in (*(f"a{n} x" for n in range(20)), "bad x")],
        "on_failure": "collect",
    }
    job = client.invoke(spec)
    assert dict(job.result(60))["x"] == 20
    fixed.touch()
    assert job.redrive().tasks == 1
    assert dict(job.result(60))["x"] == 21
    assert dict(job.result(60))["bad"] == 1
    assert dict(job.result(version=1))["x"] == 20


def test_a_worker_that_dies_in_a_reduce_costs_that_partition_once_more(
    client: Client, text: Path, counts: dict[str, int]
) -> None:
    spec = {"mapper": "shapes.words", "reducer": "shapes.second_time", "shuffle": {"partitions": 3}}
    job = client.invoke(spec | {"inputs": words_of(text)})
    assert dict(job.result(60)) == counts
    assert job.status().retries >= 1


def test_nothing_but_the_result_is_left(client: Client, text: Path) -> None:
    spec = {"mapper": "shapes.words", "reducer": "amr.sum", "shuffle": {"partitions": 3}}
    job = client.invoke(spec | {"inputs": words_of(text)})
    job.result(60)
    assert client.inspector.runs(job.id, ["0:0:0"]) == [None]
    wait_for(lambda: client.fleet.backlog().pending == 0, 10)
