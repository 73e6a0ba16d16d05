"""Any mapper, any split and any order of late and doubled executions give the sequential result."""

from __future__ import annotations

import itertools
import json
import random
import uuid
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from amr.client import Client
from amr.invokers.registry import Registry
from amr.jobspec.job import parse_job
from amr.redis_url import RedisTarget
from amr.sequential import SequentialRun
from amr.shuffle import runs
from amr.stages import shuffle_mapper
from tests.mapreduce.conftest import FUNCTIONS
from tests.support.pretend_workers import WORKERS, PretendWorkers

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 2.0, "", "a", "é"])
KEYS = st.recursive(SCALARS, partial(st.lists, max_size=2), max_leaves=3)
RECORDS = st.lists(st.lists(st.tuples(KEYS, st.integers(-9, 9)), max_size=4), max_size=12)

#: Reducers, and combiners that go with them.
REDUCERS = (
    *(("amr.list", None), ("drawn.listed", None), ("drawn.each", None), ("drawn.total", None)),
    *(("drawn.total", "amr.sum"), ("drawn.total", "drawn.total"), ("amr.sum", "drawn.total")),
    *((f"amr.{name}", f"amr.{name}") for name in ("sum", "count", "min", "first", "list")),
    *((f"amr.{name}", f"amr.{name}") for name in ("mean", "top(2)")),
)

SHUFFLES = st.fixed_dictionaries(
    {
        "partitions": st.integers(1, 4),
        "partitioner": st.sampled_from(["hash", "range", "drawn.by_text"]),
    }
)

#: What happens, and how often beside each other.
STEPS = {
    "work": 4,
    "tell": 6,
    "die": 1,
    "fail": 1,
    "release": 1,
    "back up": 1,
    "double": 1,
    "go on": 2,
}

_numbers = itertools.count()


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draws a job of each kind."""
    document: dict[str, Any] = {
        "mapper": draw(st.sampled_from(["drawn.pairs", "drawn.pairs_later"])),
        "inputs": draw(RECORDS),
        "retry": {"max_attempts": 100},
    }
    if batch := draw(st.integers(0, 4)):
        document["batch"] = batch
    kind = draw(st.sampled_from(["shuffled", "shuffled", "shuffled", "reduced", "mapped"]))
    if kind == "reduced":
        document["reducer"] = "amr.list"
    if kind == "shuffled":
        reducer, combiner = draw(st.sampled_from(REDUCERS))
        shuffle = draw(SHUFFLES) | ({"combiner": combiner} if combiner else {})
        document |= {"reducer": reducer, "shuffle": shuffle}
    return document


def sequential(document: dict[str, Any]) -> Any:
    return json.loads(SequentialRun(parse_job(document), Registry.load(FUNCTIONS)).run())


def rows_of(result: Any) -> list[Any]:
    """Returns the rows of all parts, and checks what is told of each."""
    rows = []
    for part in result["parts"]:
        data = Path(part["path"]).read_bytes()
        lines = data.splitlines()
        assert (len(lines), len(data)) == (part["outputs"], part["bytes"])
        rows += map(json.loads, lines)
    return rows


def act(workers: PretendWorkers, step: str, rng: random.Random) -> None:
    """Does one thing that may happen at any time."""
    if step == "work":
        worker = rng.choice(WORKERS)
        for task in workers.fetch(worker, rng.randint(1, 3)):
            workers.run(task)
    elif step == "tell" and workers.outcomes:
        workers.tell(rng.choices(workers.outcomes, k=rng.randint(1, 5)))
    elif step == "double":
        workers.double(rng.randrange(10))
    elif step == "back up":
        workers.back_up()
    elif step == "go on":
        workers.go_on()
    elif workers.taken and step != "tell":
        worker, task = rng.choice(workers.taken)
        if step == "die":
            workers.die(worker, task, blame=rng.choice(["idle", "running", "unknown"]))
        elif step == "fail":
            workers.bench.fail(task, delay_s=0.0)
        else:
            workers.bench.release(task)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # shrinking would take many minutes
    suppress_health_check=list(HealthCheck),
)
@given(
    document=documents(),
    is_stored=st.booleans(),
    in_small_blocks=st.booleans(),
    is_written=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_any_order_of_late_and_doubled_executions_gives_the_sequential_result(
    redis_target: RedisTarget,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    document: dict[str, Any],
    is_stored: bool,
    in_small_blocks: bool,
    is_written: bool,
    seed: int,
) -> None:
    expected = sequential(document)
    target = redis_target.with_stream(f"order-{next(_numbers)}")
    job = f"drawn-{uuid.uuid4().hex}"
    monkeypatch.setattr(shuffle_mapper, "_STORED_FROM_BYTES", 0 if is_stored else 1 << 30)
    monkeypatch.setattr(runs, "_FIRST_PAIRS", 1 if in_small_blocks else 16)
    monkeypatch.setattr(runs, "_PAIRS_MOST", 2 if in_small_blocks else 4096)
    run = dict(document)
    if "shuffle" in run:
        run["shuffle"] = run["shuffle"] | {"store": str(tmp_path / "store")}
    if is_written:
        run["output"] = str(tmp_path / "{job}" / "{partition}.jsonl")
    with Client(target) as client:
        handle = client.invoke(run, id=job)
        workers = PretendWorkers(target, FUNCTIONS, job)
        with closing(workers.bench.link):
            rng = random.Random(seed)
            for step in rng.choices(list(STEPS), list(STEPS.values()), k=60):
                if workers.is_live():
                    act(workers, step, rng)
                    workers.bench.check(job)
            workers.drive_to_the_end()
            workers.tell(rng.sample(workers.outcomes, len(workers.outcomes)))
            workers.bench.check(job)
        status = handle.status()
        assert status.succeeded == status.total
        assert Counter(status.counters) == Counter(records=len(document["inputs"]))
        result = handle.result(1)
    if not is_written:
        assert result == expected
    elif document.get("reducer") is None and "batch" not in document:
        assert rows_of(result) == [row for record in expected for row in record]
    else:
        assert rows_of(result) == expected
