"""A Redis that comes back without its last writes, cannot write, or changes its clock."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from amr.client import Client
from amr.errors import UnknownJobError
from amr.store.connection import connect
from tests.conftest import NewRedis
from tests.faults.conftest import NewCase
from tests.support.redis_server import RedisServer, redis_binaries
from tests.support.wait import wait_for

JOB = {"mapper": "faulty.sleep", "reducer": "faulty.total", "inputs": [0.01] * 100}
RESULT = {"sum": sum(range(100)), "count": 100}


def append_only_files(server: RedisServer) -> list[Path]:
    """Returns the files that writes are appended to; Redis 7 has a folder of them."""
    found = sorted(server.directory.rglob("*.aof"))
    return [file for file in found if ".base." not in file.name]


@pytest.mark.fault(33)
def test_writes_that_a_crash_lost_are_made_again(new_redis: NewRedis, new_case: NewCase) -> None:
    server = new_redis(append_only=True)
    case = new_case(server.target)
    case.trigger()
    job = case.submit(JOB, RESULT)
    wait_for(lambda: job.status().succeeded > 10)
    kept = {file: file.stat().st_size for file in append_only_files(server)}
    done = job.status().succeeded
    wait_for(lambda: job.status().succeeded > done + 20)
    server.kill()
    for file, size in kept.items():
        with open(file, "r+b") as log:
            log.truncate(size + 7)  # in the middle of a command, which is dropped whole
    case.costs(100)
    server.start()
    assert job.result(30) == RESULT


@pytest.mark.fault(33)
def test_a_job_that_a_crash_lost_is_done_when_it_is_invoked_again(
    new_redis: NewRedis, new_case: NewCase
) -> None:
    server = new_redis(append_only=True)
    case = new_case(server.target)
    kept = {file: file.stat().st_size for file in append_only_files(server)}
    case.client.invoke(JOB, id="mine")
    server.kill()
    for file, size in kept.items():
        os.truncate(file, size)
    server.start()
    with pytest.raises(UnknownJobError):
        case.client.job("mine").status()
    case.trigger()
    job = case.submit(JOB, RESULT, id="mine")
    assert job.created
    assert job.result(30) == RESULT


@pytest.mark.fault(38)
def test_a_disk_that_is_full_costs_time_only(new_redis: NewRedis, new_case: NewCase) -> None:
    server = new_redis(append_only=True)
    case = new_case(server.target)
    trigger = case.trigger()
    job = case.submit(JOB, RESULT)
    wait_for(lambda: job.status().succeeded > 10)
    used = max(file.stat().st_size for file in append_only_files(server))
    # Like a full disk: no file may grow any more. Redis says MISCONF to every write, or ends.
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (used, resource.RLIM_INFINITY))
    try:
        wait_for(lambda: "MISCONF" in trigger.log() or not server_lives(server), 15)
    finally:
        if server_lives(server):
            limits = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)
        else:
            server.restart(kill=True)
    assert job.result(40) == RESULT


def server_lives(server: RedisServer) -> bool:
    return Path(f"/proc/{server.pid}/exe").exists()


@pytest.mark.fault(39)
@pytest.mark.parametrize("hours", ["+1", "-1"])
def test_a_clock_that_jumps_an_hour_changes_no_result(
    new_redis: NewRedis, new_case: NewCase, tmp_path: Path, hours: str
) -> None:
    library = next(Path("/usr/lib").rglob("libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is not there to change the server's clock")
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    wrapper = tmp_path / "redis-server"
    # The wheel's server: libfaketime and the jemalloc of others' do not get on.
    binary = redis_binaries()[-1]
    wrapper.write_text(
        f"#!/bin/sh\nLD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={offset} FAKETIME_NO_CACHE=1 "
        f'DONT_FAKE_MONOTONIC=1 exec {binary} "$@"\n'
    )
    wrapper.chmod(0o755)
    case = new_case(new_redis(binary=wrapper).target)
    case.trigger()
    job = case.submit(JOB | {"deadline": "3h"}, RESULT)
    wait_for(lambda: job.status().succeeded > 10)
    case.costs(100)  # every lease seems to have ended, or lasts an hour more
    offset.write_text(f"{hours}h\n")
    assert job.result(30) == RESULT


@pytest.mark.fault(40)
def test_a_job_that_runs_longer_than_its_time_to_live_keeps_its_data(
    new_redis: NewRedis, new_case: NewCase
) -> None:
    case = new_case(new_redis().target)
    case.trigger()
    job = case.client.invoke({"mapper": "faulty.sleep", "inputs": [0.2] * 16, "ttl": "1s"})
    with connect(case.target) as client:
        while job.status().live:
            held = client.keys(f"*:job:{job.id}*")
            assert {client.pttl(key) for key in held} <= {-1, -2} or not job.status().live
        assert job.result(5) == list(range(16))
        wait_for(lambda: not client.keys(f"*:job:{job.id}*"), 5, "the job's expiry")
    with Client(case.target) as client_of_amr:
        assert client_of_amr.jobs() == []
