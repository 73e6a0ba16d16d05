"""One job after the other: pipelines, iterations, and what is passed along."""

from __future__ import annotations

from typing import Any

import pytest

from amr.client import Client
from amr.errors import JobConflictError, JobFailedError, JobSpecError, UnknownJobError
from tests.mapreduce.conftest import Run
from tests.support.wait import wait_for


def test_the_next_job_gets_what_this_one_gives(client: Client) -> None:
    spec = {"mapper": "shapes.double", "inputs": [1, 2, 3], "then": {"mapper": "shapes.plus"}}
    first = client.invoke(spec)
    last = first.last()
    assert last.id == f"{first.id}.2"
    assert last.result(60) == [3, 5, 7]
    assert first.result() == [2, 4, 6]
    assert (last.status().after, first.status().next) == (first.id, last.id)


def test_a_chain_of_three_with_shuffles_reducers_and_batches(client: Client) -> None:
    spec = {
        "mapper": "shapes.words",
        "inputs": ["a b a", "b c b"],
        "reducer": "amr.sum",
        "shuffle": {"partitions": 2},
        "then": {
            "mapper": "shapes.second",
            "batch": 2,
            "reducer": "amr.list",
            "then": {"mapper": "shapes.double", "reducer": "amr.sum"},
        },
    }
    assert client.invoke(spec).last().result(60) == 12


def test_a_chain_under_an_id_is_the_same_chain(client: Client) -> None:
    spec = {"mapper": "shapes.double", "inputs": [1], "then": {"mapper": "shapes.plus"}}
    assert client.invoke(spec, id="chain").last().result(60) == [3]
    again = client.invoke(spec, id="chain")
    assert (again.created, again.last().id) == (False, "chain.2")
    assert again.last().result(60) == [3]


def test_a_chain_does_not_take_the_id_of_another_job(client: Client) -> None:
    other = client.invoke({"mapper": "shapes.same", "inputs": [9]}, id="taken.2")
    spec = {"mapper": "shapes.double", "inputs": [1], "then": {"mapper": "shapes.plus"}}
    with pytest.raises(JobConflictError, match=r"taken\.2"):
        client.invoke(spec, id="taken")
    with pytest.raises(UnknownJobError):
        client.job("taken").status()
    assert other.result(60) == [9]


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_failure_and_cancel_pass_along(client: Client, how: str) -> None:
    then: dict[str, Any] = {"mapper": "shapes.plus", "then": {"mapper": "shapes.plus"}}
    mapper = "shapes.broken_at_7" if how == "failed" else "shapes.straggles"
    inputs = [7] if how == "failed" else [5]
    document = {"mapper": mapper, "inputs": inputs, "retry": {"max_attempts": 1}, "then": then}
    job = client.invoke(document)
    if how == "cancelled":
        job.cancel()
    last = job.last()
    assert last.id == f"{job.id}.3"
    told = f"the outputs of job {job.id} are no inputs: it is {how}"
    with pytest.raises(JobFailedError, match=told):
        client.job(f"{job.id}.2").result(60)
    with pytest.raises(JobFailedError, match=f"outputs of job {job.id}.2 are no inputs"):
        last.result(60)


def test_a_running_job_is_waited_for(client: Client) -> None:
    first = client.invoke({"mapper": "shapes.slowly", "inputs": [1, 2]})
    second = client.invoke({"mapper": "shapes.plus", "inputs": {"job": first.id}})
    assert second.status().state == "submitting"
    assert second.result(60) == [2, 3]
    with pytest.raises(UnknownJobError):
        client.invoke({"mapper": "shapes.plus", "inputs": {"job": "nobody"}}, id="orphan")
    with pytest.raises(UnknownJobError):
        client.job("orphan").status()


def test_what_is_wrong_in_the_next_job_is_told_with_its_path(run: Run) -> None:
    with pytest.raises(JobSpecError) as caught:
        run("m", [1], then={"mapper": "a/b", "inputs": [], "retries": 1})
    assert "$.then.inputs: are what the job before gives" in str(caught.value)
    with pytest.raises(JobSpecError) as caught:
        run("shapes.same", [1], then={"mapper": "a/b", "retries": 1, "then": 3})
    assert [problem.path for problem in caught.value.problems] == [
        "$.then.mapper",
        "$.then.then",
        "$.then.retries",
    ]
    with pytest.raises(JobSpecError, match=r"\$\.then\.mapper: no function"):
        run("shapes.same", [1], then={"mapper": "unknown"})


def test_nothing_waits_when_all_is_done(client: Client) -> None:
    wait_for(lambda: client.fleet.backlog().pending == 0, 10)
