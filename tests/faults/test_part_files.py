"""Part files while their writers die, sleep and wake: each is whole, and of one execution."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.support.crash_points import environment
from tests.support.fault_case import FaultCase
from tests.support.part_files import PartFiles
from tests.support.publish_points import POINTS, hit_in, went_on_in
from tests.support.wait import wait_for

#: Jobs of each kind, the parts that they write, and what is in these.
KINDS: dict[str, tuple[dict[str, Any], int, list[Any]]] = {
    "mapped": ({"mapper": "tagged.row", "inputs": {"range": 7}, "batch": 3}, 3, list(range(7))),
    "reduced": (
        {"mapper": "tagged.row", "inputs": {"range": 9}, "reducer": "tagged.rows"},
        1,
        list(range(9)),
    ),
    "shuffled": (
        {
            "mapper": "tagged.pair",
            "inputs": {"range": 40},
            "batch": 20,
            "reducer": "tagged.total",
            "shuffle": {"partitions": 3},
        },
        3,
        [[key, 60 + 4 * key] for key in range(10)],
    ),
}

#: With the job's id in it the first execution's file stays, else the last one's.
PATHS = STAYS, CHANGES = "{job}-{partition}.jsonl.gz", "{name}-{partition}.jsonl"


def some(all_of_them: Iterable[Any], *usual: Any) -> list[Any]:
    """Returns parameters of tests: the others than the usual ones are of `make faults`."""
    rows = [each if isinstance(each, tuple) else (each,) for each in all_of_them]
    shown = [each if isinstance(each, tuple) else (each,) for each in usual]
    return [pytest.param(*row, marks=() if row in shown else pytest.mark.long) for row in rows]


def submit(case: FaultCase, directory: Path, kind: str, path: str, **how: Any) -> PartFiles:
    document, count, values = KINDS[kind]
    folder = directory / f"{kind}-{PATHS.index(path)}"
    expected = PartFiles(folder, count, values, **how)
    case.submit(document | {"output": f"{folder}/{path}"}, expected)
    return expected


def wait_for_all(case: FaultCase) -> None:
    wait_for(lambda: not any(each.live for each in case.client.jobs()), what="the jobs' end")


@pytest.mark.fault(46)
@pytest.mark.parametrize("point", some(POINTS, "before", "written", "after"))
def test_a_worker_that_is_killed_as_it_writes_leaves_whole_parts_only(
    case: FaultCase, tmp_path: Path, point: str
) -> None:
    case.trigger(environment=environment(PUBLISH_AT=point, PUBLISH_SIGNAL="SIGKILL"))
    parts = [submit(case, tmp_path, kind, path) for kind, path in product(KINDS, PATHS)]
    case.costs(len(parts))
    wait_for_all(case)
    assert all(hit_in(each.folder) for each in parts)
    left = {len(each.left_aside()) for each in parts}
    # With a file of {name} that is in its place nothing is left aside.
    assert left == {"before": {0}, "placed": {0, 1}, "after": {0}}.get(point, {1})


@pytest.mark.fault(46)
@pytest.mark.parametrize(
    ("then", "point"),
    some(
        product((signal.SIGCONT, signal.SIGKILL), POINTS),
        (signal.SIGCONT, "written"),
        (signal.SIGKILL, "written"),
    ),
)
def test_a_machine_that_sleeps_as_it_writes_changes_no_part_that_stands(
    case: FaultCase, tmp_path: Path, then: signal.Signals, point: str
) -> None:
    stops = environment(PUBLISH_AT=point, PUBLISH_SIGNAL="SIGSTOP")
    first = case.trigger("--lease", "1s", processes=len(KINDS) * len(PATHS), environment=stops)
    parts: list[PartFiles] = []
    for kind, path in product(KINDS, PATHS):
        # One after the other: a worker that stops keeps what it has taken in advance.
        parts.append(submit(case, tmp_path, kind, path, is_told=path is STAYS))
        wait_for(lambda: hit_in(parts[-1].folder))
    case.costs(len(parts))
    first.signal_all(signal.SIGSTOP)
    case.trigger("--lease", "1s")
    wait_for_all(case)
    stay = [file for each in parts if each.is_told for file in each.folder.glob("*.gz")]
    before = [file.read_bytes() for file in stay]
    first.signal_all(then)
    if then is signal.SIGCONT:
        wait_for(lambda: all(went_on_in(each.folder) for each in parts))
    else:
        case.killed(first)
    assert before == [file.read_bytes() for file in stay]
    assert len(before) == sum(each.count for each in parts if each.is_told)


@pytest.mark.fault(46, 47)
def test_a_worker_that_stops_as_it_writes_is_backed_up_and_its_part_is_whole(
    case: FaultCase, tmp_path: Path
) -> None:
    stops = environment(PUBLISH_AT="written", PUBLISH_SIGNAL="SIGSTOP", QUICK_BACKUPS="1")
    # Of a stage of one task nothing tells that it straggles.
    kinds = [kind for kind, (_, count, _) in KINDS.items() if count > 1]
    case.trigger(processes=2 * len(kinds) + 1, environment=stops)
    parts: list[PartFiles] = []
    for kind, path in product(kinds, PATHS):
        parts.append(submit(case, tmp_path, kind, path))
        wait_for(lambda: hit_in(parts[-1].folder))
    case.costs(len(parts))
    wait_for_all(case)
    assert all(each.left_aside() for each in parts)
