"""Backup tasks while one of two executions dies, sleeps or fails: one result, counted once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from amr.states import JobState
from tests.support.crash_points import environment
from tests.support.fault_case import FaultCase
from tests.support.stragglers import Straggler
from tests.support.trigger_process import TriggerProcess, is_alive
from tests.support.wait import wait_for

pytestmark = pytest.mark.fault(47)

STRAGGLERS = ("map", "reduce")

ORIGINAL, BACKUP = 1, 2


def start(case: FaultCase, processes: int = 2 * len(STRAGGLERS)) -> TriggerProcess:
    return case.trigger(processes=processes, environment=environment(QUICK_BACKUPS="1"))


def back_up_each(case: FaultCase, directory: Path, **how: JobState) -> list[Straggler]:
    """Submits a job of each kind and returns when both executions of its straggler run."""
    stragglers = [Straggler(case, kind, directory, **how) for kind in STRAGGLERS]
    for straggler in stragglers:
        straggler.wait_for_backup()
    # One that goes on alone, because the other one died, is a straggler that may be backed up too.
    case.costs(2 * len(stragglers))
    return stragglers


def test_a_backup_ends_what_a_killed_worker_began(case: FaultCase, tmp_path: Path) -> None:
    start(case)
    stragglers = back_up_each(case, tmp_path)
    for straggler in stragglers:
        straggler.tell(ORIGINAL, "die")
    wait_for(lambda: not any(is_alive(each.pid(ORIGINAL)) for each in stragglers))
    for straggler in stragglers:
        straggler.tell(BACKUP)
        straggler.check_counted_once(is_backed_up=True)


def test_a_killed_backup_costs_one_execution_more(case: FaultCase, tmp_path: Path) -> None:
    start(case)
    stragglers = back_up_each(case, tmp_path)
    for straggler in stragglers:
        straggler.tell(BACKUP, "die")
    for straggler in stragglers:
        straggler.check_counted_once(is_backed_up=True)


def test_two_commits_at_the_same_moment_count_once(case: FaultCase, tmp_path: Path) -> None:
    start(case)
    stragglers = back_up_each(case, tmp_path)
    for straggler in stragglers:
        for execution in (ORIGINAL, BACKUP):
            straggler.tell(execution)
    for straggler in stragglers:
        straggler.check_counted_once(is_backed_up=True)


@pytest.mark.parametrize("sleeper", [pytest.param(ORIGINAL, marks=pytest.mark.long), BACKUP])
def test_a_machine_that_sleeps_with_one_of_two_executions_changes_nothing_when_it_wakes(
    case: FaultCase, tmp_path: Path, sleeper: int
) -> None:
    triggers = [start(case, processes=len(STRAGGLERS)) for _ in range(2)]
    stragglers = back_up_each(case, tmp_path)
    stopped = next(each for each in triggers if stragglers[0].pid(sleeper) in each.workers())
    stopped.signal_all(signal.SIGSTOP)
    for straggler in stragglers:
        # Of the other job, the same machine may have the other execution, or both.
        straggler.tell(ORIGINAL)
        straggler.tell(BACKUP)
    case.costs(len(stragglers))
    for straggler in stragglers:
        straggler.check_counted_once(is_backed_up=True)
    stopped.signal_all(signal.SIGCONT)
    after = case.submit({"mapper": "faulty.noop", "inputs": [1] * 20}, [1] * 20)
    assert after.result(20) == [1] * 20


@pytest.mark.parametrize("failing", [ORIGINAL, BACKUP])
def test_a_failure_of_one_of_two_executions_fails_no_job(
    case: FaultCase, tmp_path: Path, failing: int
) -> None:
    start(case)
    stragglers = back_up_each(case, tmp_path)
    for straggler in stragglers:
        straggler.tell(failing, "fail for good" if failing == ORIGINAL else "fail")
    if failing == BACKUP:
        wait_for(lambda: all(straggler.pid(3) for straggler in stragglers), what="the retries")
    else:
        busy = [straggler.pid(ORIGINAL) for straggler in stragglers]
        after = case.submit({"mapper": "faulty.noop", "inputs": [1] * 20}, [1] * 20)
        assert after.result(20) == [1] * 20
        assert all(map(is_alive, busy))
    for straggler in stragglers:
        straggler.tell(BACKUP if failing == ORIGINAL else ORIGINAL)
        straggler.check_counted_once(is_backed_up=True)


def test_a_cancelled_job_ends_both_executions(case: FaultCase, tmp_path: Path) -> None:
    start(case)
    stragglers = back_up_each(case, tmp_path, state=JobState.CANCELLED)
    for straggler in stragglers:
        assert straggler.job.cancel()
    after = case.submit({"mapper": "faulty.sleep", "inputs": [0.3] * 8}, list(range(8)))
    assert after.result(20) == list(range(8))
    assert not any(straggler.pid(3) for straggler in stragglers)
