"""A shuffled job while workers and Redis die: the result is that of a plain loop."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
import pytest

from amr.invokers.registry import Registry
from amr.jobspec.job import parse_job
from amr.sequential import SequentialRun
from tests.conftest import NewRedis
from tests.faults.conftest import NewCase
from tests.mapreduce.conftest import FUNCTIONS
from tests.support.fault_case import FaultCase
from tests.support.wait import wait_for

PARTITIONS = 5


@pytest.fixture
def text(tmp_path: Path) -> Path:
    rng = random.Random(5)
    path = tmp_path / "text.txt"
    lines = (" ".join(f"w{rng.randrange(500)}" for _ in range(10)) for _ in range(20_000))
    path.write_text("".join(line + "\n" for line in lines))
    return path


def expected(text: Path) -> list[list[object]]:
    """Returns the word count as a plain loop makes it, partition by partition."""
    counts = Counter(text.read_text().split())
    partitions: list[list[list[object]]] = [[] for _ in range(PARTITIONS)]
    for word in sorted(counts):
        partitions[crc32(orjson.dumps(word)) % PARTITIONS].append([word, counts[word]])
    return [row for rows in partitions for row in rows]


def submit(case: FaultCase, text: Path, **shuffle: object) -> None:
    document = {
        "mapper": "shapes.words",
        "inputs": {"lines": str(text), "split": "30kB"},
        "reducer": "shapes.total",
        "shuffle": {"partitions": PARTITIONS, **shuffle},
        "retry": {"max_attempts": 50, "backoff": "10ms"},
    }
    case.submit(document, expected(text))


@pytest.mark.parametrize("combiner", [None, "amr.sum"])
def test_workers_are_killed_all_the_time(
    new_redis: NewRedis, new_case: NewCase, text: Path, combiner: str | None
) -> None:
    case = new_case(new_redis().target, FUNCTIONS)
    trigger = case.trigger(processes=3)
    rng = random.Random(1)
    submit(case, text, combiner=combiner)
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        time.sleep(0.25)
        if workers := trigger.workers():
            os.kill(rng.choice(workers), signal.SIGKILL)


def test_files_are_byte_for_byte_those_of_a_sequential_run(
    new_redis: NewRedis, new_case: NewCase, text: Path, tmp_path: Path
) -> None:
    def document(folder: str) -> dict[str, Any]:
        return {
            "mapper": "shapes.words",
            "inputs": {"lines": str(text), "split": "30kB"},
            "reducer": "shapes.each",
            "shuffle": {"partitions": PARTITIONS},
            "retry": {"max_attempts": 50, "backoff": "10ms"},
            "output": str(tmp_path / folder / "{partition}.jsonl"),
        }

    SequentialRun(parse_job(document("here")), Registry.load(FUNCTIONS)).run()
    case = new_case(new_redis().target, FUNCTIONS)
    trigger = case.trigger(processes=3)
    job = case.client.invoke(document("there"))
    for kill in range(4):
        wait_for(lambda least=kill: job.status().succeeded > 5 * least or not job.status().live)
        if workers := trigger.workers():
            os.kill(workers[-1], signal.SIGKILL)
    parts = job.result(60)["parts"]
    assert len(parts) == PARTITIONS
    for part in parts:
        path = Path(part["path"])
        assert path.read_bytes() == (tmp_path / "here" / path.name).read_bytes()


def test_redis_is_killed_and_comes_back(new_redis: NewRedis, new_case: NewCase, text: Path) -> None:
    server = new_redis(append_only=True)
    case = new_case(server.target, FUNCTIONS)
    case.trigger(processes=2)
    submit(case, text)
    for _ in range(3):
        time.sleep(0.3)
        server.restart(kill=True)


def test_runs_in_files_outlive_the_workers_that_wrote_them(
    new_redis: NewRedis, new_case: NewCase, text: Path, tmp_path: Path
) -> None:
    case = new_case(new_redis().target, FUNCTIONS)
    trigger = case.trigger(processes=3)
    submit(case, text, store=str(tmp_path / "store"))
    for _ in range(6):
        time.sleep(0.2)
        if workers := trigger.workers():
            os.kill(workers[0], signal.SIGKILL)
