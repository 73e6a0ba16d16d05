"""Bad records are found, skipped and listed; the others of their tasks count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amr.client import Client
from amr.errors import JobFailedError
from tests.mapreduce.conftest import Run

RETRY = {"max_attempts": 2, "backoff": "10ms"}


def spec(mapper: str, numbers: range, **fields: Any) -> dict[str, Any]:
    source = {"range": [numbers.start, numbers.stop]}
    base = {"mapper": mapper, "inputs": source, "batch": 10, "retry": RETRY}
    return base | {"skip_bad_records": 3} | fields


@pytest.mark.parametrize("mapper", ["shapes.picky_mapper", "shapes.picky_later"])
def test_a_record_that_fails_is_skipped(client: Client, mapper: str) -> None:
    job = client.invoke(spec(mapper, range(30)))
    assert job.result(60) == [n for n in range(30) if n != 13]
    (skipped,) = job.skipped()
    assert (skipped.index, skipped.record, skipped.input) == (1, 3, 13)
    assert skipped.error["message"].endswith("record 3")
    (group,) = job.error_groups()
    assert (group.type, group.count, group.places) == ("ValueError", 1, ("map[1] record 3",))
    assert group.where.startswith("shapes.py:")
    assert job.status().counters["amr.records"] == 30


def test_a_record_that_kills_its_worker_is_skipped(client: Client) -> None:
    job = client.invoke(spec("shapes.picky_mapper", range(60, 80)))
    assert job.result(60) == [n for n in range(60, 80) if n != 66]
    (skipped,) = job.skipped()
    assert (skipped.index, skipped.record) == (0, 6)
    assert "was killed by SIGSEGV" in skipped.error["message"]


def test_a_record_is_skipped_whole_with_the_pairs_it_gave(run: Run) -> None:
    document = spec("shapes.picky_pairs", range(20), reducer="amr.count", shuffle={"partitions": 1})
    assert run(document.pop("mapper"), document.pop("inputs"), **document) == [[0, 10], [1, 9]]


def test_records_that_cannot_be_read_are_bad_ones_too(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("1\n{\n3\n")
    document = spec("shapes.same", range(0), inputs={"jsonl": str(path), "split": "1MB"})
    job = client.invoke(document)
    assert job.result(60) == [1, 3]
    (skipped,) = job.skipped()
    assert (skipped.record, skipped.input) == (1, None)
    assert "not JSON" in skipped.error["message"]


@pytest.mark.parametrize("most", [0, 0.01])
def test_more_than_the_job_allows_fail_it(client: Client, most: float) -> None:
    job = client.invoke(spec("shapes.picky_mapper", range(20), skip_bad_records=most))
    with pytest.raises(JobFailedError, match="1 bad records are more than skip_bad_records allows"):
        job.result(60)
