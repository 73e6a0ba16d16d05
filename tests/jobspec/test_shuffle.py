"""Chains, batches and shuffles in job.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amr.errors import JobSpecError
from amr.jobspec.job import check_functions
from tests.jobspec.test_job import job, mistake


def test_a_chain_names_each_of_its_functions() -> None:
    assert job(mapper=["a", "b"]).mappers == ("a", "b")
    assert job(mapper=["a", "b"]).display_name == "a > b"
    assert "in the registry" in mistake("$.mapper[1]", mapper=["m", "os:system"])
    assert "at least one" in mistake("$.mapper", mapper=[])


def test_a_batch_is_called_whole_only_where_there_are_batches() -> None:
    assert job(batch=3, call="batch").is_grouped
    assert job(inputs={"lines": "x", "split": "1MB"}, call="batch").is_grouped
    assert 'give "batch" or a "split"' in mistake("$.call", call="batch")
    assert 'did you mean "batch"?' in mistake("$.call", batch=2, call="bach")
    assert "from 1 to" in mistake("$.batch", batch=0)


def test_a_shuffle_needs_a_reducer_and_right_names() -> None:
    assert "give the job one" in mistake("$.shuffle", reducer=None, shuffle={})
    assert 'did you mean "amr.sum"?' in mistake(
        "$.shuffle.combiner", shuffle={"combiner": "amr.sun"}
    )
    assert "whole number" in mistake("$.shuffle.partitions", shuffle={"partitions": 0})
    assert 'did you mean "combiner"?' in mistake("$.shuffle.combine", shuffle={"combine": "x"})
    assert "only the reducer amr.mean" in mistake(
        "$.shuffle.combiner", shuffle={"combiner": "amr.mean"}
    )
    assert "must be an object" in mistake("$.shuffle", shuffle=3)
    assert job(reducer="amr.top(3)", shuffle={"combiner": "amr.top(3)"}).shuffle is not None


def test_functions_of_the_shuffle_must_be_in_the_registry() -> None:
    spec = job(mapper="m", reducer="amr.sum", shuffle={"combiner": "c", "partitioner": "p"})
    with pytest.raises(JobSpecError) as caught:
        check_functions(spec, ["m"])
    assert [each.path for each in caught.value.problems] == [
        "$.shuffle.combiner",
        "$.shuffle.partitioner",
    ]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (3, "must be a path"),
        ("out.txt", "must end in"),
        ("out.jsonl.GZ", "must end in"),
        ("{jobs}.json", 'did you mean "job"?'),
        ("{0}.json", "no other braces"),
        ("{job.json", "no other braces"),
        ("ftp://x/{job}.json", "URL of s3://"),
    ],
)
def test_an_output_is_a_path_with_known_braces(output: object, message: str) -> None:
    assert message in mistake("$.output", output=output)


def test_several_parts_need_several_paths() -> None:
    for fields in ({"shuffle": {"partitions": 2}}, {"reducer": None}):
        assert "put {partition} into it" in mistake("$.output", output="x.json", **fields)
    assert job(output="x.json", shuffle={"partitions": 1}).output == "x.json"
    assert job(output="x.json").under(Path("/home")).output == "/home/x.json"
    assert job(output="s3://b/x.json").under(Path("/home")).output == "s3://b/x.json"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, 'give "batch" or a "split"'),
        ({"batch": 2, "call": "batch"}, 'leave "call" out'),
        ({"batch": 2, "skip_bad_records": -1}, "a number of records"),
        ({"batch": 2, "skip_bad_records": 1.5}, "a whole number, or a fraction"),
        ({"batch": 2, "skip_bad_records": "5"}, "a number of records"),
    ],
)
def test_bad_records_are_skipped_where_tasks_have_several(
    fields: dict[str, Any], message: str
) -> None:
    assert message in mistake("$.skip_bad_records", **{"skip_bad_records": 5, **fields})
    assert job(batch=2, skip_bad_records=0.01).skip_bad_records == 0.01
