"""Processes that end before or after any of their Redis calls.

A recording run finds every place at which a worker, the supervisor or a client calls Redis; then a
run for each of them ends the process there, once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from amr.redis_url import RedisTarget
from amr.states import JobState
from tests.conftest import NewRedis
from tests.support.cli import AMR
from tests.support.crash_points import STATUS, Point, environment, read_record
from tests.support.fault_case import FaultCase
from tests.support.part_files import PartFiles
from tests.support.trigger_process import FUNCTIONS, KeptTrigger, TriggerProcess
from tests.support.wait import wait_for

SLEEPS = [1.3, *[0.03] * 15]
WAITS = [0.05] * 6
TOTAL = "faulty.total"
RETRY = {"max_attempts": 8, "backoff": "20ms"}

#: What two crashes may run again: a task of each worker, and the async calls beside it.
COST = 2 * (2 + len(WAITS))

#: Walks at a time; most of one is waiting.
AT_ONCE = 4

Command = Callable[..., str]


class Walk:
    """One run of a few small jobs, with every command, in processes that may end at a point."""

    def __init__(self, target: RedisTarget, directory: Path, **variables: str) -> None:
        self._target = target.with_stream(f"crash-{uuid.uuid4().hex[:10]}")
        self._directory = directory
        self._fixed = directory / "fixed"
        directory.mkdir()
        self._environment = environment(**variables, FIXED=str(self._fixed))

    def run(self) -> None:
        """Runs the jobs and checks every promise."""
        with FaultCase(self._target, self._directory) as case:
            trigger = case.trigger("--lease", "1s", kind=KeptTrigger, environment=self._environment)
            case.costs(COST)
            self._do(case, trigger)
            case.check()

    def _do(self, case: FaultCase, trigger: TriggerProcess) -> None:
        self._total(case, "sleeps", {"mapper": "faulty.sleep", "inputs": SLEEPS}, 120)
        doubled = {"mapper": "faulty.second_time", "inputs": [1, 2, 3, 4]}
        case.costs(2)  # it means to raise on two first attempts
        self._total(case, "retried", doubled, 20)
        waits = {"mapper": "faulty.wait", "inputs": WAITS, "reduce_tree": 2}
        self._total(case, "waits", waits, 15)
        wait_for(lambda: len(trigger.calls()) > 8, 30)
        if workers := trigger.workers():
            os.kill(workers[0], signal.SIGKILL)  # so that there is something to recover
        os.kill(trigger.pid, signal.SIGTERM)
        self._control(case)

    def _total(self, case: FaultCase, job: str, fields: dict[str, Any], total: int) -> None:
        result = {"sum": total, "count": len(fields["inputs"])}
        self._invoke(case, job, {"reducer": TOTAL} | fields, result)

    def _invoke(self, case: FaultCase, job: str, fields: dict[str, Any], result: object) -> None:
        file = self._directory / f"{job}.json"
        file.write_text(json.dumps({"retry": RETRY, "deadline": "60s"} | fields))
        self._command("invoke", str(file), "--id", job, "--functions", str(FUNCTIONS))
        case.expect(case.client.job(job), result)

    def _control(self, case: FaultCase) -> None:
        """Pauses, resumes and changes a job, repairs another, and cancels one."""
        fields = {"mapper": "faulty.odd_until_fixed", "inputs": [1, 2, 4], "retry": RETRY}
        broken = case.submit(fields, [1, 2, 4], id="broken")
        slow = case.submit(
            {"mapper": "faulty.sleep", "inputs": [0.02] * 10, "retry": RETRY},
            list(range(10)),
            id="slow",
        )
        endless = case.submit(
            {"mapper": "faulty.sleep", "inputs": [600.0]},
            None,
            id="endless",
            state=JobState.CANCELLED,
        )
        for command in (("pause",), ("update", "--concurrency", "3"), ("resume",)):
            self._command(command[0], slow.id, *command[1:], missing_ok=True)
        wait_for(lambda: broken.status().state is JobState.FAILED, 30)
        self._fixed.touch()
        case.costs(1)
        self._command("redrive", broken.id, missing_ok=True)
        wait_for(lambda: endless.status().running, 30)
        self._command("cancel", endless.id, missing_ok=True)

    def _command(self, *arguments: str, missing_ok: bool = False) -> None:
        """Runs a command, again when it ended at its point."""
        command = [*AMR, *arguments, "--redis-url", self._target.url()]
        for _ in range(3):
            done = subprocess.run(
                command, env=self._environment, capture_output=True, text=True, check=False
            )
            if done.returncode != STATUS:
                break
        assert done.returncode in ((0, 2) if missing_ok else (0,)), done.stderr


class ShuffledWalk(Walk):
    """One run of a shuffled job, whose runs go into Redis and whose parts into files."""

    def _do(self, case: FaultCase, trigger: TriggerProcess) -> None:
        folder = self._directory / "parts"
        fields = {
            "mapper": "tagged.pair",
            "inputs": list(range(40)),
            "reducer": "tagged.total",
            "shuffle": {"partitions": 3},
            "output": f"{folder}/{{job}}-{{partition}}.jsonl",
        }
        parts = PartFiles(folder, 3, [[key, 60 + 4 * key] for key in range(10)])
        self._invoke(case, "shuffled", fields, parts)


def find_points(target: RedisTarget, directory: Path, walk: type[Walk] = Walk) -> list[Point]:
    """Returns every point of a run in which nothing ends."""
    record = directory / "points"
    walk(target, directory / "recording", CRASH_RECORD=str(record)).run()
    return read_record(record)


def walk_points(
    target: RedisTarget, directory: Path, points: list[Point], walk: type[Walk] = Walk
) -> None:
    """Runs the jobs once for each point and asserts that all promises were kept in each run."""

    def walk_to(number: int) -> str | None:
        point, done = points[number], directory / f"done-{number}"
        run = walk(target, directory / str(number), CRASH_AT=str(point), CRASH_DONE=str(done))
        try:
            run.run()
        except Exception as error:
            return f"{point}: {type(error).__name__}: {error}"
        return None if done.exists() else f"not reached: {point}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = [line for line in pool.map(walk_to, range(len(points))) if line]
    missed = [line for line in told if line.startswith("not reached")]
    broken = [line for line in told if line not in missed]
    assert not broken, "\n".join(broken)
    # Which answer comes first varies from run to run; most of the places are there each time.
    assert len(missed) <= len(points) // 4, "\n".join(missed)


@pytest.mark.fault(2, 3, 15, 22)
def test_a_process_may_end_at_some_of_its_redis_calls(new_redis: NewRedis, tmp_path: Path) -> None:
    target = new_redis().target
    points = find_points(target, tmp_path)
    roles = {point.role for point in points}
    assert roles >= {"worker", "supervisor", "invoke", "redrive", "cancel", "pause", "resume"}
    scripts = [p for p in points if p.occurrence == 1 and p.side == "after" and "commit" in p.calls]
    walk_points(target, tmp_path, scripts + points[:: len(points) // 8])


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.fault(2, 3, 15, 22)
def test_a_process_may_end_at_any_of_its_redis_calls(new_redis: NewRedis, tmp_path: Path) -> None:
    target = new_redis().target
    walk_points(target, tmp_path, find_points(target, tmp_path))


@pytest.mark.fault(2, 48)
def test_a_worker_may_end_at_the_commits_of_a_shuffled_job(
    new_redis: NewRedis, tmp_path: Path
) -> None:
    target = new_redis().target
    points = find_points(target, tmp_path, ShuffledWalk)
    tells = [p for p in points if p.role == "worker" and p.occurrence == 1]
    some = [p for p in tells if p.calls.partition("+")[0] in ("commit", "finish")]
    assert len({(p.calls.partition("+")[0], p.side) for p in some}) == 4
    walk_points(target, tmp_path, some, ShuffledWalk)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.fault(2, 48)
def test_a_process_may_end_at_any_redis_call_of_a_shuffled_job(
    new_redis: NewRedis, tmp_path: Path
) -> None:
    target = new_redis().target
    walk_points(target, tmp_path, find_points(target, tmp_path, ShuffledWalk), ShuffledWalk)
