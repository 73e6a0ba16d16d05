"""Workers without processes: they fetch, run and tell in whatever order a test has them do it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from amr.invokers.context import Context, LogSink
from amr.invokers.registry import Registry
from amr.redis_url import RedisTarget
from amr.stages.reduce_input import build_reduce_input
from amr.store.replies import Code
from amr.task import Outcome, Task
from amr.worker.commits import commit_calls
from amr.worker.pace import Pace
from amr.worker.plans import Plans
from tests.support.store_bench import StoreBench

WORKERS = ("w1", "w2", "w3")


class PretendWorkers:
    """Runs the tasks of one job with the worker's own plans, invokers and calls.

    Args:
        target: the Redis and stream.
        functions: directory of the functions.
        job: job id.
    """

    def __init__(self, target: RedisTarget, functions: Path, job: str) -> None:
        self.bench = StoreBench(target)
        self.job = job
        #: Workers and the tasks that they have taken, whatever has become of these.
        self.taken: list[tuple[str, Task]] = []
        #: What executions came to, told or not.
        self.outcomes: list[Outcome] = []
        self._plans = Plans(self.bench.inspector, Registry.load(functions), Pace(), _no_source)

    def is_live(self) -> bool:
        return self.bench.status(self.job).live

    def fetch(self, worker: str, count: int) -> list[Task]:
        """Takes entries; returns those of them that a worker would run."""
        tasks = self.bench.fetch(count, worker)
        self.taken += [(worker, task) for task in tasks]
        return tasks

    def run(self, task: Task) -> Outcome:
        """Calls what a worker calls for the task, and keeps what it came to."""
        plan = self._plans.find(task.job)
        assert plan is not None
        body = task.body
        if task.stage == "reduce" and plan.spec.shuffle is None:
            body = build_reduce_input(self.bench.inspector, task.job, plan.spec, plan.reduce)
        invoker = self._plans.step(plan, task.stage).invoker
        context = Context(task, None, {}, LogSink())
        if invoker.concurrent:
            output = asyncio.run(invoker.invoke_async(body, context))
        else:
            output = invoker.invoke(body, context)
        outcome = Outcome(task, output, None, context.counters, 0.0)
        self.outcomes.append(outcome)
        return outcome

    def tell(self, outcomes: list[Outcome]) -> None:
        """Tells outcomes as a worker does; some of them may have been told before."""
        transitions = self.bench.transitions
        maps = [one for one in outcomes if one.task.stage == "map"]
        calls = [call for _, call in commit_calls(transitions, maps)]
        for task, output, _, counters, *_ in outcomes:
            if task.stage == "reduce" and output is not None:
                calls.append(transitions.finish(task, output, output[:99], counters))
        self.bench.link.run_all(calls)

    def die(self, worker: str, task: Task, **known: Any) -> None:
        """A worker is found dead with a task; what it has run may be told all the same, late."""
        self.bench.recover(task, worker=worker, **known)

    def back_up(self) -> None:
        """Starts a backup of whatever runs at the end of a stage."""
        self.bench.link.run(self.bench.transitions.backup(self.job, 0.0))

    def double(self, position: int) -> None:
        """A stranger adds one of the stream's entries once more."""
        stream = self.bench.keys.stream_key("stream")
        rows = self.bench.redis("XRANGE", stream, "-", "+")
        if rows:
            self.bench.redis("XADD", stream, "*", *rows[position % len(rows)][1])

    def go_on(self) -> None:
        """Does what triggers do all the time: retries come back, lost entries are found."""
        self.bench.make_retries_due()
        fields = [field for job, field in self.bench.fleet.due_retries(1000) if job == self.job]
        self.bench.forward(*fields, job=self.job)
        self.bench.sweep(self.job, older_s=-1)

    def drive_to_the_end(self) -> None:
        """Runs and tells everything, once and in order."""
        for _ in range(100):
            if not self.is_live():
                return
            self.go_on()
            for worker in WORKERS:
                self.bench.fetch(worker=worker)
                for task in self.bench.fleet.held_by(worker, 1000).tasks:
                    if self.is_live():
                        self.tell([self.run(task)])
        raise AssertionError(f"the job does not end: {self.bench.status(self.job)}")


def _no_source(task: Task, offset: int, items: list[bytes]) -> Code:
    raise AssertionError("no job of these has inputs that a function makes")
