"""The invariant of the store, read from the records of a job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from amr.states import LIVE_STATES
from amr.store.keys import JOB_KEYS, Keys
from amr.store.link import Call, Link, same


def read(link: Link, *arguments: Any) -> Any:
    """Returns the reply to one Redis command."""
    return link.run(Call(arguments, same))


def read_hash(link: Link, key: bytes) -> dict[str, str]:
    """Returns a hash as text."""
    flat = [value.decode(errors="replace") for value in read(link, "HGETALL", key)]
    return dict(zip(flat[0::2], flat[1::2], strict=True))


def check_invariant(link: Link, keys: Keys, job: str, lost: Iterable[str] = ()) -> None:
    """Asserts that every map task is in exactly one place, and that all counts agree.

    Args:
        link: a connection.
        keys: of the stream.
        job: job id.
        lost: fields of tasks whose entry the test took off the stream on purpose.
    """
    record = read_hash(link, keys.job_key("job", job))
    if not record:
        return
    appended = read(link, "LLEN", keys.job_key("inputs", job))
    flights = read_hash(link, keys.job_key("inflight", job))
    outputs = set(read_hash(link, keys.job_key("outputs", job)))
    failures = set(read_hash(link, keys.job_key("failures", job))) - {"reduce"}
    if record["state"] not in LIVE_STATES:
        _check_ended(link, keys, job, flights)
        return
    fed, done, failed = int(record["fed"]), int(record["done"]), int(record["failed"])
    in_flight = set(flights) - {"reduce"}
    waiting = {str(index) for index in range(fed, appended)}
    places = [waiting, in_flight, outputs, failures]
    everywhere = set().union(*places)
    assert sum(map(len, places)) == len(everywhere), f"{job}: a task is in two places"
    assert everywhere == {str(index) for index in range(appended)}, f"{job}: a task is nowhere"
    assert (len(outputs), len(failures)) == (done, failed)
    assert len(in_flight) == fed - done - failed
    _check_delayed(link, keys, job, record, flights)
    _check_entries(link, keys, flights, set(lost))
    assert (record["state"] == "reducing") == ("reduce" in flights)
    if record.get("total"):
        assert int(record["total"]) == appended


def _check_ended(link: Link, keys: Keys, job: str, flights: dict[str, str]) -> None:
    assert not flights, f"{job} has ended with tasks in flight"
    assert job.encode() not in read(link, "ZRANGE", keys.stream_key("active"), 0, -1)
    for name in JOB_KEYS:
        ttl = read(link, "PTTL", keys.job_key(name, job))
        assert ttl > 0 or ttl == -2, f"{job}: {name} would live for ever"
    members = read(link, "ZRANGE", keys.stream_key("delayed"), 0, -1)
    assert not [member for member in members if member.startswith(f"{job} ".encode())]


def _check_delayed(
    link: Link, keys: Keys, job: str, record: dict[str, str], flights: dict[str, str]
) -> None:
    delayed = {field for field, flight in flights.items() if flight.endswith(" 1")}
    members = {m.decode() for m in read(link, "ZRANGE", keys.stream_key("delayed"), 0, -1)}
    assert {f"{job} {field}" for field in delayed} == {
        member for member in members if member.startswith(f"{job} ")
    }
    assert int(record["delayed"]) == len(delayed)
    running = len(set(flights) - delayed - {"reduce"})
    assert running <= int(record["concurrency"]), f"{job}: {running} in flight is over its cap"


def _check_entries(link: Link, keys: Keys, flights: dict[str, str], lost: set[str]) -> None:
    stream = keys.stream_key("stream")
    for field, flight in flights.items():
        entry, *_, delayed = flight.split()
        if delayed == "0" and field not in lost:
            assert read(link, "XRANGE", stream, entry, entry), f"task {field} has no entry"
