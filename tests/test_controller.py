"""Submission: chunks, idempotence, limits."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from amr.client import Client
from amr.errors import JobConflictError, JobSpecError, UsageError
from amr.redis_url import RedisTarget
from amr.store.keys import Keys
from amr.store.link import Link
from tests.conftest import NewRedis
from tests.support.invariant import check_invariant

SPEC = {"mapper": "f.map", "inputs": [1, 2, 3]}


@pytest.fixture
def client(redis_target: RedisTarget) -> Iterator[Client]:
    with Client(redis_target) as client:
        yield client


def inputs_of(client: Client, job: str, total: int) -> list[bytes | None]:
    return [client.inspector.input(job, index) for index in range(total)]


def test_a_small_job_is_sent_in_one_round_trip(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: list[int] = []
    run_all = Link.run_all

    def counting(self: Link, calls: Any) -> Any:
        trips.append(len(calls))
        return run_all(self, calls)

    monkeypatch.setattr(Link, "run_all", counting)
    client.invoke(SPEC)
    assert trips == [2, 2, 3]  # who serves it; is there room; create, append and seal


def test_ids_begin_with_the_jobs_name(client: Client) -> None:
    assert client.invoke(SPEC | {"name": "Größe der Welt!"}).id.startswith("gr-e-der-welt-")
    assert client.invoke(SPEC).id.startswith("f-map-")
    assert client.invoke(SPEC | {"name": "日本"}).id.startswith("job-")


def test_the_same_id_and_content_are_the_same_job(client: Client) -> None:
    assert client.invoke(SPEC, id="k").created
    again = client.invoke(SPEC, id="k")
    assert (again.id, again.created) == ("k", False)
    assert client.job("k").status().total == 3


@pytest.mark.bad_input(31)
def test_another_content_under_the_same_id_is_refused(client: Client) -> None:
    client.invoke(SPEC, id="k")
    for other in (
        SPEC | {"inputs": [1, 2, 4]},
        SPEC | {"inputs": [1, 2]},
        SPEC | {"concurrency": 5},
    ):
        with pytest.raises(JobConflictError):
            client.invoke(other, id="k")
    check_invariant(client.streams.of_job("").link, client.streams.of_job("").keys, "k")


def test_a_submission_cut_anywhere_is_completed_by_the_same_id(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amr.inputs.CHUNK_INPUTS", 10)
    spec = SPEC | {"inputs": list(range(55))}
    run_all = Link.run_all
    for cut in range(2, 8):
        job = f"cut-{cut}"
        left = cut

        def cutting(self: Link, calls: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return run_all(self, calls)

        monkeypatch.setattr(Link, "run_all", cutting)
        with pytest.raises(KeyboardInterrupt):
            client.invoke(spec, id=job)
        monkeypatch.setattr(Link, "run_all", run_all)
        client.invoke(spec, id=job)
        status = client.job(job).status()
        assert (status.submitted, status.total) == (True, 55)
        assert inputs_of(client, job, 55) == [b"%d" % value for value in range(55)]
        check_invariant(client.streams.of_job("").link, client.streams.of_job("").keys, job)


def test_many_inputs_are_sent_with_flat_memory(client: Client) -> None:
    tracemalloc.start()
    job = client.invoke(SPEC | {"inputs": []}, inputs=({"n": n} for n in range(100_000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert job.status().total == 100_000
    assert peak < 20_000_000
    assert client.inspector.input(job.id, 99_999) == b'{"n":99999}'


def test_what_a_job_takes_grows_with_its_inputs_and_not_faster(
    client: Client, redis_target: RedisTarget, redis_client: redis.Redis
) -> None:
    taken = []
    base = Keys(redis_target.stream).base
    for total in (1000, 10_000):
        client.invoke(SPEC | {"inputs": [{"number": n, "text": "x" * 50} for n in range(total)]})
        keys = list(redis_client.scan_iter(base + "*", count=1000))
        taken.append(sum(redis_client.memory_usage(key, samples=0) or 0 for key in keys))
    assert 5 * taken[0] < taken[1] < 12 * taken[0]  # of both jobs together
    # An entry has its own input, and no other.
    bodies = [json.loads(fields[b"body"]) for _, fields in redis_client.xrange(base)]
    assert [body["number"] for body in bodies] == list(range(len(bodies) // 2)) * 2


def test_large_inputs_are_chunked_by_their_bytes(client: Client) -> None:
    job = client.invoke(SPEC | {"inputs": ["x" * 3_000_000] * 5})
    assert job.status().total == 5


def test_an_input_that_is_not_json_is_named_and_nothing_goes_on(client: Client) -> None:
    with pytest.raises(JobSpecError, match=r"\$\.inputs\[2\].*set"):
        client.invoke(SPEC | {"inputs": []}, inputs=[1, 2, {3}])
    assert client.inspector.active_ids() == []
    assert client.jobs(state="cancelled") or not client.jobs()


@pytest.mark.bad_input(14)
def test_an_input_over_the_limit_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amr.store.inspect.MAX_BODY_BYTES", 1_500_000)
    with pytest.raises(JobSpecError, match=r"\$\.inputs\[1\]: is 2,000,002 bytes"):
        client.invoke(SPEC | {"inputs": ["a", "b" * 2_000_000]})


@pytest.mark.bad_input(30)
@pytest.mark.parametrize("job", ["", "a b", "{x}", "a:b", "-x", "x" * 129, "a\nb", "é"])
def test_ids_that_cannot_be_are_refused(client: Client, job: str) -> None:
    with pytest.raises(UsageError, match="job id"):
        client.invoke(SPEC, id=job)
    with pytest.raises(UsageError, match="job id"):
        client.job(job)


def test_a_job_that_ends_while_it_is_sent_stops_the_sending(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amr.inputs.CHUNK_INPUTS", 10)
    sent = 0

    def inputs() -> Iterator[int]:
        nonlocal sent
        for value in range(1000):
            sent += 1
            if value == 35:
                client.job("short").cancel()
            yield value

    client.invoke(SPEC | {"inputs": []}, id="short", inputs=inputs())
    assert sent < 100
    assert client.job("short").status().state == "cancelled"


def test_an_input_that_this_redis_would_refuse_is_named(new_redis: NewRedis) -> None:
    server = new_redis(options=["--proto-max-bulk-len", "1mb"])
    with Client(server.target) as client:
        with pytest.raises(JobSpecError, match=r"\$\.inputs\[1\].* at most 1,048,576 are taken"):
            client.invoke(SPEC | {"inputs": ["a", "b" * 2_000_000]})
        assert client.inspector.active_ids() == []
