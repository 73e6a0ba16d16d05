"""Sources, batches and chains, end to end."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from amr.client import Client
from amr.errors import JobFailedError, JobSpecError, UsageError
from tests.mapreduce.conftest import Run


def test_a_chain_of_mappers_before_the_fan_in(run: Run) -> None:
    assert run(["shapes.double", "shapes.plus"], {"range": 5}) == [1, 3, 5, 7, 9]
    assert run(["shapes.double", "shapes.later", "shapes.plus"], [1]) == [103]
    assert run(["shapes.ten", "shapes.same"], [2]) == [list(range(20, 30))]


def test_the_step_of_a_chain_that_failed_is_named(run: Run) -> None:
    with pytest.raises(JobFailedError, match=r"shapes\.broken_at_7: seven"):
        run(["shapes.plus", "shapes.broken_at_7"], [6], retry={"max_attempts": 1})


@pytest.mark.parametrize("mapper", ["shapes.double", "shapes.later"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_batch_has_the_results_of_its_records(run: Run, mapper: str, size: int) -> None:
    assert run(mapper, {"range": 10}, batch=size) == run(mapper, {"range": 10})


def test_a_reducer_gets_the_outputs_of_records(run: Run) -> None:
    assert run("shapes.double", {"range": 10}, batch=4, reducer="amr.sum") == 90
    assert run("shapes.double", {"range": 10}, reducer="amr.top(2)") == [18, 16]


def test_a_batch_may_be_called_whole(run: Run) -> None:
    assert run("shapes.doubled", {"range": 5}, batch=2, call="batch") == [0, 2, 4, 6, 8]
    with pytest.raises(JobFailedError, match="3 records, and must return a list of as many"):
        run("shapes.too_few", {"range": 3}, batch=3, call="batch")


def test_a_batch_is_one_task_and_its_broken_record_is_named(client: Client) -> None:
    spec = {"mapper": "shapes.broken_at_7", "inputs": {"range": 10}, "batch": 5}
    job = client.invoke(spec | {"retry": {"max_attempts": 1}, "on_failure": "collect"})
    result = job.result(60)
    assert result["results"] == {"count": 5, "results": [0, 1, 2, 3, 4]}
    assert job.status().total == 2
    (failed,) = job.failures()
    assert failed.input == [5, 6, 7, 8, 9]
    assert "seven" in failed.error["message"]
    assert failed.error["message"].endswith("record 2")


def test_splits_are_read_by_the_workers(run: Run, client: Client, text: Path) -> None:
    lines = text.read_text().splitlines()
    source: dict[str, Any] = {"lines": str(text), "split": "5kB"}
    assert run("shapes.same", source) == lines
    job = client.invoke({"mapper": "shapes.same", "inputs": source})
    assert job.result(60) == lines
    assert job.status().total == -(-text.stat().st_size // 5000)
    stored = client.inspector.input(job.id, 1)
    assert stored is not None
    assert len(stored) < 300


def test_items_and_splits_may_be_mixed(run: Run, text: Path) -> None:
    lines = text.read_text().splitlines()
    source = {"chain": [["first"], {"lines": str(text), "split": "50kB"}, ["last", "very"]]}
    assert run("shapes.same", source) == ["first", *lines, "last", "very"]
    assert run("shapes.same", source, batch=2) == ["first", *lines, "last", "very"]


def test_outputs_of_a_job_are_inputs_of_another(run: Run, client: Client) -> None:
    first = client.invoke({"mapper": "shapes.double", "inputs": {"range": 4}, "batch": 3})
    first.wait(60)
    assert run("shapes.plus", {"job": first.id}) == [1, 3, 5, 7]
    with pytest.raises(UsageError, match="no job 'nobody'"):
        run("shapes.plus", {"job": "nobody"})


def test_parameters_take_the_places_that_the_job_gives_them(run: Run) -> None:
    params = {"numbers": [1, 2], "one": 5}
    inputs = {"product": [{"param": "numbers"}, [{"param": "numbers"}]]}
    assert run("shapes.same", inputs, params={"numbers": [1, 2]}) == [
        [1, {"param": "numbers"}],
        [2, {"param": "numbers"}],
    ]
    with pytest.raises(JobSpecError, match=r'\$\.inputs: needs the parameter "numbrs"'):
        run("shapes.same", {"param": "numbrs"}, params=params)
    with pytest.raises(UsageError, match='has no parameter "one"'):
        run("shapes.same", {"param": "numbers"}, params=params)


@pytest.mark.parametrize("split", [None, 100])
def test_a_file_that_is_not_there_leaves_no_job(
    run: Run, client: Client, tmp_path: Path, split: int | None
) -> None:
    live = len([job for job in client.jobs() if job.live])
    with pytest.raises(JobSpecError, match=re.escape(f"{tmp_path}/x.csv: there is no such file")):
        run("shapes.same", {"csv": str(tmp_path / "x.csv"), "split": split})
    assert len([job for job in client.jobs() if job.live]) == live


def test_a_broken_row_is_told_and_cancels_what_was_begun(
    run: Run, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "1,2\n" * 5000 + "3\n")
    with pytest.raises(JobSpecError, match=r"\$\.inputs: .*byte 20,004: a row of 1 cells"):
        run("shapes.same", {"csv": str(path)})
    assert [job.state for job in client.jobs(most=1)] == ["cancelled"]


def test_a_source_gives_the_same_job_under_the_same_id(client: Client, text: Path) -> None:
    spec = {"mapper": "shapes.same", "inputs": {"lines": str(text), "split": "20kB"}}
    assert client.invoke(spec, id="lines").created
    assert not client.invoke(spec, id="lines").created


def test_a_function_makes_the_inputs(run: Run, client: Client) -> None:
    source = {"function": "shapes.numbers", "body": {"n": 5000}}
    assert run("shapes.double", source) == [2 * n for n in range(5000)]
    assert run("shapes.double", source, batch=300, reducer="amr.sum") == sum(range(5000)) * 2
    hundred = {"function": "shapes.numbers", "body": {"n": 100}}
    assert run("shapes.double", hundred, reducer="amr.list") == list(range(0, 200, 2))
    assert run("shapes.double", {"function": "shapes.listed"}) == [2, 4, 6]
    assert run("shapes.double", {"function": "shapes.listed_later"}) == [2, 4, 6]
    assert run("shapes.double", {"function": "shapes.numbers", "body": {"n": 0}}) == []


def test_inputs_of_an_attempt_that_failed_are_none(run: Run) -> None:
    assert run("shapes.double", {"function": "shapes.fails_first"}) == [2, 4]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("shapes.no_list", "must return or yield the inputs, one by one; returned a str"),
        ("shapes.not_json", r"\$\.inputs\[1\] is of type set"),
        ("shapes.broken_at_7", "returned a int"),
    ],
)
def test_a_function_that_makes_no_inputs_fails_the_job(
    run: Run, function: str, message: str
) -> None:
    with pytest.raises(JobFailedError, match=f"the inputs could not be made .*{message}"):
        run("shapes.double", {"function": function, "body": 1})
