"""Results as they come, and single parts of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from amr.async_client import AsyncClient
from amr.client import Client
from amr.errors import (
    JobCancelledError,
    JobFailedError,
    PartNotReadyError,
    UnknownJobError,
    UsageError,
)
from amr.result_stream import WINDOW, Arrivals, StreamedResult
from tests.support.wait import wait_for


class Store:
    """What has come so far, and how much of it was asked for."""

    def __init__(self) -> None:
        self.results: dict[int, bytes] = {}
        self.dead: set[int] = set()
        self.asked: list[int] = []

    def arrivals(self) -> Arrivals:
        return Arrivals(self._fetch, lambda numbers: [number in self.dead for number in numbers])

    def _fetch(self, numbers: Sequence[int]) -> list[bytes | None]:
        self.asked.append(len(numbers))
        return [self.results.get(number) for number in numbers]


def numbers(found: Any) -> list[int]:
    return [number for number, _ in found]


def test_a_late_result_holds_up_none_behind_it() -> None:
    store = Store()
    arrivals = store.arrivals()
    store.results = dict.fromkeys(range(1, 5000), b"1")
    assert numbers(arrivals.new(10_000)) == list(range(1, 5000))
    store.results |= {0: b"1", 7000: b"1"}
    assert numbers(arrivals.new(10_000)) == [0]
    store.results |= dict.fromkeys(range(5000, 10_000), b"1")
    assert numbers(arrivals.new(10_000)) == list(range(5000, 10_000))
    assert numbers(arrivals.new(10_000)) == []


def test_a_look_costs_the_same_whatever_the_total() -> None:
    store = Store()
    arrivals = store.arrivals()
    for _ in range(5):
        store.asked.clear()
        assert numbers(arrivals.new(10**9)) == []
        assert sum(store.asked) == WINDOW


def test_a_total_that_grows_is_followed() -> None:
    store = Store()
    arrivals = store.arrivals()
    store.results = dict.fromkeys(range(10), b"1")
    assert numbers(arrivals.new(0)) == []
    assert numbers(arrivals.new(3)) == [0, 1, 2]
    assert numbers(arrivals.new(10)) == list(range(3, 10))


def test_dead_tasks_do_not_fill_the_window_and_may_be_mended() -> None:
    store = Store()
    arrivals = store.arrivals()
    store.dead = set(range(3 * WINDOW))
    store.results = {5 * WINDOW: b"1"}
    store.results |= dict.fromkeys(range(3 * WINDOW, 3 * WINDOW + 10), b"1")
    assert numbers(arrivals.new(6 * WINDOW)) == list(range(3 * WINDOW, 3 * WINDOW + 10))
    store.dead.remove(7)
    store.results[7] = b"2"
    arrivals.take_dead_back()
    assert list(arrivals.new(6 * WINDOW)) == [(7, b"2")]


def test_large_results_are_fetched_few_at_a_time() -> None:
    store = Store()
    store.results = dict.fromkeys(range(300), b"x" * (1 << 20))
    assert numbers(store.arrivals().new(300)) == list(range(300))
    assert store.asked[1:] == [8] * 25


def test_outputs_come_while_one_is_late(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    job = client.invoke({"mapper": "shapes.held", "inputs": [str(gate), *range(30)]})
    results = job.stream()
    early = [next(results) for _ in range(30)]
    assert job.status().live
    assert sorted(result.index or 0 for result in early) == list(range(1, 31))
    assert all(result.output == (result.index or 0) - 1 for result in early)
    gate.touch()
    assert list(results) == [StreamedResult(str(gate), index=0)]
    assert len(list(job.stream())) == 31


def test_partitions_come_when_they_are_done(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    words = [str(gate), *(f"w{n}" for n in range(20))]
    spec = {"mapper": "shapes.words", "inputs": words, "reducer": "shapes.held_total"}
    job = client.invoke(spec | {"shuffle": {"partitions": 2}})
    results = job.stream()
    first = next(results)
    held = 1 - (first.part or 0)
    assert job.part(first.part or 0) == first.output
    with pytest.raises(PartNotReadyError, match=r"reducing, 1 of 2 reduce tasks are done"):
        job.part(held)
    with pytest.raises(UsageError, match="no part 2: its parts are 0 to 1"):
        job.part(2)
    gate.write_text("")
    (second,) = results
    assert (second.part, second.index) == (held, None)
    assert sorted(first.output + second.output) == sorted(job.result())
    assert job.part(held) == second.output


def test_a_redrive_of_map_tasks_gives_the_partitions_again(client: Client, tmp_path: Path) -> None:
    gate, mended = tmp_path / "gate", tmp_path / "mended"
    job = client.invoke(
        {
            "mapper": "shapes.words_if",
            "inputs": [str(mended), *(f"w{n}" for n in range(20)), f"w0 {gate}"],
            "reducer": "shapes.held_total",
            "shuffle": {"partitions": 2},
            "on_failure": "collect",
            "retry": {"max_attempts": 1},
        }
    )
    results = job.stream()
    early = next(results)
    gate.write_text("fail")
    wait_for(lambda: not job.status().live)
    gate.write_text("")
    mended.touch()
    assert job.redrive().tasks == 1
    assert {result.part for result in results} == {0, 1}
    again = list(job.stream())
    assert sorted(pair for result in again for pair in result.output) == sorted(job.result())
    assert ["mended", 1] in job.result()
    assert early.part in {0, 1}


def test_a_new_version_is_followed(client: Client, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    words = [str(mended), *(f"w{n}" for n in range(20))]
    spec = {"mapper": "shapes.words_if", "inputs": words, "reducer": "amr.sum"}
    policy = {"on_failure": "collect", "retry": {"max_attempts": 1}}
    job = client.invoke({**spec, **policy, "shuffle": {"partitions": 2}})
    job.wait(20)
    results = job.stream()
    next(results)
    mended.touch()
    assert job.redrive().version == 2
    newest = list(results)[-2:]
    assert sorted(pair for result in newest for pair in result.output) == sorted(job.result())
    assert ["mended", 1] in job.result()


def test_dead_tasks_that_are_mended_come_as_well(client: Client, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    dead = WINDOW + 100
    spec = {"mapper": "shapes.if_there", "inputs": [str(mended)] * dead + [1, 2]}
    job = client.invoke({**spec, "on_failure": "collect", "retry": {"max_attempts": 1}})
    job.wait(20)
    results = job.stream()
    assert next(results).index == dead
    mended.touch()
    assert job.redrive().tasks == dead
    assert sorted(result.index or 0 for result in results) == [*range(dead), dead + 1]


def test_what_came_before_a_failure_stands(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.write_text("fail")
    words = [str(gate), *(f"w{n}" for n in range(20))]
    spec = {"mapper": "shapes.words", "inputs": words, "reducer": "shapes.held_total"}
    job = client.invoke(spec | {"shuffle": {"partitions": 2}, "retry": {"max_attempts": 1}})
    wait_for(lambda: not job.status().live)
    came: list[StreamedResult] = []
    with pytest.raises(JobFailedError, match="asked to fail"):
        came.extend(job.stream())
    assert len(came) == job.status().reduced


@pytest.mark.parametrize("again", [False, True])
def test_a_job_that_is_deleted_meanwhile_is_told(client: Client, again: bool) -> None:
    spec = {"mapper": "shapes.same", "inputs": {"range": 1000}}
    job = client.invoke(spec, id=f"deleted-{again}")
    job.wait(20)
    results = job.stream()
    next(results)
    client.prune()
    if again:
        client.invoke(spec, id=job.id).wait(20)
    with pytest.raises(UnknownJobError):
        list(results)


def test_a_cancelled_job_ends_the_stream(client: Client, tmp_path: Path) -> None:
    spec = {"mapper": "shapes.held", "inputs": [1, str(tmp_path / "never")]}
    job = client.invoke(spec | {"output": str(tmp_path / "{partition}.json")})
    results = job.stream()
    assert next(results).index == 0
    job.cancel()
    with pytest.raises(JobCancelledError):
        next(results)
    with pytest.raises(JobCancelledError):
        job.part(0)


def test_a_plain_reducer_gives_its_result_at_the_end(client: Client) -> None:
    job = client.invoke({"mapper": "shapes.slowly", "inputs": [1, 2], "reducer": "amr.sum"})
    assert list(job.stream()) == [StreamedResult(3)]
    with pytest.raises(UsageError, match="has no parts"):
        job.part(0)


def test_part_files_are_parts(client: Client, tmp_path: Path) -> None:
    files = {"output": str(tmp_path / "{job}-{partition}.json")}
    maps = client.invoke({"mapper": "shapes.double", "inputs": [1, 2], **files})
    parts = maps.result(20)["parts"]
    assert [maps.part(0), maps.part(1)] == parts
    assert [result.output for result in maps.stream()] == parts
    reduced = client.invoke(
        {"mapper": "shapes.double", "inputs": [1], "reducer": "amr.list", **files}
    )
    assert reduced.result(20)["parts"] == [reduced.part(0)]
    with pytest.raises(UsageError, match="no part 1: its only part is 0"):
        reduced.part(1)


def test_the_part_of_a_task_that_failed_is_not_there(client: Client, tmp_path: Path) -> None:
    job = client.invoke(
        {
            "mapper": "shapes.broken_at_7",
            "inputs": [6, 7],
            "on_failure": "collect",
            "retry": {"max_attempts": 1},
            "output": str(tmp_path / "{partition}.json"),
        }
    )
    assert [result.index for result in job.stream()] == [0]
    with pytest.raises(JobFailedError, match=f"part 1 failed: `amr failures {job.id}`"):
        job.part(1)


def test_the_asyncio_client_streams_too(client: Client) -> None:
    async def run() -> None:
        async with AsyncClient(client.target.url()) as asynchronous:
            spec = {"mapper": "shapes.words", "inputs": ["a b c"], "reducer": "amr.sum"}
            job = await asynchronous.invoke({**spec, "shuffle": {"partitions": 2}})
            parts = [result async for result in job.stream()]
            assert sorted(result.part or 0 for result in parts) == [0, 1]
            for result in parts:
                assert await job.part(result.part or 0) == result.output
            assert json.dumps(sorted(p for r in parts for p in r.output)) == json.dumps(
                sorted(await job.result())
            )

    asyncio.run(run())
