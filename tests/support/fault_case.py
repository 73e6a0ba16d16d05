"""A fault test's jobs, watched while they run; at its end every promise is checked at one place.

The promises, as docs/reliability.md numbers them:

I1  the result equals that of a sequential run
I2  one end for each task: succeeded + failed + cancelled = total
I3  one result, which never changes
I4  every job ends before its deadline
I5  nothing is left on the stream, and no key but those of ended jobs, which expire
I6  no more executions than tasks and what the injected faults cost
I7  an accepted job finishes
I8  recovery needs no restart, and no process logs more than an error a second
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from amr.client import Client
from amr.job_handle import Job
from amr.redis_url import RedisTarget
from amr.states import JobState
from amr.store.connection import connect
from amr.store.keys import STREAM_KEYS, Keys
from amr.store.link import Link
from amr.store.status import JobStatus
from tests.support.invariant import check_invariant
from tests.support.proxy import Proxy
from tests.support.trigger_process import FUNCTIONS, TriggerProcess
from tests.support.wait import wait_for

#: Deadline of a job that asks for none: the longest that a test may take.
DEADLINE = "60s"

_RECORD = re.compile(r"^\S+?:(\d\d)\.\d+ (ERROR|CRITICAL) +(\S+)")


@dataclass
class Expected:
    """A job, and how it must end."""

    job: Job
    result: Any
    state: JobState


class FaultCase:
    """Starts triggers and jobs on one stream; ``check`` tells whether every promise was kept.

    Use it as a context manager: it watches the results of its jobs until its end.

    Args:
        target: the Redis and stream, as the client and the checks reach it: never through a proxy.
        directory: for the record of the functions' calls and the triggers' logs.
        functions: directory of the functions.
        late_s: seconds after its deadline in which a job has to end; longer than Redis, or all
            triggers, are away.
    """

    def __init__(
        self,
        target: RedisTarget,
        directory: Path,
        functions: Path = FUNCTIONS,
        *,
        late_s: float = 2.0,
    ) -> None:
        self._late_s = late_s
        self.target = target
        self.keys = Keys(target.stream)
        self.triggers: list[TriggerProcess] = []
        self.client = Client(target)
        self._directory = directory
        self._functions = functions
        self._jobs: list[Expected] = []
        self._killed: set[int] = set()
        self._extra = 0
        self._stack = ExitStack()
        self._watch = _ResultWatch(target, self.keys)

    def __enter__(self) -> Self:
        self._stack.enter_context(self.client)
        self._stack.enter_context(self._watch)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def trigger(
        self,
        *options: str,
        processes: int = 2,
        url: str | None = None,
        kind: type[TriggerProcess] = TriggerProcess,
        environment: Mapping[str, str] = os.environ,
    ) -> TriggerProcess:
        """Starts a trigger; ``url`` where it is to reach Redis by another way, as a proxy."""
        process = kind(
            url or self.target.url(),
            self._directory,
            *options,
            processes=processes,
            functions=self._functions,
            environment=environment,
        )
        self.triggers.append(self._stack.enter_context(process))
        return process

    def proxy(self) -> Proxy:
        """Starts a proxy before the Redis that lasts until the case's end."""
        return self._stack.enter_context(Proxy(self.target))

    def submit(
        self,
        document: Mapping[str, Any],
        result: Any,
        *,
        state: JobState = JobState.SUCCEEDED,
        id: str | None = None,
    ) -> Job:
        """Invokes a job that must end in ``state`` with ``result``."""
        job = self.client.invoke({"deadline": DEADLINE, **document}, id=id)
        return self.expect(job, result, state=state)

    def expect(self, job: Job, result: Any, *, state: JobState = JobState.SUCCEEDED) -> Job:
        """Tells how a job must end that something else submitted."""
        self._jobs.append(Expected(job, result, state))
        self._watch.jobs.add(job.id)
        return job

    def killed(self, trigger: TriggerProcess) -> None:
        """Tells that the test ended this trigger, so that it need not live at the end."""
        self._killed.add(trigger.pid)

    def costs(self, executions: int) -> None:
        """Tells how many executions beyond one a task the injected faults may cost."""
        self._extra += executions

    def check(self, *, within_s: float = 60.0) -> None:
        """Waits for the jobs' ends and asserts I1 to I8.

        Args:
            within_s: seconds that the wait may take.
        """
        for expected in self._jobs:
            self._check_end(expected, within_s)
        check_drained(self.client, within_s)
        self._check_executions()
        self._check_processes()
        self._watch.stop()
        changed = {at: seen for at, seen in self._watch.seen.items() if len(seen) > 1}
        assert not changed, f"I3: results changed: {changed}"
        self._check_nothing_is_left()

    def _check_end(self, expected: Expected, within_s: float) -> None:
        job = expected.job
        status = job.wait(within_s)  # I7
        assert status.state is expected.state, f"I7: {job.id} {status.state}: {status.error}"
        if expected.state is JobState.SUCCEEDED:
            assert job.result(1) == expected.result, "I1: another result"
        check_ended(self.target, status, self._late_s)

    def _check_executions(self) -> None:
        if not self.triggers:
            return
        calls = self.triggers[0].calls()  # all triggers write into one record
        first = {(call.stage, call.index, call.job) for call in calls}
        extra = len(calls) - len(first)
        assert extra <= self._extra, (
            f"I6: {extra} executions more than tasks, {self._extra} allowed"
        )

    def _check_processes(self) -> None:
        for trigger in self.triggers:
            if trigger.pid not in self._killed:
                assert trigger.lives(), f"I8: a trigger ended:\n{trigger.log()[-3000:]}"
            check_log(trigger)

    def _check_nothing_is_left(self) -> None:
        self.client.prune()
        check_keys(self.target)


def check_stream(target: RedisTarget, triggers: Sequence[TriggerProcess]) -> None:
    """Checks what can be known of jobs without their results: I2 to I5 and I8.

    Jobs that have not ended are cancelled. A Redis that is away is not waited for.
    """
    for trigger in triggers:
        status = trigger.process.poll() if trigger.process else 0
        assert status in (None, 0, -signal.SIGKILL, -signal.SIGTERM), f"I8: {trigger.log()[-3000:]}"
        check_log(trigger)
    try:
        with connect(target) as link:
            link.ping()
    except redis.RedisError:
        return
    with Client(target) as client:
        for status in client.jobs(most=1000):
            if status.live:
                client.job(status.job).cancel()
        for status in client.jobs(most=1000):
            check_ended(target, status)
        if not any(trigger.lives() for trigger in triggers):
            return  # nobody takes what is left off the stream
        check_drained(client, 30)
        client.prune()
    check_keys(target)


def check_ended(target: RedisTarget, status: JobStatus, late_s: float = 2.0) -> None:
    """Checks I2 to I4 of a job that has ended, and its invariant."""
    keys = Keys(target.stream)
    ended = status.succeeded + status.failed + status.cancelled
    assert (ended, status.pending, status.running) == (status.total, 0, 0), f"I2: {status}"
    with connect(target) as link:
        record = link.hgetall(keys.job_key("job", status.job))
        ends = link.xrange(keys.job_key("events", status.job))
    deadline_ms = float(record.get(b"deadline") or 0)
    late_ms = (status.ended_ms or 0) - deadline_ms
    # The deadline is looked at once a second; nothing may succeed behind it.
    most_ms = late_s * 1000 if status.state is JobState.FAILED else 0.0
    assert not deadline_ms or late_ms <= most_ms, f"I4: {status.job} ended {late_ms} ms late"
    kinds = Counter(fields[b"kind"] for _, fields in ends if b"task" not in fields)
    assert kinds[b"succeeded"] <= status.version, f"I3: {status.job} ended more than once: {kinds}"
    with closing(Link(target)) as checked:
        check_invariant(checked, keys, status.job)


def check_drained(client: Client, within_s: float) -> None:
    """Checks that nothing is left on the stream, or soon is not (I5)."""
    keys = Keys(client.target.stream)

    def drained() -> bool:
        backlog = client.fleet.backlog()
        return backlog.entries == 0 and backlog.pending == 0

    wait_for(drained, within_s, "I5: the stream's drain")
    with connect(client.target) as link:
        for name in ("delayed", "active"):
            left = link.zrange(keys.stream_key(name), 0, -1)
            assert not left, f"I5: {name} holds {left}"


def check_log(trigger: TriggerProcess) -> None:
    """Checks that a trigger logged no traceback and no flood of errors (I8)."""
    found = [_RECORD.match(line) for line in trigger.log().splitlines()]
    seconds = Counter(one.groups() for one in found if one)
    # A line a second from each place of each process; a restart adds a process.
    most = 2 * (trigger.processes + 1)
    floods = {key: count for key, count in seconds.items() if count > most}
    assert not floods, f"I8: errors a second: {floods}"
    assert "Traceback" not in trigger.log(), f"I8: {trigger.log()[-3000:]}"


def check_keys(target: RedisTarget) -> None:
    """Checks that a stream whose ended jobs were pruned has no keys but its own (I5)."""
    keys = Keys(target.stream)
    stream_keys = {keys.stream_key(name) for name in STREAM_KEYS}
    with connect(target) as link:
        left = set(link.scan_iter(keys.base + "*", count=1000)) - stream_keys
    assert not left, f"I5: keys left: {left}"


class _ResultWatch(threading.Thread):
    """Looks at the results of jobs all the time, and remembers every one it saw."""

    def __init__(self, target: RedisTarget, keys: Keys) -> None:
        super().__init__(name="result-watch", daemon=True)
        self.jobs: set[str] = set()
        self.seen: dict[tuple[str, bytes], set[bytes]] = {}
        self._target = target
        self._keys = keys
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the watch after one more look."""
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Looks about thirty times a second; a Redis that is away is looked for again."""
        while True:
            last = self._stopped.wait(0.03)
            try:
                with connect(self._target) as link:
                    for job in list(self.jobs):
                        self._look(link, job)
            except (redis.RedisError, OSError):
                pass
            if last:
                return

    def _look(self, link: redis.Redis, job: str) -> None:
        results = link.hgetall(self._keys.job_key("results", job))
        for version, output in results.items():
            self.seen.setdefault((job, version), set()).add(output)
