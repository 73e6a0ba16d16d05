"""Any order of anything keeps the invariant, and every job still reaches its end."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from amr.redis_url import RedisTarget
from amr.store.replies import Code
from amr.store.transitions import Done
from amr.task import Task, field_of
from tests.support.store_bench import StoreBench
from tests.support.tree import read_children

JOBS = ("a", "b")
WORKERS = ("w1", "w2", "w3")
_numbers = itertools.count()


class StoreMachine(RuleBasedStateMachine):
    """Controllers, workers, triggers and strangers act on two jobs in any order."""

    target: RedisTarget

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self.bench = StoreBench(self.target.with_stream(f"machine-{next(_numbers)}"))
        self.totals: dict[str, int] = {}
        self.taken: list[tuple[str, Task]] = []
        self.lost: dict[str, set[str]] = {job: set() for job in JOBS}
        self.results: dict[str, dict[int, set[bytes]]] = {job: defaultdict(set) for job in JOBS}
        self.branches: dict[str, int | str] = {}
        for job in JOBS:
            self.totals[job] = data.draw(st.integers(0, 40))
            self.branches[job] = data.draw(st.sampled_from(["", "", 2, 3]))
            self.bench.create(
                job,
                reducer=data.draw(st.booleans()) or bool(self.branches[job]),
                branches=self.branches[job],
                max_attempts=data.draw(st.integers(1, 3)),
                concurrency=data.draw(st.sampled_from([1, 3, 10_000])),
                policy=data.draw(st.sampled_from(["fail", "collect", "tolerate"])),
                tolerance=0.3,
            )

    def teardown(self) -> None:
        if not hasattr(self, "bench"):
            return
        for job in JOBS:
            self._drive_to_its_end(job)
            self.bench.check(job)
            for version, outputs in self.results[job].items():
                assert len(outputs) <= 1, f"{job} has two results of version {version}"
        # Entries of tasks that have ended elsewhere are dropped by whoever meets them.
        for worker in WORKERS:
            for task in self.bench.fetch(worker=worker):
                self.bench.link.run(self.bench.transitions.drop([task.entry_id]))
            held = self.bench.fleet.held_by(worker, 1000)
            ids = [task.entry_id for task in held.tasks] + held.lost
            if ids:
                self.bench.link.run(self.bench.transitions.drop(ids))
        self.bench.link.close()

    @rule(job=st.sampled_from(JOBS), size=st.integers(1, 15), overlap=st.integers(0, 5))
    def append(self, job: str, size: int, overlap: int) -> None:
        appended = self._appended(job)
        first = max(0, appended - overlap)
        last = min(self.totals[job], first + size)
        self.bench.append(range(first, max(first, last)), job)

    @rule(job=st.sampled_from(JOBS))
    def seal(self, job: str) -> None:
        reply = self.bench.seal(self.totals[job], job)
        assert reply.code in (Code.OK, Code.GAP, Code.GONE)

    @rule(worker=st.sampled_from(WORKERS), count=st.integers(1, 10))
    def fetch(self, worker: str, count: int) -> None:
        self.taken += [(worker, task) for task in self.bench.fetch(count, worker)]

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), again=st.booleans())
    def commit(self, data: st.DataObject, again: bool) -> None:
        _, task = data.draw(st.sampled_from(self.taken))
        if task.stage == "reduce":
            self._finish(task, b"%d" % data.draw(st.integers(0, 9)))
            return
        if task.stage == "merge":
            self._merge(task)
            return
        batch = [t for _, t in self.taken if t.job == task.job and t.stage == "map"]
        batch = [*data.draw(st.lists(st.sampled_from(batch), max_size=6)), task]
        done = [Done(each, b"[%d]" % each.index, {"n": 1}) for each in batch]
        for _ in range(1 + again):
            self.bench.link.run(self.bench.transitions.commit(task.job, done, 100.0))

    @precondition(lambda self: self.taken)
    @rule(
        data=st.data(),
        permanent=st.booleans(),
        deferred=st.booleans(),
        delay_s=st.sampled_from([0.0, 60.0]),
    )
    def fail(self, data: st.DataObject, permanent: bool, deferred: bool, delay_s: float) -> None:
        _, task = data.draw(st.sampled_from(self.taken))
        self.bench.fail(task, permanent=permanent, deferred=deferred, delay_s=delay_s)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        _, task = data.draw(st.sampled_from(self.taken))
        self.bench.release(task)

    @precondition(lambda self: self.taken)
    @rule(
        data=st.data(), blame=st.sampled_from(["running", "idle", "unknown"]), alone=st.booleans()
    )
    def recover(self, data: st.DataObject, blame: Any, alone: bool) -> None:
        worker, task = data.draw(st.sampled_from(self.taken))
        self.bench.recover(task, blame, alone=alone, worker=worker)

    @rule(job=st.sampled_from(JOBS), all_of_them=st.booleans())
    def forward(self, job: str, all_of_them: bool) -> None:
        fields = [f for j, f in self.bench.fleet.due_retries(100) if j == job or all_of_them]
        self.bench.forward(*fields, job=job)

    @rule(data=st.data(), way=st.sampled_from(["XDEL", "XACK"]))
    def stranger(self, data: st.DataObject, way: str) -> None:
        stream = self.bench.keys.stream_key("stream")
        rows = self.bench.redis("XRANGE", stream, "-", "+")
        if not rows:
            return
        entry, flat = data.draw(st.sampled_from(rows))
        group = ("amr",) if way == "XACK" else ()
        self.bench.redis(way, stream, *group, entry)
        fields = dict(zip(flat[0::2], flat[1::2], strict=True))
        field = field_of(fields[b"stage"].decode(), int(fields[b"index"]))
        if way == "XDEL":
            self.lost[fields[b"job"].decode()].add(field)

    @rule(job=st.sampled_from(JOBS))
    def forge(self, job: str) -> None:
        row = ("job", job, "stage", "map", "index", 0, "attempt", 1, "suspect", 0, "body", "evil")
        self.bench.redis("XADD", self.bench.keys.stream_key("stream"), "*", *row)

    @rule(job=st.sampled_from(JOBS))
    def sweep(self, job: str) -> None:
        self.bench.sweep(job, older_s=-1)
        self.lost[job].clear()

    @rule()
    def forget_scripts(self) -> None:
        self.bench.redis("SCRIPT", "FLUSH")

    @rule(job=st.sampled_from(JOBS))
    def pause(self, job: str) -> None:
        self.bench.pause(job)

    @rule(job=st.sampled_from(JOBS))
    def resume(self, job: str) -> None:
        self.bench.resume(job)
        self.lost[job].clear()

    @rule(
        job=st.sampled_from(JOBS),
        concurrency=st.sampled_from([None, 1, 5, 10_000]),
        rate=st.sampled_from([None, 0, 100_000.0]),
    )
    def update(self, job: str, concurrency: int | None, rate: float | None) -> None:
        # Less than what is in flight is reached in time, and not what the invariant speaks of.
        status = self.bench.inspector.status(job)
        if status is None or (concurrency or status.running + 1) > status.running:
            self.bench.update(concurrency, rate, job)

    @rule(data=st.data(), job=st.sampled_from(JOBS), more=st.booleans())
    def redrive(self, data: st.DataObject, job: str, more: bool) -> None:
        key = self.bench.keys.job_key("failures", job)
        dead = [field.decode() for field in self.bench.redis("HKEYS", key)]
        fields = data.draw(st.lists(st.sampled_from(dead), unique=True)) if dead else []
        if self.bench.redrive(*fields, job=job, more=more).code is Code.OK:
            self.lost[job].clear()

    @precondition(lambda self: len(self.taken) > 15)
    @rule(job=st.sampled_from(JOBS))
    def cancel(self, job: str) -> None:
        self.bench.cancel(job)

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "bench"):
            for job in JOBS:
                self.bench.check(job, tuple(self.lost[job]))

    def _merge(self, task: Task) -> None:
        branches = self.branches[task.job]
        assert isinstance(branches, int)
        if (joined := read_children(self.bench, task, branches)) is not None:
            self.bench.merge(task, joined)

    def _finish(self, task: Task, output: bytes) -> None:
        if isinstance(branches := self.branches[task.job], int):
            joined = read_children(self.bench, task, branches)
            if joined is None:
                return  # a task that was given up reads what has been redriven
            output = joined
        if self.bench.finish(task, output).code is Code.OK:
            version = self.bench.status(task.job).version
            self.results[task.job][version].add(output)
            assert self.bench.inspector.result(task.job, version) == output
            if branches:
                dead = {failure.index for failure in self.bench.inspector.failures(task.job)}
                alive = [n for n in range(self.totals[task.job]) if n not in dead]
                assert json.loads(output) == alive

    def _appended(self, job: str) -> int:
        return int(self.bench.redis("LLEN", self.bench.keys.job_key("inputs", job)))

    def _drive_to_its_end(self, job: str) -> None:
        """Does what a controller and a trigger do, until the job has ended."""
        bench = self.bench
        for _ in range(2000):
            status = bench.inspector.status(job)
            if status is None or not status.live:
                return
            if not status.submitted:
                first = self._appended(job)
                bench.append(range(first, self.totals[job]), job)
                bench.seal(self.totals[job], job)
            bench.resume(job)
            bench.redis("HSET", bench.keys.job_key("job", job), "held_until", 1)
            bench.sweep(job, older_s=-1)
            bench.make_retries_due()
            self.forward(job, all_of_them=False)
            for worker in WORKERS:
                bench.fetch(worker=worker)
                for task in bench.fleet.held_by(worker, 200).tasks:
                    if task.stage == "reduce":
                        self._finish(task, b"end")
                    elif task.stage == "merge":
                        self._merge(task)
                    else:
                        done = [Done(task, b"[%d]" % task.index, None)]
                        bench.link.run(bench.transitions.commit(job, done, 1.0))
        raise AssertionError(f"job {job} does not end: {bench.inspector.status(job)}")


def test_any_order_of_anything_keeps_the_invariant(redis_target: RedisTarget) -> None:
    class Machine(StoreMachine):
        target = redis_target

    case = Machine.TestCase
    case.settings = settings(
        max_examples=100,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],  # shrinking would take many minutes
        suppress_health_check=list(HealthCheck),
    )
    case().runTest()
