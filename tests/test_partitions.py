"""Several streams as one: their names, who gets which job, and how it is found again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from amr.async_client import AsyncClient
from amr.client import Client
from amr.errors import JobConflictError, RedisUnavailableError, SettingsError, UnknownJobError
from amr.partitions import StreamSet, partitions, shares
from amr.redis_url import RedisTarget, parse_redis_url
from amr.settings import resolve_targets
from tests.conftest import NewRedis
from tests.support.cli import AMR, amr, environment
from tests.support.redis_server import free_port
from tests.support.trigger_process import FUNCTIONS, TriggerProcess
from tests.support.wait import wait_for

JOB = {"mapper": "faulty.noop", "inputs": [1, 2]}


class Member:
    """A stream of a set in which some jobs are."""

    def __init__(self, stream: str, *jobs: str) -> None:
        self.target = RedisTarget("redis", "h", stream=stream)
        self.jobs = jobs


def names(targets: tuple[RedisTarget, ...]) -> list[str]:
    return [target.stream for target in targets]


def test_the_streams_of_a_url_are_numbered_and_one_alone_is_itself() -> None:
    assert names(partitions(parse_redis_url("redis://h#in/3"))) == ["in.0", "in.1", "in.2"]
    assert names(partitions(parse_redis_url("redis://h#in"))) == ["in"]
    (alone,) = partitions(parse_redis_url("redis://h#in.2"))
    assert alone == partitions(parse_redis_url("redis://h#in/3"))[2]


def test_a_job_goes_to_the_same_stream_for_ever() -> None:
    members = StreamSet([Member(f"s.{n}") for n in range(4)])
    chosen = [members.of_job(job).target.stream for job in ("a", "job-1", "pi-x7k2m9pq", "z" * 128)]
    assert chosen == ["s.3", "s.3", "s.2", "s.2"]
    spread = Counter(members.of_job(f"job-{n}").target.stream for n in range(4000))
    assert min(spread.values()) > 900


def test_a_job_is_looked_for_where_it_should_be_and_then_everywhere() -> None:
    first, second, third = Member("a"), Member("b", "x"), Member("c", "y")
    members = StreamSet([first, second, third])
    asked: list[Member] = []

    def find(job: str) -> Member:
        def has(member: Member) -> bool:
            asked.append(member)
            return job in member.jobs

        asked.clear()
        return members.find(second, has)

    assert (find("x"), asked) == (second, [second])
    assert (find("y"), asked) == (third, [second, first, third])
    assert (find("nowhere"), len(asked)) == (second, 3)


def test_a_single_stream_is_never_asked_for_a_job() -> None:
    only = Member("a")
    assert StreamSet([only]).find(only, lambda _: pytest.fail("it was asked")) is only


def test_a_stream_is_found_by_name_and_an_unknown_one_is_told() -> None:
    members = StreamSet([Member(f"in.{n}") for n in range(20)])
    assert members.named("in.7").target.stream == "in.7"
    with pytest.raises(SettingsError, match=r"no stream \'in.77\' here; there are: in.0, .* …"):
        members.named("in.77")
    with pytest.raises(SettingsError, match="is on 2 servers"):
        StreamSet([Member("a"), Member("a")]).named("a")


@pytest.mark.parametrize(
    ("processes", "streams", "expected"),
    [(8, 4, [2, 2, 2, 2]), (7, 3, [3, 2, 2]), (1, 3, [1, 1, 1]), (5, 1, [5])],
)
def test_processes_are_divided_over_the_streams(
    processes: int, streams: int, expected: list[int]
) -> None:
    assert shares(processes, streams) == expected


@pytest.mark.parametrize(
    ("given", "streams", "environ", "expected"),
    [
        ("redis://a#s", None, {}, ["a s"]),
        ("redis://a#s/2", None, {"AMR_STREAMS": "3"}, ["a s.0", "a s.1"]),
        ("redis://a#s", None, {"AMR_STREAMS": "2"}, ["a s.0", "a s.1"]),
        ("redis://a#s/3", 2, {"AMR_STREAMS": "4"}, ["a s.0", "a s.1"]),
        ("redis://a#s/3", 1, {}, ["a s"]),
        (["redis://a#s/2", "redis://b#t"], None, {}, ["a s.0", "a s.1", "b t"]),
        (None, None, {"AMR_REDIS_URL": "redis://a#s redis://b#s"}, ["a s", "b s"]),
        (None, None, {"AMR_REDIS_URL": "redis://:p w@a#s"}, ["a s"]),
        (None, 2, {"REDIS_HOST": "h"}, ["h inputs.0", "h inputs.1"]),
        (RedisTarget("redis", "a", streams=2), None, {"AMR_STREAMS": "3"}, ["a inputs.0", "a inputs.1"]),  # noqa: E501
        ([RedisTarget("redis", "a"), "redis://b"], None, {}, ["a inputs", "b inputs"]),
    ],
)  # fmt: skip
def test_streams_are_named_by_options_urls_and_variables_in_this_order(
    given: object, streams: int | None, environ: dict[str, str], expected: list[str]
) -> None:
    found = resolve_targets(given, streams, environ=environ)  # type: ignore[arg-type]
    assert [f"{target.host} {target.stream}" for target in found] == expected


@pytest.mark.parametrize(
    ("given", "environ", "complaint"),
    [
        ("redis://h", {"AMR_STREAMS": "none"}, r'AMR_STREAMS: "none" is no number of streams'),
        ("redis://h", {"AMR_STREAMS": "0"}, "1 to 256"),
        (["redis://h", "redis://h#inputs"], {}, "is named twice"),
        ("redis://h#" + "x" * 99 + "/2", {}, "cannot name a stream"),
    ],
)
def test_streams_that_cannot_be_are_refused(
    given: str, environ: dict[str, str], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        resolve_targets(given, environ=environ)


@pytest.fixture
def several(redis_target: RedisTarget) -> RedisTarget:
    """Four streams that no other test uses."""
    return replace(redis_target, streams=4)


@pytest.fixture
def client(several: RedisTarget) -> Iterator[Client]:
    with Client(several) as client:
        yield client


def where(client: Client, job: str) -> str:
    """Returns the stream that has a job."""
    (home,) = [one for one in client.streams if one.inspector.state(job)]
    return home.target.stream.rpartition(".")[2]


def test_jobs_spread_over_the_streams_and_are_listed_together(client: Client) -> None:
    jobs = [client.invoke(JOB).id for _ in range(40)]
    assert {where(client, job) for job in jobs} == {"0", "1", "2", "3"}
    listed = client.jobs(most=50)
    assert {status.job for status in listed} == set(jobs)
    assert [s.created_ms for s in listed] == sorted((s.created_ms for s in listed), reverse=True)
    assert [status.job for status in client.jobs(most=3)] == [s.job for s in listed[:3]]
    newest = client.newest()
    assert newest is not None
    assert newest.status().created_ms == listed[0].created_ms
    assert all(client.streams.of_job(job).inspector.state(job) for job in jobs)


def test_a_job_sent_by_name_is_found_by_its_id_alone(client: Client, several: RedisTarget) -> None:
    third = partitions(several)[2].stream
    ids = [client.invoke(JOB, id=f"job-{n}", stream=third).id for n in range(8)]
    assert {where(client, job) for job in ids} == {"2"}
    with Client(several) as other:
        assert all(other.job(job).status().total == 2 for job in ids)
        assert other.job("job-3").cancel()
    with Client(replace(several, stream=third, streams=1)) as alone:
        assert alone.job("job-3").status().state == "cancelled"
    with pytest.raises(SettingsError, match="there is no stream"):
        client.invoke(JOB, stream="elsewhere")


def test_an_id_is_one_job_whatever_stream_it_is_sent_to(client: Client) -> None:
    first, second = (one.target.stream for one in list(client.streams)[:2])
    assert client.invoke(JOB, id="once", stream=first).created
    assert not client.invoke(JOB, id="once").created
    assert not client.invoke(JOB, id="once", stream=second).created
    assert len(client.jobs()) == 1
    with pytest.raises(JobConflictError):
        client.invoke(JOB | {"inputs": [3]}, id="once", stream=second)


def test_a_job_that_is_on_no_stream_is_unknown(client: Client) -> None:
    with pytest.raises(UnknownJobError):
        client.job("nobody").status()


def test_streams_of_several_servers_are_a_set(
    new_redis: NewRedis, redis_target: RedisTarget
) -> None:
    other = new_redis().target.with_stream(redis_target.stream)
    with Client([redis_target, other]) as client:
        jobs = [client.invoke(JOB).id for _ in range(20)]
        assert {job.job for job in client.jobs()} == set(jobs)
        counts = [len(one.inspector.job_ids()) for one in client.streams]
        assert sum(counts) == 20
        assert all(counts)


def _is_at(client: Client, job: str, target: RedisTarget) -> bool:
    return client.streams.of_job(job).target == target


def test_a_server_of_a_set_that_is_away_is_named(redis_target: RedisTarget) -> None:
    gone = RedisTarget("redis", "127.0.0.1", free_port())
    with Client([redis_target, gone]) as client:
        with pytest.raises(
            RedisUnavailableError, match=rf":{gone.port}#inputs: it cannot be reached"
        ):
            client.jobs()
        # A job that is where its hash says is served all the same.
        here = (job for n in range(99) if _is_at(client, job := f"job-{n}", redis_target))
        there = next(here)
        with Client(redis_target) as one:
            one.invoke(JOB, id=there)
        assert client.job(there).status().total == 2


def test_the_client_for_asyncio_finds_jobs_of_a_set(several: RedisTarget) -> None:
    async def run() -> list[str]:
        async with AsyncClient(several.with_stream(several.stream), streams=4) as client:
            stream = partitions(several)[3].stream
            invoked = await client.invoke(JOB, id="a", stream=stream)
            assert (await client.job("a").status()).total == 2
            return [invoked.id, *(status.job for status in await client.jobs())]

    assert asyncio.run(run()) == ["a", "a"]


def test_a_trigger_serves_all_its_streams_and_ends_on_a_signal(
    redis_url: str, redis_target: RedisTarget, tmp_path: Path
) -> None:
    job_file = tmp_path / "job.json"
    job_file.write_text(json.dumps({**JOB, "reducer": "faulty.total"}))
    url = ("--redis-url", redis_url, "--streams", "3")
    with TriggerProcess(redis_url, tmp_path, "--streams", "3", processes=2) as trigger:
        assert "3 workers in place of 2: each stream needs one" in trigger.log()
        assert f"3 streams, {redis_target.stream}.0 of " in trigger.log()
        listed = json.loads(amr("trigger", "list", "--json", *url).out)
        assert [row["stream"][-2:] for row in listed] == [".0", ".1", ".2"]
        assert [row["workers"] for row in listed] == [1, 1, 1]
        with Client(redis_target, streams=3) as client:
            spec = {"mapper": "faulty.noop", "reducer": "faulty.total", "inputs": [1, 2, 3]}
            jobs = [client.invoke(spec, stream=one.target.stream) for one in client.streams]
            assert [job.result(20)["sum"] for job in jobs] == [6, 6, 6]
        named = f"{redis_target.stream}.1"
        invoke = amr("invoke", str(job_file), "--id", "named", "--stream", named, "--wait", *url)
        assert json.loads(invoke.out) == {"sum": 3, "count": 2}
        assert "named" in amr("status", "named", *url).out
        assert len(json.loads(amr("list", "--json", *url).out)) == 4
        assert "job succeeded" in amr("logs", *url).out
        assert (
            amr("doctor", *url, "--functions", str(FUNCTIONS)).out.count("1 up with 1 workers") == 3
        )
        assert trigger.stop() == 0
    with Client(redis_target, streams=3) as client:
        assert client.served_functions() is None  # each stream was told that its trigger has gone


def test_a_second_signal_ends_the_workers_of_all_streams_at_once(
    redis_url: str, redis_target: RedisTarget, tmp_path: Path
) -> None:
    with (
        TriggerProcess(redis_url, tmp_path, "--streams", "2") as trigger,
        Client(redis_target, streams=2) as client,
    ):
        for one in client.streams:
            client.invoke({"mapper": "faulty.sleep", "inputs": [60]}, stream=one.target.stream)
        wait_for(lambda: len(trigger.calls()) == 2)
        assert trigger.process is not None
        trigger.signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            trigger.process.wait(0.5)  # what runs has its grace
        assert trigger.stop() == 0
        assert all(job.pending + job.running == 1 for job in client.jobs())


def test_a_worker_that_dies_is_replaced_on_its_own_stream(
    redis_url: str, redis_target: RedisTarget, tmp_path: Path
) -> None:
    with (
        TriggerProcess(redis_url, tmp_path, "--streams", "2") as trigger,
        Client(redis_target, streams=2) as client,
    ):
        job = client.invoke({"mapper": "faulty.sleep", "inputs": [1.0]})
        call = wait_for(trigger.calls)[0]
        os.kill(int(call.tag), signal.SIGKILL)
        assert job.result(20) == [0]
        assert job.status().retries == 1
        assert [len(one.fleet.live_workers()) for one in client.streams] == [1, 1]
        assert trigger.stop() == 0


def test_a_trigger_one_of_whose_servers_is_away_does_not_start(
    redis_url: str, tmp_path: Path
) -> None:
    gone = f"redis://127.0.0.1:{free_port()}"
    urls = ("--redis-url", redis_url, "--redis-url", gone)
    ended = amr("trigger", "run", *urls, "--functions", str(FUNCTIONS), cwd=tmp_path)
    assert ended.code == 3
    assert "cannot be reached" in ended.err


def test_setup_keeps_the_number_of_streams(redis_url: str, tmp_path: Path) -> None:
    setup = ("trigger", "setup", "demo", "--source-uri", redis_url, "--functions", str(FUNCTIONS))
    assert amr(*setup, "--streams", "2", cwd=tmp_path).code == 0
    assert "streams = 2" in (tmp_path / "amr.toml").read_text()
    listed = json.loads(amr("trigger", "list", "--json", cwd=tmp_path).out)
    assert [(row["name"], row["stream"][-2:]) for row in listed] == [("demo", ".0"), ("demo", ".1")]
    toml = (tmp_path / "amr.toml").read_text()
    (tmp_path / "amr.toml").write_text(toml.replace("streams = 2", "streams = 257"))
    ended = amr("trigger", "run", "demo", cwd=tmp_path)
    assert ended.code == 2
    assert "streams must be a whole number from 1 to 256" in ended.err


@pytest.mark.parametrize("wrong", ["--streams=0", "--streams=257", "--streams=two"])
def test_a_number_of_streams_that_cannot_be_is_refused(redis_url: str, wrong: str) -> None:
    ended = amr("list", "--redis-url", redis_url, wrong)
    assert ended.code == 2
    assert "--streams" in ended.err


def test_up_serves_several_streams_and_others_find_them(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps(JOB))
    process = subprocess.Popen(
        [*AMR, "up", "--streams", "2", "--functions", str(FUNCTIONS)],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert "amr is up" in process.stderr.readline()
        assert (tmp_path / ".amr" / "redis.url").read_text().strip().endswith("#inputs/2")
        invoke = ("invoke", "job.json", "--stream", "inputs.1", "--id", uuid.uuid4().hex, "--wait")
        assert json.loads(amr(*invoke, cwd=tmp_path).out) == [1, 2]
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.communicate()
