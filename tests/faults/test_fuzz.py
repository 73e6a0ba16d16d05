"""Ten thousand wrong and half-wrong documents: each is taken, or refused in amr's own words."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amr.client import Client
from amr.errors import FunctionsError, JobSpecError, UsageError
from amr.invokers.registry import Registry
from amr.jobspec.file import load_job, parse_json
from amr.jobspec.job import JobSpec, parse_job
from amr.jobspec.sources import FunctionSource
from amr.redis_url import RedisTarget
from amr.store.connection import connect
from tests.jobspec.test_job import EVERY_FIELD
from tests.support.cli import amr

ROOT = Path(__file__).parents[2]
SEED = 20_261_121

JOBS = [
    json.dumps(EVERY_FIELD).encode(),
    (ROOT / "jobs" / "pi.json").read_bytes(),
    b'{"mapper": "m", "inputs": []}',
    b'{"mapper": ["m", "n"], "inputs": {"chain": [[1], {"range": [0, 9, 2]}, {"product": '
    b'{"a": [1]}}]}}',
    b'{"mapper": "m", "inputs": {"csv": ["x/*.csv", "s3://b/y.csv"], "header": ["a"], "types": '
    b'{"a": "int"}, "delimiter": ";", "split": "16MB"}, "reducer": "amr.top(3)"}',
    b'{"mapper": "m", "inputs": {"function": "f", "body": {"n": [1]}}, "reducer": "r", '
    b'"shuffle": {}}',
]
MANIFESTS = [
    (ROOT / "functions" / "functions.toml").read_bytes(),
    b'a = "pi:mapper"\n[far]\nurl = "https://host/f"\ntimeout = "30s"\nconcurrency = 5\n'
    b'headers = { Authorization = "Bearer $TOKEN" }\nprivate = false\n',
]

STRANGE = [
    None, True, -1, 0, 1e308, 10**400, 2**63, "", "\x00", "\ud800", "none", "1e9s", "x" * 10_000,
    [], [[]], {}, {"a": None}, "$TOKEN", "../x", "os:system", "100/s", "-5s", float("inf"),
]  # fmt: skip


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Returns the data with a few bytes changed, cut, doubled or put in."""
    text = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice([1, 1, 3, 40]))
        match rng.randrange(6):
            case 0:
                text[at:end] = b""
            case 1:
                text[at:at] = text[at:end]
            case 2:
                text[at:at] = rng.choice([b"{", b"}", b"[", b"]", b'"', b",", b":", b"=", b"\n"])
            case 3:
                text[at:at] = bytes([rng.randrange(256)])
            case 4 if text:
                text[at % len(text)] ^= 1 << rng.randrange(8)
            case _:
                del text[at:]
    return bytes(text)


def swapped(rng: random.Random) -> bytes:
    """Returns a job in which fields have strange values, or strange fields have values."""
    document = dict(EVERY_FIELD)
    for _ in range(rng.choice([1, 2, 4])):
        name = rng.choice([*document, "retries", "".join(rng.choices(string.printable, k=5))])
        document[name] = rng.choice(STRANGE)
    if rng.random() < 0.2:
        document["retry"] = {rng.choice(["max_attempts", "backoff", "x"]): rng.choice(STRANGE)}
    try:
        return json.dumps(document).encode()
    except UnicodeEncodeError:
        return json.dumps(document, ensure_ascii=True).encode()


def documents(count: int) -> Iterator[bytes]:
    rng = random.Random(SEED)
    for number in range(count):
        yield swapped(rng) if number % 3 == 0 else mutated(rng, rng.choice(JOBS))


def read(data: bytes) -> JobSpec | None:
    """Returns the job, or None where it is refused as it should be."""
    try:
        return parse_job(parse_json(data, "job.json"), "job.json")
    except JobSpecError as error:
        refusal = error
    assert refusal.problems
    assert all(problem.message for problem in refusal.problems)
    return None


def test_six_thousand_changed_job_files_are_taken_or_refused(redis_target: RedisTarget) -> None:
    taken = [spec for data in documents(6000) if (spec := read(data)) is not None]
    assert 100 < len(taken) < 5900
    with Client(redis_target) as client, connect(redis_target) as raw:
        for spec in taken[:: max(1, len(taken) // 60)]:
            try:
                job = client.invoke(spec.with_durability("memory"))
            except UsageError:
                assert all(job.submitted or not job.error for job in client.jobs(most=1))
                continue
            status = job.status()
            assert status.submitted or isinstance(spec.inputs, FunctionSource)
            if isinstance(spec.inputs, list):
                assert status.total == -(-len(spec.inputs) // (spec.batch or 1))
            job.cancel() if status.live else None
        for status in client.jobs(most=1000):
            if status.live:  # it follows another one, and nobody is here to tell it of the end
                client.job(status.job).cancel()
        client.prune()
        assert raw.keys(f"amr:{{{redis_target.stream}}}:job:*") == []


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(list(EVERY_FIELD)) | st.text(), inner, max_size=6)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_taken_or_refused(document: Any) -> None:
    read(json.dumps(document).encode())


def test_two_and_a_half_thousand_changed_functions_files_are_taken_or_refused(
    tmp_path: Path,
) -> None:
    rng = random.Random(SEED)
    (tmp_path / "pi.py").write_text("def mapper(body):\n    return body\n")
    taken, refusals = 0, list[str]()
    for _ in range(2500):
        (tmp_path / "functions.toml").write_bytes(mutated(rng, rng.choice(MANIFESTS)))
        try:
            Registry.with_targets(tmp_path, {}).names()
            taken += 1
        except FunctionsError as error:
            refusals.append(str(error))
    assert all("functions.toml" in refusal for refusal in refusals)
    assert 50 < taken < 2450


@pytest.mark.parametrize("number", range(12))
def test_the_command_line_refuses_without_a_traceback(
    redis_target: RedisTarget, tmp_path: Path, number: int
) -> None:
    wrong = [data for data in documents(200) if read(data) is None][number * 8]
    file = tmp_path / "job.json"
    file.write_bytes(wrong)
    with pytest.raises(JobSpecError):
        load_job(file)
    done = amr("invoke", str(file), "--redis-url", redis_target.url())
    assert done.code == 2
    assert "job.json" in done.err
    with connect(redis_target) as client:
        assert client.keys(f"amr:{{{redis_target.stream}}}*") == []
