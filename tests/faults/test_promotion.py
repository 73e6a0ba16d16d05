"""A replica that is promoted without all that its primary had acknowledged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from amr.client import Client
from amr.errors import UnconfirmedError, UnknownJobError
from amr.redis_url import RedisTarget
from tests.conftest import NewRedis
from tests.faults.conftest import StartTrigger
from tests.support.proxy import Proxy, Way
from tests.support.redis_server import RedisServer, redis_binaries, redis_version
from tests.support.replicas import PRIMARY_OPTIONS, follow, promote
from tests.support.wait import wait_for


@dataclass
class Pair:
    """A primary behind an address that moves, and a replica behind a link that can go dead.

    Attributes:
        primary: at first.
        replica: of it.
        address: leads clients and triggers to the primary.
        link: on which the replica follows.
    """

    primary: RedisServer
    replica: RedisServer
    address: Proxy
    link: Proxy

    @property
    def target(self) -> RedisTarget:
        return self.address.target

    def known_to_replica(self, job: str) -> int:
        """Returns how many map tasks of the job are done as the replica has it."""
        with Client(self.replica.target) as client:
            return client.job(job).status().succeeded

    def fail_over(self) -> None:
        """The primary dies; the replica takes its place with what it has."""
        self.primary.kill()
        promote(self.replica)
        self.address.lead_to(self.replica.target)


@pytest.fixture
def pair(new_redis: NewRedis) -> Iterator[Pair]:
    primary = new_redis(tcp=True, options=PRIMARY_OPTIONS)
    replica = new_redis(tcp=True)
    with Proxy(primary.target) as address, Proxy(primary.target) as link:
        follow(replica, link.target.port)
        yield Pair(primary, replica, address, link)


@pytest.mark.fault(34)
def test_lost_outputs_are_made_again(pair: Pair, trigger: StartTrigger) -> None:
    running = trigger(url=pair.target.url())
    with Client(pair.target) as client:
        job = client.invoke(
            {"mapper": "faulty.sleep", "reducer": "faulty.total", "inputs": [0.01] * 200}
        )
        wait_for(lambda: job.status().succeeded > 20)
        pair.link.swallow(*Way)
        wait_for(lambda: job.status().succeeded > pair.known_to_replica(job.id) + 30)
        pair.fail_over()
        assert job.result(60) == {"sum": sum(range(200)), "count": 200}
        assert job.status().failed == 0
    calls = Counter(call.index for call in running.calls())
    assert len(calls) == 200
    assert sum(calls.values()) >= 230


@pytest.mark.fault(34)
def test_a_lost_end_is_come_to_again_with_the_same_result(
    pair: Pair, trigger: StartTrigger
) -> None:
    trigger(url=pair.target.url())
    with Client(pair.target) as client:
        job = client.invoke(
            {"mapper": "faulty.sleep", "reducer": "faulty.total", "inputs": [0.01] * 60}
        )
        wait_for(lambda: job.status().succeeded > 10)
        pair.link.swallow(*Way)
        before = job.result(30)
        pair.fail_over()
        wait_for(lambda: job.status().live)
        assert job.result(60) == before == {"sum": sum(range(60)), "count": 60}


@pytest.mark.fault(34)
def test_a_lost_job_is_done_when_it_is_invoked_again_with_its_id(
    pair: Pair, trigger: StartTrigger
) -> None:
    trigger(url=pair.target.url())
    fields = {"mapper": "faulty.double", "reducer": "faulty.total", "inputs": [1, 2, 3]}
    with Client(pair.target, confirm_timeout_s=0.2) as client:
        pair.link.swallow(*Way)
        job = client.invoke(fields, id="mine")
        with pytest.raises(UnconfirmedError):
            client.invoke(fields, id="other", durability="replica")
        pair.fail_over()
        with pytest.raises(UnknownJobError, match="mine"):
            job.status()
        again = client.invoke(fields, id="mine")
        assert again.created
        assert again.result(30) == {"sum": 12, "count": 3}


@pytest.mark.fault(35)
@pytest.mark.parametrize("binary", redis_binaries(), ids=lambda binary: str(redis_version(binary)))
def test_a_primary_that_has_become_a_replica_is_left(
    new_redis: NewRedis, trigger: StartTrigger, binary: Path
) -> None:
    old = new_redis(tcp=True, binary=binary, options=PRIMARY_OPTIONS)
    new = new_redis(tcp=True, binary=binary)
    follow(new, old.port)
    with Proxy(old.target) as address:
        target = address.target
        running = trigger(url=target.url())
        workers = sorted(running.workers())
        with Client(target) as client:
            job = client.invoke({"mapper": "faulty.sleep", "inputs": [0.02] * 200})
            wait_for(lambda: job.status().succeeded > 10)
            # The connections stay: only the answer READONLY tells that they lead to a replica.
            address.lead_to(new.target)
            promote(new)
            follow(old, new.port)
            assert job.result(30) == list(range(200))
            with Client(new.target) as there:
                beat_ms = there.fleet.triggers()[0].beat_ms
                wait_for(lambda: there.fleet.triggers()[0].beat_ms > beat_ms, 5, "a heartbeat")
        assert sorted(running.workers()) == workers
    seconds = Counter(re.findall(r"^(\S{19})\S* (?:WARNING|ERROR)", running.log(), re.MULTILINE))
    assert all(lines <= 10 for lines in seconds.values()), running.log()
