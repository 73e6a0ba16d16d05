"""Fixtures of all tests: real Redis servers and clients, a fresh stream a test.

``redis_server``  a running server, shared by the session; tests/store runs once on each version
                  that the machine has, everything else on the preferred one
``redis_target``  its target with a stream that no other test uses
``redis_url``     the same as a URL
``redis_client``  a client of it
``bench``         drives the scripts on that stream
``redis_cluster`` a running Redis Cluster of three nodes, shared by the session
``new_redis``     starts more servers for a test that kills, restarts or configures its own
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from amr.redis_url import RedisTarget
from amr.store.connection import connect
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_server import RedisServer, redis_binaries, redis_version
from tests.support.store_bench import StoreBench

STORE_TESTS = Path(__file__).parent / "store"

NewRedis = Callable[..., RedisServer]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the store's tests on every server binary of the machine."""
    on_all = STORE_TESTS in metafunc.definition.path.parents
    if on_all and "redis_binary" in metafunc.fixturenames and redis_binaries():
        metafunc.parametrize(
            "redis_binary",
            redis_binaries(),
            ids=[f"redis-{'.'.join(map(str, redis_version(one)))}" for one in redis_binaries()],
            indirect=True,
            scope="session",
        )


@pytest.fixture(scope="session")
def redis_binary(request: pytest.FixtureRequest) -> Path:
    """The server binary to test on."""
    if not redis_binaries():
        message = "there is no redis-server on this machine; see `make help`"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    binary: Path = getattr(request, "param", redis_binaries()[0])
    return binary


@pytest.fixture(scope="session")
def redis_server(redis_binary: Path) -> Iterator[RedisServer]:
    """A running server on a private unix socket."""
    with short_directory() as directory:
        server = RedisServer(directory, binary=redis_binary).start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def redis_cluster(redis_binary: Path) -> Iterator[RedisCluster]:
    """A running Redis Cluster; tests may move streams in it, and leave its nodes alive."""
    with short_directory() as directory, RedisCluster(directory, binary=redis_binary) as cluster:
        yield cluster


@pytest.fixture
def redis_target(redis_server: RedisServer) -> RedisTarget:
    """The server, with a stream that no other test uses."""
    return redis_server.target.with_stream(f"test-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def redis_url(redis_target: RedisTarget) -> str:
    """URL of the server and a stream that no other test uses."""
    return redis_target.url()


@pytest.fixture
def redis_client(redis_target: RedisTarget) -> Iterator[redis.Redis]:
    """A client of the server, as amr's own modules make it."""
    with connect(redis_target) as client:
        yield client


@pytest.fixture
def new_redis(redis_binary: Path) -> Iterator[NewRedis]:
    """Starts servers that end with the test; takes the arguments of ``RedisServer``."""
    with ExitStack() as stack:

        def start(**arguments: Any) -> RedisServer:
            directory = stack.enter_context(short_directory())
            server = RedisServer(directory, **{"binary": redis_binary} | arguments)
            stack.callback(server.kill)
            return server.start()

        yield start


@contextmanager
def short_directory() -> Iterator[Path]:
    """Makes a directory whose path is short enough for a socket, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="amr-test-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def bench(redis_target: RedisTarget) -> Iterator[StoreBench]:
    """Drives the scripts of a fresh stream."""
    bench = StoreBench(redis_target)
    yield bench
    bench.link.close()
