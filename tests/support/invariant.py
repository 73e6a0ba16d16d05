"""The invariant of the store, read from the records of a job."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from amr.states import LIVE_STATES
from amr.store.keys import JOB_KEYS, Keys
from amr.store.link import Call, Link, same
from amr.task import TREE_LEVELS, level_of, node_number


class Flight(NamedTuple):
    """What the inflight hash holds of one task."""

    entry: str
    attempt: int
    delayed: bool


class Records(NamedTuple):
    """Everything that Redis holds of a job, read in one round trip."""

    record: dict[str, str]
    appended: int
    flights: dict[str, Flight]
    outputs: set[str]
    failures: set[str]
    partials: set[int]  # nodes of its reduce tree that are merged
    settled: dict[int, int]  # node -> children with an outcome, while it is not merged
    retries: set[str]  # fields of its tasks that stand in the delayed set
    is_active: bool
    is_listed: bool
    ttls: dict[str, int]  # key's name -> milliseconds, -1 for none; -2 where there is no key


def read(link: Link, *arguments: Any) -> Any:
    """Returns the reply to one Redis command."""
    return link.run(Call(arguments, same))


def read_records(link: Link, keys: Keys, job: str) -> Records:
    """Returns what Redis holds of ``job``."""
    commands: list[tuple[Any, ...]] = [
        ("HGETALL", keys.job_key("job", job)),
        ("LLEN", keys.job_key("inputs", job)),
        ("HGETALL", keys.job_key("inflight", job)),
        ("HKEYS", keys.job_key("outputs", job)),
        ("HKEYS", keys.job_key("failures", job)),
        ("HKEYS", keys.job_key("partials", job)),
        ("HGETALL", keys.job_key("tree", job)),
        ("ZRANGE", keys.stream_key("delayed"), 0, -1),
        ("ZSCORE", keys.stream_key("active"), job),
        ("ZSCORE", keys.stream_key("jobs"), job),
        *(("PTTL", keys.job_key(name, job)) for name in JOB_KEYS),
    ]
    replies = link.run_all([Call(command, same) for command in commands])
    record, appended, flights, outputs, failures, partials, tree, *rest = replies
    delayed, active, listed, *ttls = rest
    owners = [member.decode().split(" ") for member in delayed]
    return Records(
        _pairs(record),
        appended,
        {field: _read_flight(value) for field, value in _pairs(flights).items()},
        {field.decode() for field in outputs},
        {field.decode() for field in failures},
        {int(node) for node in partials},
        {int(node): int(count) for node, count in _pairs(tree).items()},
        {field for owner, field in owners if owner == job} - {"feed"},
        active is not None,
        listed is not None,
        dict(zip(JOB_KEYS, ttls, strict=True)),
    )


def check_invariant(link: Link, keys: Keys, job: str, lost: Iterable[str] = ()) -> None:
    """Asserts that every map task is in exactly one place, and that all counts agree.

    Args:
        link: a connection.
        keys: of the stream.
        job: job id.
        lost: fields of tasks whose entry the test took off the stream on purpose.
    """
    found = read_records(link, keys, job)
    if not found.record:
        assert set(found.ttls.values()) == {-2}, f"{job} is gone and left {found.ttls}"
        assert not found.is_active, f"{job} is gone and active"
    elif found.record["state"] in LIVE_STATES:
        _check_places(job, found)
        if found.record["branches"]:
            _check_tree(job, found)
        _check_delayed(job, found)
        _check_entries(link, keys, found, set(lost))
        assert found.is_active, f"{job} is live and not active"
        assert found.is_listed, f"{job} is not in the list of jobs"
        assert not [n for n, ttl in found.ttls.items() if ttl >= 0], f"{job} is live and expires"
    else:
        _check_ended(job, found)


def _check_places(job: str, found: Records) -> None:
    record = found.record
    fed, done, failed = int(record["fed"]), int(record["done"]), int(record["failed"])
    in_flight = {field for field in found.flights if field.isdecimal()}
    waiting = {str(index) for index in range(fed, found.appended)}
    done_tasks = found.outputs | _merged_tasks(found)
    places = [waiting, in_flight, done_tasks, found.failures]
    everywhere = set().union(*places)
    assert sum(map(len, places)) == len(everywhere), f"{job}: a task is in two places"
    assert everywhere == {str(i) for i in range(found.appended)}, f"{job}: a task is nowhere"
    assert (len(done_tasks), len(found.failures)) == (done, failed)
    assert len(in_flight) == fed - done - failed
    partitions = max(1, int(record["partitions"])) if record["state"] == "reducing" else 0
    reduces = sum(field.startswith("reduce") for field in found.flights)
    assert reduces == max(0, partitions - int(record["reduced"]))
    assert (record["state"] == "submitting") == ("total" not in record)
    assert int(record.get("total", found.appended)) == found.appended


def _merged_tasks(found: Records) -> set[str]:
    """Returns the map tasks whose outputs were deleted: a partial result stands for them."""
    if not found.partials or found.record["policy"] != "fail":
        return set()
    branches = int(found.record["branches"])
    spans = [level_of("merge", node) for node in found.partials]
    return {
        str(index)
        for level, at in spans
        for index in range(at * branches**level, (at + 1) * branches**level)
    }


def _check_tree(job: str, found: Records) -> None:
    """Checks that a node is merged, or being merged, when all its children have an outcome."""
    branches = int(found.record["branches"])
    merging = {int(f.removeprefix("merge")) for f in found.flights if f.startswith("merge")}
    assert int(found.record.get("merging", 0)) == len(merging)
    kept = found.record["policy"] != "fail"
    settled = {int(field) for field in found.outputs | found.failures | _merged_tasks(found)}
    merged_nodes = 0
    for level in itertools.count(1):
        children = Counter(index // branches for index in settled)
        if not children:
            break
        merged = set()
        for at, count in children.items():
            node = node_number(level, at)
            is_merged = node in found.partials or (not kept and _is_under(node, found, branches))
            if count < branches:
                assert not is_merged, f"{job}: node {node} was merged too early"
                assert node not in merging, f"{job}: node {node} is merged too early"
                assert found.settled.get(node, 0) == count, f"{job}: node {node} miscounts"
            else:
                assert is_merged != (node in merging), f"{job}: node {node} is lost"
            if is_merged:
                merged.add(at)
                assert node not in found.settled
        settled = merged
        merged_nodes += len(merged)
    assert int(found.record.get("merged", 0)) == merged_nodes


def _is_under(node: int, found: Records, branches: int) -> bool:
    """Whether a node above this one is merged, with which this one's result was deleted."""
    level, at = level_of("merge", node)
    for above in range(level + 1, TREE_LEVELS):
        at //= branches
        if node_number(above, at) in found.partials:
            return True
    return False


def _check_delayed(job: str, found: Records) -> None:
    delayed = {field for field, flight in found.flights.items() if flight.delayed}
    assert int(found.record["delayed"]) == len(delayed)
    running = sum(field.isdecimal() for field in set(found.flights) - delayed)
    cap = int(found.record["concurrency"])
    assert running <= cap, f"{job}: {running} in flight is over its cap of {cap}"
    for field, flight in found.flights.items():
        is_reduce = field.startswith(("reduce", "merge"))
        most = int(found.record["reduce_attempts" if is_reduce else "max_attempts"])
        assert 1 <= flight.attempt <= most, f"{job}: {field} is on attempt {flight.attempt}"


def _check_entries(link: Link, keys: Keys, found: Records, lost: set[str]) -> None:
    """Checks that each flight has its entry on the stream, or its place in the delayed set."""
    delayed = {field for field, flight in found.flights.items() if flight.delayed}
    held = delayed if found.record.get("paused") == "1" else set()
    if "after" in found.record:
        held |= {"source"}  # it waits for the end of another job
    assert found.retries | lost | held >= delayed, f"tasks {delayed - found.retries} wait for ever"
    assert found.retries <= delayed, f"tasks {found.retries - delayed} do not wait for a retry"
    stream = keys.stream_key("stream")
    queued = {f: flight.entry for f, flight in found.flights.items() if f not in delayed | lost}
    calls = [Call(("XRANGE", stream, entry, entry), same) for entry in queued.values()]
    rows = dict(zip(queued, link.run_all(calls), strict=True))
    assert all(rows.values()), f"tasks {[f for f, row in rows.items() if not row]} have no entry"


def _check_ended(job: str, found: Records) -> None:
    if found.record["state"] != "failed":  # one that failed keeps them for a redrive
        assert not found.flights, f"{job} has ended with tasks in flight"
    assert not found.is_active, f"{job} has ended and is active"
    assert not found.retries, f"{job} has ended and left retries"
    forever = [name for name, ttl in found.ttls.items() if ttl == -1]
    assert not forever, f"{job} has ended and {forever} would live for ever"


def _read_flight(value: str) -> Flight:
    entry, attempt, _crashes, _deferrals, delayed, *_older = value.split(" ")
    return Flight(entry, int(attempt), delayed == "1")


def _pairs(flat: list[bytes]) -> dict[str, str]:
    text = [value.decode(errors="replace") for value in flat]
    return dict(zip(text[0::2], text[1::2], strict=True))
