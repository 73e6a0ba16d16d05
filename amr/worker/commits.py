"""The calls that tell the outputs of map tasks, a few hundred of one job at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from amr.shuffle.mapped import unpack
from amr.store.link import Call
from amr.store.transitions import Done, Transitions
from amr.task import Outcome
from amr.worker.pace import BATCH_MOST


def commit_calls(
    transitions: Transitions, outcomes: Iterable[Outcome]
) -> Iterator[tuple[str, Call]]:
    """Yields jobs and the calls that commit the outcomes, all of map tasks that succeeded."""
    by_job: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_job[outcome.task.job].append(outcome)
    for job, all_of_job in by_job.items():
        for start in range(0, len(all_of_job), BATCH_MOST):
            batch = all_of_job[start : start + BATCH_MOST]
            done = [_done(one) for one in batch]
            task_us = 1e6 * sum(one.elapsed_s for one in batch) / len(batch)
            longest_us = max(one.lasted_us for one in batch)
            yield job, transitions.commit(job, done, round(task_us, 3), round(longest_us))


def _done(outcome: Outcome) -> Done:
    output, runs = unpack(outcome.output or b"null")
    return Done(outcome.task, output, outcome.counters, runs, outcome.skipped)
