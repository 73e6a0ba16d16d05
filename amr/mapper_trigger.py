"""One worker of a trigger: fetch → attempt → commit | fail | release. Reduce tasks run here too.

The main thread runs sync functions itself, so that a function has the thread that signals and many
libraries want, and no hand-over costs time. Async functions and HTTP calls run beside it on an
event loop (``worker/concurrent.py``); a watcher thread (``worker/watcher.py``) does what cannot
wait for a slow function. Outcomes of a batch and the fetch of the next one share a round trip.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from amr.attempt import attempt
from amr.interrupt import Interrupter
from amr.invokers import capture
from amr.invokers.context import Context, LogSink
from amr.invokers.failures import describe_failure
from amr.invokers.registry import Registry
from amr.log import RateLimited, configure
from amr.redis_url import RedisTarget, parse_redis_url
from amr.service import PeriodicService
from amr.settings import BLOCK_S
from amr.stages.reduce_input import build_reduce_input
from amr.store.connection import RedisError, ReplyTimeoutError
from amr.store.inspect import Inspector
from amr.store.keys import Keys
from amr.store.link import Link
from amr.store.replies import Code, Reply
from amr.store.stream import (
    Alien,
    TaskStream,
    ensure_group,
    is_group_missing,
)
from amr.store.transitions import Transitions
from amr.task import Outcome, Task
from amr.worker.concurrent import ConcurrentRunner, Work
from amr.worker.courier import Courier
from amr.worker.hand import Hand
from amr.worker.intake import Intake
from amr.worker.order import WorkerOrder
from amr.worker.pace import BATCH_S, Pace
from amr.worker.plans import JobPlan, Plans, Step
from amr.worker.settlement import Settlement
from amr.worker.slot import Slots
from amr.worker.waiting import wait_for_any
from amr.worker.watcher import KILL_AFTER_S, Watcher

log = logging.getLogger("amr.worker")
log.addFilter(RateLimited())

_RECONNECT_MOST_S = 2.0

#: Seconds beyond its own waiting that Redis may take to answer a blocking read.
_ANSWER_S = 5.0


class MapperTrigger:
    """One worker process, one consumer of the stream's group.

    Args:
        target: the Redis and stream.
        registry: the functions that it serves.
        order: its name, its supervisor, and how many calls run at a time.
        slots: memory shared with its supervisor.
    """

    def __init__(
        self, target: RedisTarget, registry: Registry, order: WorkerOrder, slots: Slots
    ) -> None:
        worker = order.worker
        self.worker = worker
        self._keys = Keys(target.stream)
        self._link = Link(target)
        self._blocked = Link(target)
        self._stream = TaskStream(self._keys, worker)
        self._inspector = Inspector(self._link, self._keys)
        self._transitions = Transitions(self._keys)
        self._pace = Pace()
        self._plans = Plans(self._inspector, registry, self._pace, self._gather, order.store)
        self._sink = LogSink()
        self._hand = Hand()
        self._slot = slots.slot(order.slot)
        self._state: dict[str, object] = {}
        self._interrupter = Interrupter()
        self._settlement = Settlement(
            self._transitions,
            self._plans,
            self._pace,
            self._sink,
            worker,
            slots.journal(order.slot),
        )
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._supervisor = order.supervisor
        self._concurrent = ConcurrentRunner(
            order.concurrency, self._settlement.settle, self._settlement.drop, self._wake
        )
        self._intake = Intake(
            self._link,
            self._stream,
            self._inspector,
            self._plans,
            self._settlement,
            self._hand,
            self._concurrent,
        )
        self._runs_concurrent = False
        self._holds_unknown = True
        self._most_bytes = 0
        self._stopping = False
        self._failures = 0

    def run(self) -> None:
        """Works until ``stop``; must be called on the main thread."""
        capture.install()
        self._interrupter.install()
        services = self._make_services()
        for service in services:
            service.start()
        while not self._stopping:
            self._guarded(self._step)
        self._holds_unknown = True
        while self._holds_unknown or self._settlement.waits() or self._concurrent:
            self._guarded(self._leave)
        for service in services:
            service.stop(timeout_s=1.0)
        self._concurrent.stop()
        self._link.close()

    def stop(self) -> None:
        """Takes nothing new; ``run`` returns when what runs has ended. Safe in a signal handler."""
        self._stopping = True
        self._wake()

    def _make_services(self) -> list[PeriodicService]:
        """Returns what runs beside the main thread."""
        watcher = Watcher(
            self._plans,
            self._interrupter,
            self._concurrent,
            self._slot,
            self._supervisor,
            self._end_orphaned,
        )
        link = Link(self._link.target)
        courier = Courier(
            link,
            Inspector(link, self._keys),
            self._stream,
            self._hand,
            self._settlement,
            self._plans,
            self._interrupter,
            self._concurrent,
        )
        return [
            PeriodicService("watcher", watcher.look, 0.1),
            PeriodicService("courier", courier.carry, 0.1),
        ]

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            return  # so many wake-ups are on their way that one more makes no difference

    def _guarded(self, step: Callable[[], None]) -> None:
        """Takes a step; after an error of the link, looks again at what is pending here."""
        try:
            step()
            self._failures = 0
        except RedisError as error:
            self._holds_unknown = True
            self._blocked.close()
            log.warning("Redis: %s; trying again", error)
            self._failures += 1
            if is_group_missing(error):
                self._make_group()
            most_s = min(_RECONNECT_MOST_S, 0.02 * 2 ** min(self._failures, 8))
            time.sleep(random.uniform(0, most_s))

    def _make_group(self) -> None:
        try:
            ensure_group(self._link, self._keys)
        except RedisError as error:
            log.warning("Redis: %s; trying again", error)

    def _step(self) -> None:
        """One round trip for what is done and what is next; then the next batch."""
        if not self._most_bytes:
            self._most_bytes = self._inspector.largest_body()
        if self._holds_unknown:
            self._intake.look_at_pending()
            self._holds_unknown = False
        count = 0 if self._hand else self._room()
        calls = self._stream.fetch(count) if count else []
        values = self._settlement.exchange(self._link, calls)
        found = self._intake.take(*values) if values else None
        ran_all = self._run_hand()
        if self._settlement.waits():
            return
        if found is False or not ran_all or not self._room():
            self._wait()

    def _room(self) -> int:
        """Returns how many entries to take now: 0 when every place for calls is taken."""
        if self._concurrent.exclusive:
            return 0
        if not self._runs_concurrent:
            return self._pace.batch(None)
        free = self._concurrent.free()
        return self._pace.batch(free) if free > 0 else 0

    def _wait(self) -> None:
        """Waits for an entry, unless there is no room for one, or until a call ends."""
        watched: list[int] = [self._wake_read]
        if not self._hand and self._room():
            if not self._blocked.waiting():
                self._blocked.begin(self._stream.fetch(1, block_ms=round(BLOCK_S * 1000)))
            watched.append(self._blocked.fileno())
        readable = wait_for_any(watched, BLOCK_S + _ANSWER_S)
        self._forget_wakes()
        if len(watched) > 1 and watched[1] in readable:
            entries, epoch = self._blocked.finish(_ANSWER_S)
            self._intake.take(entries, epoch)
        elif not readable and len(watched) > 1:
            raise ReplyTimeoutError("a blocking read was not answered: the link is dead")

    def _forget_wakes(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake_read, 65536)

    def _run_hand(self) -> bool:
        """Runs what is in hand until it is time to tell what is done.

        Returns False when a call has to end before the next one can start.
        """
        tell_at = time.monotonic() + 2 * BATCH_S
        while not self._stopping and (task := self._hand.take()) is not None:
            if not self._run(task):
                self._hand.put_back(task)
                return False
            if time.monotonic() > tell_at or self._settlement.is_urgent():
                break
        return True

    def _run(self, task: Task) -> bool:
        """Runs or starts one task; False when there is no place for it at the moment."""
        try:
            plan = self._plans.find(task.job)
            if plan is None or not plan.live:
                self._settle_orphan(task, plan)
                return True
            if plan.paused:
                self._settlement.give_back([task])
                return True
            if task.suspect:
                self._put_others_in_safety()
            if self._concurrent.exclusive or (task.suspect and self._concurrent):
                return False
            step = self._step_of(task, plan)
            if step.invoker.concurrent and not self._concurrent.has_place(step.invoker):
                return False
            body = task.body
            if task.stage == "reduce" and plan.spec.collects_outputs:
                body = build_reduce_input(self._inspector, task.job, plan.spec, plan.reduce)
        except RedisError:
            self._hand.put_back(task)
            raise
        except Exception as error:
            failure = describe_failure(error, f"{task.stage} task")
            self._settlement.settle(Outcome(task, None, failure, None, 0.0))
            return True
        ends_at = None if step.timeout_s is None else time.time() + step.timeout_s
        context = Context(task, ends_at, self._state, self._sink)
        context.replaces = plan.redriven
        self._runs_concurrent = step.invoker.concurrent
        limit_s = None if step.timeout_s is None else step.timeout_s + KILL_AFTER_S
        if step.invoker.concurrent:
            self._slot.begin_concurrent(task.entry_id if task.suspect else b"", limit_s)
            self._concurrent.start(
                Work(task, step.invoker, body, context, step.timeout_s, self._most_bytes)
            )
        else:
            self._run_here(step, task, body, context, limit_s)
        return True

    def _put_others_in_safety(self) -> None:
        """Before a task that may kill this worker: nothing else is to die with it."""
        self._settlement.give_back(self._hand.take_all())
        if self._settlement.waits():
            self._settlement.exchange(self._link)

    def _step_of(self, task: Task, plan: JobPlan) -> Step:
        """Returns how to run the task; the first one imports the function, which may never end."""
        step = plan.steps.get(task.stage)
        if step is not None:
            return step
        job_limit_s = plan.spec.timeout_of(task.stage)
        limit_s = None if job_limit_s is None else job_limit_s + KILL_AFTER_S
        self._slot.begin(task.entry_id, limit_s)
        try:
            return self._plans.step(plan, task.stage)
        finally:
            self._slot.end()

    def _settle_orphan(self, task: Task, plan: JobPlan | None) -> None:
        """A task of a job that has ended is dropped; one of a job nobody knows is put aside."""
        if plan is not None:
            self._settlement.drop([task.entry_id])
            return
        fields = [b"job", task.job.encode(), b"stage", task.stage.encode()]
        fields += [b"index", str(task.index).encode(), b"body", task.body]
        self._settlement.quarantine([Alien(task.entry_id, fields)])

    def _run_here(
        self, step: Step, task: Task, body: bytes, context: Context, limit_s: float | None
    ) -> None:
        """Runs a sync function on this thread."""
        self._slot.begin(task.entry_id, limit_s)
        context.mark = self._slot.mark
        outcome = attempt(step.invoker, task, body, context, self._interrupter, self._most_bytes)
        self._slot.end()
        self._pace.ran(outcome.elapsed_s, 1)
        if outcome.failure is None or not self._plans.has_ended(task.job):
            self._settlement.settle(outcome)
        else:
            self._settlement.drop([task.entry_id])

    def _gather(self, task: Task, offset: int, items: list[bytes]) -> Code:
        """Keeps what a source task has made so far."""
        reply: Reply = self._link.run(self._transitions.gather(task, offset, items))
        return reply.code

    def _end_orphaned(self) -> None:
        """Without a supervisor nobody renews the lease: others run what runs here."""
        log.error("the supervisor is gone; this worker ends")
        self._settlement.give_back(self._hand.take_all())
        with suppress(RedisError):
            self._settlement.send_last(Link(self._link.target, timeout_s=1.0), within_s=1.0)
        os._exit(1)

    def _leave(self) -> None:
        """Tells what is done, gives back what was not started, and waits for calls that run."""
        self._blocked.close()
        self._intake.look_at_pending()
        self._holds_unknown = False
        self._settlement.give_back(self._hand.take_all())
        self._settlement.exchange(self._link)
        if self._concurrent:
            wait_for_any([self._wake_read], 0.2)
            self._forget_wakes()


def main() -> None:
    """Runs one worker as its supervisor ordered it, on standard input."""
    order = WorkerOrder.read(sys.stdin)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides when a worker stops
    configure(order.log_level)
    sys.path[:0] = order.functions.import_paths
    registry = order.functions.load()
    registry.warm_up()
    gc.freeze()  # what is there now stays: the collector need not look at it again and again
    slots = Slots(order.slots, order.slot_file)
    target = parse_redis_url(order.url)
    trigger = MapperTrigger(target, registry, order, slots)
    signal.signal(signal.SIGTERM, lambda *_: trigger.stop())
    trigger.run()


if __name__ == "__main__":
    main()
