"""Source objects of job.json: what is right, and what is said of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from amr.jobspec.job import JobSpec, json_schema
from amr.jobspec.sources import SOURCES, CsvSource, parse_source
from amr.sizes import parse_size
from tests.jobspec.test_job import job, mistake, mistakes

GOOD: list[dict[str, Any]] = [
    {"range": 5},
    {"range": [1, 9]},
    {"range": [9, 1, -2]},
    {"csv": "a.csv"},
    {"csv": ["a.csv", "b/*.csv"], "header": ["x"], "delimiter": ";", "types": {"x": "int"}},
    {"jsonl": "s3://bucket/x.jsonl.gz"},
    {"lines": "/var/log/*.log", "split": "16MB"},
    {"parquet": "a.parquet", "split": 1000},
    {"files": "**/*.png"},
    {"function": "f", "body": {"n": 3}},
    {"job": "other"},
    {"product": [[1, 2], {"range": 3}]},
    {"product": {"a": [1], "b": {"job": "x"}}},
    {"chain": [[1], {"chain": [{"range": 2}]}]},
]

BAD: list[tuple[dict[str, Any], str, str]] = [
    ({}, "$.inputs", "must name a kind of source"),
    ({"cvs": "x"}, "$.inputs", 'did you mean "csv"?'),
    ({"csv": "x", "jsonl": "y"}, "$.inputs", "found several"),
    ({"param": "x"}, "$.inputs", "give it with --param"),
    ({"range": -1}, "$.inputs.range", "below 0"),
    ({"range": [1, 2, 0]}, "$.inputs.range", "step other than 0"),
    ({"range": [1.5]}, "$.inputs.range", "whole numbers"),
    ({"range": True}, "$.inputs.range", "whole numbers"),
    ({"csv": []}, "$.inputs.csv", "must be a path"),
    ({"csv": ["a", 3]}, "$.inputs.csv", "must be a path"),
    ({"csv": "a\0b"}, "$.inputs.csv", "NUL"),
    ({"csv": "ftp://x/y"}, "$.inputs.csv", "URL of s3://"),
    ({"csv": "s3://key:secret@bucket/y"}, "$.inputs.csv", "must not hold credentials"),
    ({"csv": "a", "headers": True}, "$.inputs.headers", 'did you mean "header"?'),
    ({"csv": "a", "header": ["x", "x"]}, "$.inputs.header", "each column once"),
    ({"csv": "a", "header": 3}, "$.inputs.header", "true, false or a list"),
    ({"csv": "a", "delimiter": ",,"}, "$.inputs.delimiter", "one character"),
    ({"csv": "a", "types": {"n": "integer"}}, "$.inputs.types.n", 'did you mean "int"?'),
    ({"csv": "a", "types": []}, "$.inputs.types", "must be an object"),
    ({"lines": "a", "split": "lots"}, "$.inputs.split", "must be a size"),
    ({"lines": "a", "split": 0}, "$.inputs.split", "at least one byte"),
    ({"function": "os:system"}, "$.inputs.function", "in the registry"),
    ({"function": "f", "body": {1}}, "$.inputs.body", "cannot be written as JSON"),
    ({"job": ""}, "$.inputs.job", "the id of a job"),
    ({"product": []}, "$.inputs.product", "must be a list"),
    ({"product": [{"range": -1}]}, "$.inputs.product[0].range", "below 0"),
    ({"product": {"a": 3}}, "$.inputs.product.a", "must be a list"),
    ({"product": [{"function": "f"}]}, "$.inputs.product[0]", "stands alone"),
    ({"product": [{"lines": "a", "split": 9}]}, "$.inputs", 'leave "split" out'),
    ({"chain": 3}, "$.inputs.chain", "must be a list"),
]


@pytest.mark.parametrize("source", GOOD, ids=str)
def test_a_source_means_the_same_after_it_was_stored(source: dict[str, Any]) -> None:
    spec = job(inputs=source)
    assert JobSpec.from_header(spec.header()).inputs == spec.inputs
    validator = Draft202012Validator(json_schema())
    assert validator.is_valid({"mapper": "m", "inputs": source})


@pytest.mark.parametrize(("source", "path", "message"), BAD, ids=str)
def test_a_wrong_source_is_told_with_its_place(
    source: dict[str, Any], path: str, message: str
) -> None:
    assert message in mistake(path, inputs=source)


def test_every_mistake_of_a_source_is_told() -> None:
    source = {"csv": "a", "header": 3, "split": "x", "chain": []}
    del source["chain"]
    found = mistakes({"mapper": "a/b", "inputs": source})
    assert list(found) == ["$.mapper", "$.inputs.split", "$.inputs.header"]


def test_every_kind_of_source_is_documented() -> None:
    text = Path(__file__).parents[2].joinpath("docs", "job.md").read_text()
    assert [each.KIND for each in SOURCES if f'{{"{each.KIND}": ' not in text] == []


def test_relative_paths_are_taken_from_a_folder_and_urls_are_left() -> None:
    source = parse_source({"chain": [{"csv": ["a.csv", "../b.csv", "/c.csv", "s3://x/d.csv"]}]})
    moved = job(inputs=source).under(Path("/home/me/jobs")).inputs
    assert not isinstance(moved, list)
    (csv,) = moved.leaves()
    assert isinstance(csv, CsvSource)
    assert csv.csv == ("/home/me/jobs/a.csv", "/home/me/b.csv", "/c.csv", "s3://x/d.csv")


@pytest.mark.parametrize(
    ("text", "size"), [("16MB", 16_000_000), ("64KiB", 65_536), ("1.5 kb", 1500), (7, 7), ("9", 9)]
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size
