"""One stream in a real Redis Cluster of three nodes."""

from __future__ import annotations

import itertools
import re
import socket
from dataclasses import replace

import pytest
from redis.exceptions import RedisError, ResponseError

from amr.errors import RedisUnavailableError
from amr.redis_url import RedisTarget
from amr.store.cluster import SlotMovedError
from amr.store.connection import call_with_retries, connect, is_passing, redis_errors
from amr.store.keys import JOB_KEYS, STREAM_KEYS, Keys
from amr.store.link import Call, Link, same, script_call
from amr.store.loader import Script, load_scripts
from amr.store.replies import Code
from tests.support.redis_cluster import RedisCluster, slot_of
from tests.support.redis_server import free_port
from tests.support.store_bench import StoreBench

SCRIPTS = load_scripts()

#: Commands of scripts that have no key, and those whose key is not their first argument.
KEYLESS = {"TIME"}
KEY_IS_SECOND = {"XINFO", "XGROUP"}

names = itertools.count()


@pytest.fixture
def stream(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses."""
    return f"cluster-{next(names)}"


def slot_of_key(key: bytes) -> int:
    """Returns the slot in which a Cluster puts a key."""
    tag = re.search(rb"\{([^}]+)\}", key)
    return slot_of((tag[1] if tag else key).decode())


def redis_calls(script: Script) -> list[list[str]]:
    """Returns the arguments of each ``redis.call`` in a script, as they are written."""
    source = re.sub(r"--[^\n]*", "", script.source)
    calls = []
    for found in re.finditer(r"redis\.p?call\(", source):
        depth, at, parts = 1, found.end(), [""]
        while depth:
            letter = source[at]
            depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(letter, 0)
            if letter == "," and depth == 1:
                parts.append("")
            elif depth:
                parts[-1] += letter
            at += 1
        calls.append([part.strip() for part in parts])
    return calls


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=lambda script: script.name)
def test_the_keys_of_a_script_share_one_slot(script: Script) -> None:
    keys = Keys("inputs.3").of_job(script.keys, "job-{x}-1")
    assert {slot_of_key(key) for key in keys} == {slot_of("inputs.3")}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=lambda script: script.name)
def test_a_script_makes_no_key_that_it_was_not_given(script: Script) -> None:
    given = {f"{name}_key" for name in script.keys}
    source = re.sub(r"--[^\n]*", "", script.source)
    for keys in re.findall(r"local DATA_KEYS = \{([^}]*)\}", source):
        assert {key.strip() for key in keys.split(",")} <= given
        given.add("unpack(DATA_KEYS)")
        if "for _, key in ipairs(DATA_KEYS) do" in source:
            given.add("key")
    for command, *arguments in redis_calls(script):
        name = command.strip("'")
        assert command == f"'{name}'", f"the command {command} is not written out"
        if name in KEYLESS:
            continue
        key = arguments[1 if name in KEY_IS_SECOND else 0]
        assert key in given, f"{name} {key}"
        if name in ("DEL", "UNLINK", "EXISTS"):
            assert set(arguments) <= given, f"{name} {arguments}"


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=lambda script: script.name)
def test_a_cluster_takes_the_keys_of_every_script(
    redis_cluster: RedisCluster, stream: str, script: Script
) -> None:
    bench = StoreBench(redis_cluster.target(stream))
    bench.submit(3)
    keys = bench.keys.of_job(script.keys, "j")
    arguments = [1 for _ in script.arguments]
    try:
        bench.link.run(script_call(script, keys, arguments))
    except ResponseError as error:  # the arguments are nonsense; the keys are not
        assert not re.search("CROSSSLOT|MOVED|non local key|undeclared", str(error))  # noqa: PT017
    finally:
        bench.link.close()


def test_streams_of_all_nodes_are_served_from_any_named_node(redis_cluster: RedisCluster) -> None:
    names = list(itertools.islice(redis_cluster.streams("any"), 4))
    assert {redis_cluster.owner(name) for name in names} == set(redis_cluster.nodes)
    for name, node in itertools.product(names, range(3)):
        bench = StoreBench(redis_cluster.target(name, node=node))
        bench.submit(3, job=f"j{node}")
        tasks = bench.fetch()
        assert bench.commit(*tasks).code is Code.OK
        bench.link.close()
        assert f"j{node}" in redis_cluster.owner(name).jobs_of(name)


def test_a_node_that_is_away_is_passed_over(redis_cluster: RedisCluster, stream: str) -> None:
    target = redis_cluster.target(stream)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        gone = ("127.0.0.1", nobody.getsockname()[1])
        bench = StoreBench(replace(target, nodes=(gone, *target.nodes)))
        bench.submit(2)
        assert len(bench.fetch()) == 2
        bench.link.close()


def test_a_cluster_of_which_no_named_node_answers_is_told_as_unreachable() -> None:
    target = RedisTarget("redis+cluster", nodes=(("127.0.0.1", free_port()),))
    with (
        pytest.raises(RedisUnavailableError, match="cannot be reached"),
        redis_errors(target),
        connect(target) as client,
    ):
        client.ping()


def test_a_stream_that_moved_costs_one_lost_connection(
    redis_cluster: RedisCluster, stream: str
) -> None:
    bench = StoreBench(redis_cluster.target(stream))
    bench.submit(4)
    done = bench.fetch(2)
    source = redis_cluster.owner(stream)
    other = next(node for node in redis_cluster.nodes if node is not source)
    redis_cluster.move(stream, other)
    with pytest.raises(SlotMovedError, match="MOVED") as moved:
        bench.commit(*done)
    assert is_passing(moved.value)
    assert bench.commit(*done).code is Code.OK
    assert bench.commit(*bench.fetch()).code is Code.OK
    assert bench.status().succeeded == 4
    assert other.jobs_of(stream) == ["j"]
    bench.link.close()


def test_a_link_with_patience_follows_a_stream_by_itself(
    redis_cluster: RedisCluster, stream: str
) -> None:
    link = Link(redis_cluster.target(stream), patience_s=10)
    key = Keys(stream).stream_key("epoch")
    count = Call(("INCR", key), same)
    assert link.run(count) == 1
    for expected, node in enumerate([*redis_cluster.nodes, redis_cluster.nodes[0]], 2):
        if node is not redis_cluster.owner(stream):
            redis_cluster.move(stream, node)
        assert link.run(count) == expected
    link.close()


def test_half_a_move_refuses_for_the_moment_and_does_nothing_twice(
    redis_cluster: RedisCluster, stream: str
) -> None:
    bench = StoreBench(redis_cluster.target(stream))
    bench.submit(4)
    tasks = bench.fetch()
    source = redis_cluster.owner(stream)
    other = next(node for node in redis_cluster.nodes if node is not source)
    redis_cluster.begin_move(stream, other)
    redis_cluster.move_keys(stream, other, most=2)
    for _ in range(3):
        with pytest.raises(RedisError) as refused:
            bench.commit(*tasks)
        assert is_passing(refused.value)
    redis_cluster.end_move(stream, other)
    assert call_with_retries(lambda: bench.commit(*tasks), for_s=10).code is Code.OK
    assert bench.status().succeeded == 4
    bench.link.close()


def test_a_plain_url_of_a_node_is_told_to_name_the_cluster(
    redis_cluster: RedisCluster, stream: str
) -> None:
    owner = redis_cluster.owner(stream)
    other = next(node for node in redis_cluster.nodes if node is not owner)
    target = other.target.with_stream(stream)
    with (
        pytest.raises(RedisUnavailableError, match=r"write redis\+cluster://"),
        redis_errors(target),
    ):
        StoreBench(target)


def test_every_key_has_the_hash_tag_of_its_stream() -> None:
    keys = Keys("s")
    of_stream = [keys.stream_key(name) for name in STREAM_KEYS]
    of_job = [keys.job_key(name, "j") for name in JOB_KEYS]
    assert all(key.startswith(b"amr:{s}") for key in of_stream + of_job)
