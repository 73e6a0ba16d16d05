"""Durability as users meet it: acknowledged, unconfirmed and confirmed later, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from amr.client import Client
from amr.errors import UnconfirmedError
from amr.redis_url import RedisTarget
from tests.conftest import NewRedis
from tests.faults.conftest import StartTrigger
from tests.support.cli import amr
from tests.support.redis_server import RedisServer
from tests.support.replicas import PRIMARY_OPTIONS, follow, stopped
from tests.support.trigger_process import FUNCTIONS

SHORT = {"AMR_CONFIRM_TIMEOUT": "300ms"}
JOB = {"mapper": "faulty.double", "reducer": "faulty.total", "inputs": [1, 2]}


@pytest.fixture
def pair(new_redis: NewRedis) -> tuple[RedisServer, RedisServer]:
    """A primary and its replica."""
    primary = new_redis(tcp=True, options=PRIMARY_OPTIONS)
    replica = new_redis(tcp=True)
    follow(replica, primary.port)
    return primary, replica


def write(directory: Path, **fields: object) -> str:
    path = directory / "job.json"
    path.write_text(json.dumps(JOB | fields))
    return str(path)


def test_an_unconfirmed_job_tells_its_id_and_is_confirmed_by_the_same_command(
    pair: tuple[RedisServer, RedisServer], tmp_path: Path
) -> None:
    variables = {"AMR_REDIS_URL": pair[0].url, "AMR_FUNCTIONS": str(FUNCTIONS)}
    command = ("invoke", write(tmp_path), "--durability", "replica")
    with stopped(pair[1]):
        ended = amr(*command, **variables, **SHORT)
        job = ended.out.strip()
        assert (ended.code, job.startswith("faulty-double-")) == (1, True)
        assert f"unconfirmed: job {job} was submitted, but no replica has acknowl" in ended.err
        assert f"invoke again with the same --id {job}" in ended.err
        again = amr(*command, "--id", job, **variables, **SHORT)
        assert (again.code, again.out.strip()) == (1, job)
    last = amr(*command, "--id", job, **variables)
    assert (last.code, last.out.strip()) == (0, job)
    assert "was submitted before" in last.err


def test_a_result_is_handed_out_when_a_replica_has_it(
    pair: tuple[RedisServer, RedisServer], trigger: StartTrigger
) -> None:
    url = pair[0].url
    trigger(url=url)
    with Client(url, confirm_timeout_s=0.3) as client, Client(url) as patient:
        jobs = [
            patient.invoke(fields, id=id, durability="replica")
            for fields, id in (({**JOB}, "with"), ({**JOB, "reducer": None}, "without"))
        ]
        for job in jobs:
            assert job.wait(20).state == "succeeded"
        with stopped(pair[1]):
            for job in jobs:
                with pytest.raises(UnconfirmedError, match=f"`amr result {job.id}` again"):
                    client.job(job.id).result(10)
            ended = amr("result", "with", AMR_REDIS_URL=url, **SHORT)
            assert (ended.code, ended.out) == (1, "")
            assert "unconfirmed: job with has ended, but no replica" in ended.err
        assert jobs[1].result(10) == [2, 4]
        assert json.loads(amr("result", "with", AMR_REDIS_URL=url).out) == {"sum": 6, "count": 2}


def test_disk_is_refused_before_anything_is_submitted(redis_url: str, tmp_path: Path) -> None:
    job = write(tmp_path, durability="disk")
    ended = amr("invoke", job, AMR_REDIS_URL=redis_url, AMR_FUNCTIONS=str(FUNCTIONS))
    assert (ended.code, ended.out) == (3, "")
    assert 'durability "disk" cannot be had of this Redis: its appendonly is off' in ended.err
    assert amr("list", "--json", AMR_REDIS_URL=redis_url).out == "[]\n"


def test_the_option_goes_before_the_job_file(redis_url: str, tmp_path: Path) -> None:
    job = write(tmp_path, durability="disk")
    variables = {"AMR_REDIS_URL": redis_url, "AMR_FUNCTIONS": str(FUNCTIONS)}
    ended = amr("invoke", job, "--durability", "memory", **variables)
    assert ended.code == 0
    status = json.loads(amr("status", ended.out.strip(), "--json", **variables).out)
    assert status["durability"] == "memory"


def test_a_whole_job_is_durable_on_a_disk(new_redis: NewRedis, trigger: StartTrigger) -> None:
    server = new_redis(append_only=True)
    trigger(url=server.url)
    with Client(server.target) as client:
        job = client.invoke(JOB, durability="disk")
        assert job.result(20) == {"sum": 6, "count": 2}
        assert job.status().durability == "disk"


def test_a_level_that_there_is_not_is_named(redis_target: RedisTarget, tmp_path: Path) -> None:
    url = redis_target.url()
    ended = amr("invoke", write(tmp_path), "--durability", "disc", AMR_REDIS_URL=url)
    assert (ended.code, ended.out) == (2, "")
    assert 'durability must be "memory", "replica" or "disk", found "disc"' in ended.err
    ended = amr("invoke", write(tmp_path, durability=["disk"]), AMR_REDIS_URL=url)
    assert (ended.code, ended.out) == (2, "")
    assert "job.json: $.durability: must be" in ended.err


def test_a_job_runs_on_its_own_redis_whatever_its_durability(tmp_path: Path) -> None:
    job = write(tmp_path, durability="disk")
    ended = amr("run", job, "--processes", "1", AMR_FUNCTIONS=str(FUNCTIONS))
    assert (ended.code, json.loads(ended.out)) == (0, {"sum": 6, "count": 2})
