"""Outputs that are too large for Redis are files in the store; nobody notices but Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from amr.client import Client
from amr.local_run import LocalInstance
from amr.storage.info import SourceError
from amr.store.keys import Keys
from amr.store.link import Link
from amr.worker.order import Functions
from tests.mapreduce.conftest import FUNCTIONS
from tests.support.invariant import read

WIDE = [{"n": n, "text": "x" * n * 1000} for n in range(8)]
Files = Callable[[], list[str]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMR_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def client(store: Path) -> Iterator[Client]:
    served = Functions(str(FUNCTIONS), {})
    with LocalInstance(served, 2) as instance, Client(instance.target) as client:
        yield client


@pytest.fixture
def files(store: Path) -> Files:
    """Tells what the files of jobs are: the stage and index of each."""
    return lambda: sorted(path.name.rpartition("-")[0] for path in store.glob("*/*.json"))


def test_only_large_outputs_are_files(client: Client, files: Files) -> None:
    job = client.invoke({"mapper": "trees.same", "inputs": WIDE, "spill": "4kB"})
    assert job.result(30) == WIDE
    assert files() == [f"map-{n:06}" for n in range(4, 8)]
    key = Keys(client.target.stream).job_key("outputs", job.id)
    assert len(read(Link(client.target), "HGET", key, 7)) < 500


def test_a_reducer_gets_them_and_its_result_is_one(client: Client, files: Files) -> None:
    document = {"mapper": "trees.same", "inputs": WIDE, "reducer": "amr.list", "spill": "4kB"}
    assert client.invoke(document).result(30) == WIDE
    assert files() == [*(f"map-{n:06}" for n in range(4, 8)), "reduce-000000"]


@pytest.mark.parametrize(
    "fields",
    [
        {"reducer": "trees.listed", "reduce_tree": 3},
        {"batch": 3},
        {"reducer": "trees.listed", "batch": 3},
    ],
    ids=["tree", "batch", "batch and reducer"],
)
def test_every_kind_of_task_may_have_a_large_output(
    client: Client, files: Files, fields: dict[str, Any]
) -> None:
    document = {"mapper": "trees.same", "inputs": WIDE, "spill": "1kB", **fields}
    assert client.invoke(document).result(30) == WIDE
    assert files()


def test_a_shuffled_job(client: Client, files: Files) -> None:
    document = {
        "mapper": "shapes.words",
        "inputs": ["a b c d e f g h " * 50],
        "reducer": "amr.list",
        "shuffle": {"partitions": 2},
        "spill": "100B",
    }
    found = client.invoke(document).result(30)
    assert sorted(key for key, _ in found) == list("abcdefgh")
    assert files() == ["reduce-000000", "reduce-000001"]


def test_the_next_job_gets_them(client: Client) -> None:
    then = {"mapper": "trees.same"}
    job = client.invoke({"mapper": "trees.same", "inputs": WIDE, "spill": "1kB", "then": then})
    following = job.next()
    assert following is not None
    assert following.result(30) == WIDE


def test_the_event_of_the_end_says_where_it_is(client: Client) -> None:
    job = client.invoke(
        {"mapper": "trees.same", "inputs": WIDE, "reducer": "amr.list", "spill": "1kB"}
    )
    job.result(30)
    shown = [event.fields["result"] for event in job.events() if event.kind == "succeeded"]
    assert set(json.loads(shown[0])) == {"file", "bytes"}


def test_who_cannot_reach_the_store_is_told_what_is_missing(client: Client, store: Path) -> None:
    job = client.invoke({"mapper": "trees.same", "inputs": WIDE, "spill": "1kB"})
    job.wait(30)
    store.rename(store.with_name("elsewhere"))
    with pytest.raises(SourceError, match="a folder that the workers share"):
        job.result(30)
