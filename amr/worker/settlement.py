"""Sends what became of tasks to the store: outcomes, tasks given back, entries dropped, log lines.

What is sent is kept until the answer is there and sent again after an error, so a lost answer loses
nothing: every call but the log's may be repeated.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from amr import wire
from amr.invokers.context import LogSink
from amr.invokers.retry import delay_s
from amr.storage.spilled import shown_start
from amr.store.connection import ResponseError, is_passing
from amr.store.link import Call, Link
from amr.store.replies import Code, Reply
from amr.store.stream import Alien
from amr.store.transitions import Transitions
from amr.task import Failure, Outcome, Task
from amr.worker.commits import commit_calls
from amr.worker.journal import Journal
from amr.worker.pace import BATCH_MOST, Pace
from amr.worker.plans import Plans

log = logging.getLogger("amr.settlement")

_SHOWN_BYTES = 4096
_MOST_RETRY_AFTER_S = 86_400.0


class _Batch(NamedTuple):
    """What is sent together."""

    outcomes: list[Outcome]
    returned: list[Task]
    dropped: list[bytes]
    aliens: list[Alien]


class Settlement:
    """The outbox of one worker. Any thread may add to it, and any may send it.

    Args:
        transitions: of the stream.
        plans: the jobs that the worker has met.
        pace: learns from the answers what is left of a job.
        sink: where the functions' lines are.
        worker: the worker's name, told with failures.
        journal: keeps outputs until they are told.
    """

    def __init__(
        self,
        transitions: Transitions,
        plans: Plans,
        pace: Pace,
        sink: LogSink,
        worker: str,
        journal: Journal,
    ) -> None:
        self._transitions = transitions
        self._plans = plans
        self._pace = pace
        self._sink = sink
        self._worker = worker
        self._journal = journal
        self._is_urgent = False
        self._outcomes: deque[Outcome] = deque()
        self._returned: deque[Task] = deque()
        self._dropped: deque[bytes] = deque()
        self._aliens: deque[Alien] = deque()
        self._sending = threading.Lock()
        self._settling = threading.Lock()

    def settle(self, outcome: Outcome) -> None:
        """An attempt has ended."""
        with self._settling:
            self._outcomes.append(outcome)
            if outcome.failure is None:
                self._is_urgent |= not self._keep_safe(outcome)

    def _keep_safe(self, outcome: Outcome) -> bool:
        """Puts an output where this worker's death does not reach it, if there is room."""
        is_plain = outcome.task.stage == "map" and not outcome.skipped
        return is_plain and self._journal.append(outcome)

    def give_back(self, tasks: Iterable[Task]) -> None:
        """Tasks that were taken go to other workers, unstarted."""
        self._returned.extend(tasks)

    def drop(self, entries: Iterable[bytes]) -> None:
        """Entries that no task stands behind leave the stream."""
        self._dropped.extend(entries)

    def quarantine(self, aliens: Iterable[Alien]) -> None:
        """Entries that are not ours to understand are put aside."""
        self._aliens.extend(aliens)

    def entries(self) -> set[bytes]:
        """Returns the entry ids of what waits to be sent."""
        ids = {outcome.task.entry_id for outcome in self._outcomes.copy()}
        ids |= {task.entry_id for task in self._returned.copy()}
        return ids | set(self._dropped.copy()) | {alien.entry_id for alien in self._aliens.copy()}

    def waits(self) -> bool:
        """Whether there is anything to send."""
        return bool(self._outcomes or self._returned or self._dropped or self._aliens)

    def is_urgent(self) -> bool:
        """Whether there are outputs that only this process has: they are not in its journal."""
        return self._is_urgent

    def returns(self) -> bool:
        """Whether tasks wait to be given back."""
        return bool(self._returned)

    def exchange(self, link: Link, calls: Sequence[Call] = ()) -> list[Any]:
        """Sends all that waits and then ``calls``, in one round trip; returns the calls' values."""
        with self._sending:
            with self._settling:
                batch, mark = self._take(), self._journal.mark()
                self._is_urgent = False
            try:
                values = self._send(link, batch, calls)
            except ResponseError as error:
                if is_passing(error):
                    self._keep(batch)
                    raise
                log.error("Redis refuses an outcome: %s; sending one at a time", error)
                self._send_singly(link, batch)
                values = link.run_all(calls)
            except BaseException:
                self._keep(batch)
                raise
            if batch.outcomes:
                with self._settling:
                    self._journal.release(mark)
            return values

    def send_last(self, link: Link, within_s: float) -> None:
        """Sends all that waits, once, before this process ends; gives up if another send lasts."""
        if self._sending.acquire(timeout=within_s):
            self._send(link, self._take(), ())

    def send_log(self, link: Link) -> None:
        """Sends the lines that functions have printed so far."""
        with self._sending:
            link.run_all(self._log_calls())

    def _send(self, link: Link, batch: _Batch, calls: Sequence[Call]) -> list[Any]:
        own, readers = self._calls(batch)
        values = link.run_all([*own, *calls])
        for read, value in zip(readers, values, strict=False):
            read(value)
        return values[len(own) :]

    def _send_singly(self, link: Link, batch: _Batch) -> None:
        """Finds the outcome that Redis refuses, and makes a failure of its task of it."""
        for outcome in batch.outcomes:
            single = _Batch([outcome], [], [], [])
            try:
                self._send(link, single, ())
            except ResponseError as error:
                if is_passing(error):
                    self._keep(single)
                    raise
                self._send_refused(link, outcome, error)
        self._send(link, batch._replace(outcomes=[]), ())

    def _send_refused(self, link: Link, outcome: Outcome, error: ResponseError) -> None:
        """Makes a dead letter of a task whose outcome Redis refuses: it must not wait for ever."""
        task = outcome.task
        where = (task.job, task.stage, task.index)
        log.error("job %s, %s task %d: Redis refuses its outcome: %s", *where, error)
        failure = Failure("RefusedByRedis", f"Redis refuses the outcome: {error}", permanent=True)
        dead = outcome._replace(output=None, failure=failure)
        try:
            self._send(link, _Batch([dead], [], [], []), ())
        except ResponseError as second:
            if is_passing(second):
                self._keep(_Batch([dead], [], [], []))
                raise
            log.error("job %s, %s task %d: nor can it fail: %s", *where, second)

    def _take(self) -> _Batch:
        queues = (self._outcomes, self._returned, self._dropped, self._aliens)
        return _Batch(*(_drain(queue) for queue in queues))

    def _keep(self, batch: _Batch) -> None:
        """Puts a batch whose answer is not known before what has come since."""
        self._outcomes.extendleft(reversed(batch.outcomes))
        self._returned.extendleft(reversed(batch.returned))
        self._dropped.extendleft(reversed(batch.dropped))
        self._aliens.extendleft(reversed(batch.aliens))

    def _calls(self, batch: _Batch) -> tuple[list[Call], list[Callable[[Reply], None]]]:
        """Returns the calls for a batch, and for each what reads its reply."""
        calls: list[Call] = self._log_calls()
        readers: list[Callable[[Reply], None]] = [_ignore] * len(calls)
        done: list[Outcome] = []
        for outcome in batch.outcomes:
            if outcome.failure is not None:
                calls.append(self._fail(outcome))
            elif outcome.task.stage == "reduce":
                output = outcome.output or b"null"
                shown = shown_start(output, _SHOWN_BYTES)
                finish, took_us = self._transitions.finish, round(outcome.lasted_us)
                calls.append(finish(outcome.task, output, shown, outcome.counters, took_us))
            elif outcome.task.stage == "merge":
                partial = outcome.output or b""
                merge, took_us = self._transitions.merge, round(outcome.lasted_us)
                calls.append(merge(outcome.task, partial, outcome.counters, took_us))
            elif outcome.task.stage == "source":
                total = int(outcome.output or 0)
                calls.append(self._transitions.adopt(outcome.task, total))
            else:
                done.append(outcome)
                continue
            readers.append(self._reader(outcome.task.job))
        for job, call in commit_calls(self._transitions, done):
            calls.append(call)
            readers.append(self._reader(job))
        returned: dict[str, list[Task]] = defaultdict(list)
        for task in batch.returned:
            returned[task.job].append(task)
        calls += [self._transitions.release(job, tasks) for job, tasks in returned.items()]
        if batch.dropped:
            calls.append(self._transitions.drop(batch.dropped))
        for alien in batch.aliens:
            log.warning("entry %s is not one of ours; put aside", alien.entry_id.decode())
            calls.append(
                self._transitions.quarantine(alien.entry_id, "not a task of amr", alien.fields)
            )
        readers += [_ignore] * (len(calls) - len(readers))
        return calls, readers

    def _reader(self, job: str) -> Callable[[Reply], None]:
        def read(reply: Reply) -> None:
            if reply.code is Code.GONE:
                self._plans.ended(job)
            elif reply.code is Code.OK and reply.values:
                _, remaining, workers = reply.values
                self._pace.left(remaining, workers)

        return read

    def _fail(self, outcome: Outcome) -> Call:
        task, failure = outcome.task, outcome.failure
        assert failure is not None
        deferred = failure.retry_after_s is not None
        wait_s = min(failure.retry_after_s or 0.0, _MOST_RETRY_AFTER_S)
        plan = self._plans.find(task.job)
        if not deferred and plan is not None:
            retry = plan.spec.retry_of(task.stage)
            wait_s = delay_s(task.attempt, retry.backoff_s, retry.max_backoff_s)
        record = {
            "type": failure.type,
            "message": failure.message,
            "traceback": failure.traceback,
            "worker": self._worker,
            "where": failure.where,
        }
        return self._transitions.fail(
            task,
            error=wire.dumps(record),
            summary=f"{failure.type}: {failure.message}",
            delay_s=wait_s,
            permanent=failure.permanent,
            deferred=deferred,
            timed_out=failure.timed_out,
        )

    def _log_calls(self) -> list[Call]:
        lines: dict[str, list[tuple[str, int, int, int, str, str]]] = defaultdict(list)
        for line in self._sink.drain():
            row = (line.stage, line.index, line.attempt, line.time_ms, line.level, line.text)
            lines[line.job].append(row)
        return [
            self._transitions.log(job, rows[start : start + BATCH_MOST])
            for job, rows in lines.items()
            for start in range(0, len(rows), BATCH_MOST)
        ]


def _drain(queue: deque[Any]) -> list[Any]:
    """Empties a queue that other threads may fill meanwhile; each item is taken once."""
    items = []
    with suppress(IndexError):
        while True:
            items.append(queue.popleft())
    return items


def _ignore(_reply: Reply) -> None:
    """Reads a reply that tells nothing new."""
