"""A trigger of four streams on a real Redis Cluster: its whole life, moves of slots, dead nodes."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from amr.client import Client
from amr.job_control import Redriven
from amr.redis_url import RedisTarget
from tests.conftest import short_directory
from tests.support.cli import amr
from tests.support.redis_cluster import ClusterNode, RedisCluster
from tests.support.trigger_process import TriggerProcess
from tests.support.wait import wait_for

TOTAL = {"sum": 780, "count": 40}


@pytest.fixture
def target(redis_cluster: RedisCluster) -> RedisTarget:
    """Four streams that no other test uses."""
    return redis_cluster.target(f"test-{uuid.uuid4().hex[:12]}", streams=4)


@pytest.fixture
def trigger(target: RedisTarget, tmp_path: Path) -> Iterator[TriggerProcess]:
    with TriggerProcess(target.url(), tmp_path, processes=4) as process:
        yield process


@pytest.fixture
def client(target: RedisTarget) -> Iterator[Client]:
    with Client(target) as client:
        yield client


def streams_of(client: Client) -> list[str]:
    """Returns the names of a client's streams."""
    return [one.target.stream for one in client.streams]


def slow_jobs(client: Client, reducer: str = "faulty.total") -> list[str]:
    """Submits a job to each stream that takes a while, and returns their ids."""
    spec = {"mapper": "faulty.sleep", "reducer": reducer, "inputs": [0.05] * 40}
    return [client.invoke(spec, stream=stream).id for stream in streams_of(client)]


def test_four_streams_are_on_all_three_nodes(redis_cluster: RedisCluster, client: Client) -> None:
    owners = {redis_cluster.owner(stream).port for stream in streams_of(client)}
    assert owners == {node.port for node in redis_cluster.nodes}


def test_jobs_live_their_whole_life_on_the_nodes_of_a_cluster(
    redis_cluster: RedisCluster, client: Client, trigger: TriggerProcess
) -> None:
    totals = [
        client.invoke({"mapper": "faulty.double", "reducer": "faulty.total", "inputs": [n, 1]})
        for n in range(24)
    ]
    retry = {"max_attempts": 3, "backoff": "10ms"}
    retried = client.invoke({"mapper": "faulty.third_time", "inputs": [0] * 4, "retry": retry})
    failed = client.invoke({"mapper": "faulty.odd", "inputs": [0, 1, 2], "on_failure": "collect"})
    assert [job.result(30)["sum"] for job in totals] == [2 * n + 2 for n in range(24)]
    assert retried.result(30) == [3] * 4
    assert failed.result(30)["results"]["results"] == [0, 2]
    assert [failure.index for failure in failed.failures()] == [1]
    assert client.job(failed.id).redrive() == Redriven(1, 2)
    assert failed.result(30)["failures"]["count"] == 1
    held = client.invoke({"mapper": "faulty.sleep", "inputs": [0.05] * 4})
    client.job(held.id).pause()
    client.job(held.id).resume()
    assert held.result(30) == list(range(4))
    # Not before: each stream has one worker, and this one takes it.
    long = client.invoke({"mapper": "faulty.sleep", "inputs": [60, 60]})
    wait_for(lambda: long.status().running)
    assert client.job(long.id).cancel()
    for stream in streams_of(client):
        assert redis_cluster.owner(stream).jobs_of(stream)
    listed = {status.job: status.state for status in client.jobs()}
    assert len(listed) == 28
    assert (listed[long.id], listed[retried.id]) == ("cancelled", "succeeded")
    wait_for(lambda: [one.fleet.backlog().entries for one in client.streams] == [0] * 4)
    assert trigger.stop() == 0


def test_commands_find_jobs_of_a_cluster_by_their_ids(
    target: RedisTarget, trigger: TriggerProcess, tmp_path: Path
) -> None:
    job_file = tmp_path / "job.json"
    job_file.write_text(json.dumps({"mapper": "faulty.talk", "inputs": [7]}))
    url = ("--redis-url", target.url())
    named = f"{target.stream}.2"
    invoked = amr("invoke", str(job_file), "--id", "told", "--stream", named, "--wait", *url)
    assert (invoked.code, json.loads(invoked.out)) == (0, [7])
    assert "said 7" in amr("logs", *url).out
    assert "succeeded" in amr("status", "told", *url).out
    assert json.loads(amr("list", "--json", *url).out)[0]["id"] == "told"
    rows = json.loads(amr("trigger", "list", "--json", *url).out)
    assert [row["workers"] for row in rows] == [1, 1, 1, 1]


def test_a_stream_that_moves_under_a_running_job_is_followed(
    redis_cluster: RedisCluster, client: Client, trigger: TriggerProcess
) -> None:
    jobs = slow_jobs(client)
    wait_for(lambda: len(trigger.calls("end")) > 8)
    moved = streams_of(client)[1]
    others = itertools.cycle(redis_cluster.nodes)
    for _ in range(3):
        to = next(node for node in others if node is not redis_cluster.owner(moved))
        redis_cluster.begin_move(moved, to)
        redis_cluster.move_keys(moved, to, most=3)
        redis_cluster.end_move(moved, to)
    assert redis_cluster.owner(moved).jobs_of(moved)
    assert [client.job(job).result(30) for job in jobs] == [TOTAL] * 4
    assert [client.job(job).status().retries for job in jobs] == [0] * 4
    assert len(trigger.calls()) == 160  # each task ran once
    assert len([one for one in client.streams if one.fleet.live_workers()]) == 4
    assert trigger.stop() == 0


@pytest.fixture
def own_cluster(redis_binary: Path) -> Iterator[Callable[..., RedisCluster]]:
    """Starts a Cluster whose nodes a test may kill."""
    with short_directory() as directory:
        clusters: list[RedisCluster] = []

        def start(**options: object) -> RedisCluster:
            cluster = RedisCluster(directory, binary=redis_binary, **options)
            clusters.append(cluster)
            return cluster.__enter__()

        try:
            yield start
        finally:
            for cluster in clusters:
                cluster.__exit__(None, None, None)


def answers_down(node: ClusterNode, stream: str) -> bool:
    try:
        node.jobs_of(stream)
    except redis.exceptions.ClusterDownError:
        return True
    return False


def test_a_cluster_that_is_down_is_waited_for(
    own_cluster: Callable[..., RedisCluster], tmp_path: Path
) -> None:
    cluster = own_cluster(append_only=True)
    target = cluster.target("down", streams=4)
    with (
        TriggerProcess(target.url(), tmp_path, "--lease", "5s", processes=4) as trigger,
        Client(target) as client,
    ):
        jobs = slow_jobs(client)
        wait_for(lambda: len(trigger.calls("end")) > 8)
        dead = cluster.owner(streams_of(client)[0])
        alive = next(s for s in streams_of(client) if cluster.owner(s) is not dead)
        owner = cluster.owner(alive)
        dead.kill()
        wait_for(lambda: answers_down(owner, alive), what="the Cluster's end")
        dead.start()
        assert [client.job(job).result(30) for job in jobs] == [TOTAL] * 4
        assert trigger.stop() == 0


def test_a_replica_that_takes_over_is_found(
    own_cluster: Callable[..., RedisCluster], tmp_path: Path
) -> None:
    cluster = own_cluster()
    target = cluster.target("over", streams=4)
    with (
        TriggerProcess(target.url(), tmp_path, processes=4) as trigger,
        Client(target) as client,
    ):
        dying = cluster.owner(streams_of(client)[0])
        replica = cluster.add_replica(dying)
        jobs = slow_jobs(client)
        wait_for(lambda: len(trigger.calls("end")) > 8)
        known = dying.client.info("replication")["master_repl_offset"]
        wait_for(lambda: replica.client.info("replication")["slave_repl_offset"] >= known)
        dying.kill()
        replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
        assert [client.job(job).result(30) for job in jobs] == [TOTAL] * 4
        assert replica.jobs_of(streams_of(client)[0])
        assert trigger.stop() == 0
