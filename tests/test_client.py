"""The client, plain and for asyncio, against a real trigger."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import amr
from amr.client import Client
from amr.redis_url import RedisTarget
from tests.support.trigger_process import TriggerProcess
from tests.support.wait import wait_for


@pytest.fixture(scope="module")
def served(redis_server: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisTarget]:
    """A stream with a trigger, for all tests of this module."""
    target: RedisTarget = redis_server.target.with_stream("client-tests")  # type: ignore[attr-defined]
    folder: Path = tmp_path_factory.mktemp("trigger")
    with TriggerProcess(target.url(), folder):
        yield target


@pytest.fixture
def client(served: RedisTarget) -> Iterator[Client]:
    with Client(served) as client:
        yield client


@pytest.mark.fault(43)
def test_values_come_back_exactly(client: Client) -> None:
    values = [2**53 + 1, 2**63, -(2**63), 1e-300, 0.1, [], {}, "", "grüß\u0000", None, True, [[1]]]
    values += ["7", {"a": [1, {"b": None}]}]
    assert client.invoke({"mapper": "faulty.noop", "inputs": values}).result(20) == values


def test_the_reducer_gets_the_outputs_in_input_order(client: Client) -> None:
    spec = {
        "mapper": "faulty.double",
        "reducer": "faulty.noop",
        "inputs": list(range(3000)),
        "reduce": {"points": 7},
    }
    assert client.invoke(spec).result(20) == {"points": 7, "inputs": [2 * n for n in range(3000)]}


@pytest.mark.bad_input(11)
@pytest.mark.parametrize("values", [[], [5]])
def test_empty_and_single_inputs_reduce(client: Client, values: list[int]) -> None:
    spec = {"mapper": "faulty.noop", "reducer": "faulty.total", "inputs": values}
    assert client.invoke(spec).result(20) == {"sum": sum(values), "count": len(values)}


def test_unknown_functions_are_refused_by_what_is_served(client: Client) -> None:
    with pytest.raises(amr.JobSpecError, match=r'did you mean "faulty.double"'):
        client.invoke({"mapper": "faulty.dubble", "inputs": [1]})


def test_events_can_be_followed_and_read_again(client: Client) -> None:
    job = client.invoke({"mapper": "faulty.talk", "inputs": [1]})
    kinds = [event.kind for event in job]
    assert kinds[0] == "created"
    assert kinds[-1] == "succeeded"
    assert kinds.count("log") == 2
    lifecycle = [event.kind for event in job.events(follow=False, lines=False)]
    assert lifecycle == [kind for kind in kinds if kind != "log"]
    created = next(iter(job)).time_ms
    assert list(job.events(since_ms=created + 60_000, follow=False)) == []


def test_failures_are_told_with_input_and_traceback(client: Client) -> None:
    job = client.invoke({"mapper": "faulty.odd", "inputs": [0, 7], "on_failure": "collect"})
    job.wait(20)
    (failed,) = job.failures()
    assert (failed.index, failed.input, failed.attempts) == (1, 7, 1)
    assert failed.error["type"] == "PermanentError"
    assert "faulty.py" in failed.error["traceback"]
    assert failed.error["worker"]


def test_a_job_that_failed_or_was_cancelled_has_no_result(client: Client) -> None:
    failing = client.invoke({"mapper": "faulty.odd", "inputs": [1]})
    with pytest.raises(amr.JobFailedError, match="1 is odd"):
        failing.result(20)
    with pytest.raises(amr.UsageError, match="has ended already"):
        failing.cancel()
    long = client.invoke({"mapper": "faulty.sleep", "inputs": [60]})
    assert long.cancel()
    assert not long.cancel()
    with pytest.raises(amr.JobCancelledError):
        long.result(20)


def test_a_wait_that_runs_out_leaves_the_job_alone(client: Client) -> None:
    job = client.invoke({"mapper": "faulty.sleep", "inputs": [1]})
    with pytest.raises(amr.WaitTimeoutError):
        job.wait(0.1)
    assert job.result(20) == [0]


@pytest.mark.bad_input(37)
def test_an_unknown_job_is_told(client: Client) -> None:
    for use in ("status", "details", "wait", "result", "failures", "cancel"):
        with pytest.raises(amr.UnknownJobError, match="nobody"):
            getattr(client.job("nobody"), use)()
    with pytest.raises(amr.UnknownJobError, match="nobody"):
        client.job("nobody").task(0)


def test_what_functions_make_once_is_made_once_in_each_worker(client: Client) -> None:
    calls: list[list[int]] = []
    for mapper in ("faulty.clients", "faulty.clients_later", "faulty.clients"):
        calls += client.invoke({"mapper": mapper, "inputs": {"range": 100}}).result(20)
    made = {tuple(call) for call in calls}
    assert len(calls) == 300
    assert len(made) == len({worker for worker, *_ in made}) <= 2


def test_threads_may_share_a_client(client: Client) -> None:
    results: dict[int, object] = {}

    def work(number: int) -> None:
        spec = {"mapper": "faulty.double", "inputs": [number] * 50}
        results[number] = client.invoke(spec).result(20)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: [2 * n] * 50 for n in range(8)}


def test_a_redis_that_is_not_there_is_told_without_its_password() -> None:
    client = Client("redis://:s3cret@127.0.0.1:1#x")
    with pytest.raises(amr.RedisUnavailableError, match=r"127\.0\.0\.1:1") as caught:
        client.jobs()
    assert "s3cret" not in str(caught.value)


@pytest.mark.fault(24, 25)
def test_a_job_of_ten_thousand_keeps_its_stream_small(client: Client) -> None:
    job = client.invoke({"mapper": "faulty.noop", "inputs": list(range(10_000))})
    assert job.result(30) == list(range(10_000))
    wait_for(lambda: client.fleet.backlog().entries == 0)


@pytest.mark.fault(31)
def test_the_asyncio_client_does_the_same(served: RedisTarget) -> None:
    async def run() -> None:
        async with amr.AsyncClient(served.url()) as client:
            jobs = [
                await client.invoke({"mapper": "faulty.double", "inputs": [n]}) for n in range(5)
            ]
            assert await asyncio.gather(*(job.result(20) for job in jobs)) == [
                [2 * n] for n in range(5)
            ]
            slow = await client.invoke({"mapper": "faulty.sleep", "inputs": [1]})
            waiting = asyncio.create_task(slow.result(20))
            await asyncio.sleep(0.1)
            waiting.cancel()
            assert (await slow.status()).live
            (stage,) = (await slow.details()).stages
            assert (stage.stage, stage.total) == ("map", 1)
            assert [worker.stream for worker in await client.workers()] == [served.stream] * 2
            assert await slow.result(20) == [0]
            task = await slow.task(0)
            assert (task.state, task.input, task.output) == (
                "done",
                1,
                amr.TaskOutput("value", 0, bytes=1),
            )
            kinds = [event.kind async for event in jobs[0]]
            assert (kinds[0], kinds[-1]) == ("created", "succeeded")
            assert await client.newest() is not None

    asyncio.run(run())
