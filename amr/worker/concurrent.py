"""Runs async functions and HTTP calls: one event loop on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from amr.attempt import attempt_async
from amr.invokers.base import Invoker
from amr.invokers.context import Context
from amr.task import Outcome, Task


class Work(NamedTuple):
    """One call to make concurrently."""

    task: Task
    invoker: Invoker
    body: bytes
    context: Context
    timeout_s: float | None
    most_bytes: int


class _Call(NamedTuple):
    """A call that was started: since and until when it may run, and how many ran then."""

    work: Work
    since: float
    ends_at: float | None
    beside: int


class ConcurrentRunner:
    """Up to ``places`` calls at a time. The thread starts with the first of them.

    Args:
        places: most calls at a time.
        settle: takes each outcome, on the runner's thread.
        drop: takes the entries of calls that were cancelled with their job.
        wake: called after an outcome, to tell the main thread.
    """

    def __init__(
        self,
        places: int,
        settle: Callable[[Outcome], None],
        drop: Callable[[Iterable[bytes]], None],
        wake: Callable[[], None],
    ) -> None:
        self.places = places
        self._settle = settle
        self._drop = drop
        self._wake = wake
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        #: Entry of each call that was started and has not ended -> the call.
        self._running: dict[bytes, _Call] = {}
        self._calls: dict[bytes, asyncio.Task[None]] = {}
        self._in_function: dict[str, int] = {}
        self._cancelled: set[bytes] = set()
        self._begun: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._running)

    @property
    def exclusive(self) -> bool:
        """Whether a call is running that may take the worker with it: nothing runs beside it."""
        return len(self._running) == 1 and any(c.work.task.suspect for _, c in self._snapshot())

    def free(self) -> int:
        """Returns how many more calls may start."""
        return self.places - len(self._running)

    def has_place(self, invoker: Invoker) -> bool:
        """Whether a call of just this function may start; it may have a limit of its own."""
        limit = invoker.limit
        mine = self._in_function.get(invoker.name, 0)
        return self.free() > 0 and (limit is None or mine < limit)

    def start(self, work: Work) -> None:
        """Starts a call."""
        now = time.monotonic()
        ends_at = None if work.timeout_s is None else now + work.timeout_s
        self._running[work.task.entry_id] = _Call(work, now, ends_at, len(self._running) + 1)
        name = work.invoker.name
        self._in_function[name] = self._in_function.get(name, 0) + 1
        self._event_loop().call_soon_threadsafe(self._spawn, work)

    def withdraw(self, after_s: float) -> list[Task]:
        """Takes back calls that a blocked event loop has not begun for ``after_s`` seconds."""
        late_since = time.monotonic() - after_s
        late = []
        for entry, call in self._snapshot():
            if entry in self._begun or call.since > late_since:
                continue
            if self._running.pop(entry, None) is not None:
                self._in_function[call.work.invoker.name] -= 1
                late.append(call.work.task)
        return late

    def cancel(self, job: str) -> None:
        """Ends the calls of a job that has ended; they have no outcome."""
        for task in self.tasks():
            if task.job == job:
                self.cancel_one(task.entry_id)

    def cancel_one(self, entry: bytes) -> None:
        """Ends a call whose task is settled; it has no outcome."""
        if entry in self._running and entry not in self._cancelled:
            self._cancelled.add(entry)
            self._event_loop().call_soon_threadsafe(self._cancel, entry)

    def tasks(self) -> list[Task]:
        """Returns the tasks of the running calls."""
        return [call.work.task for _, call in self._snapshot()]

    def entries(self) -> set[bytes]:
        """Returns the entry ids of the running calls."""
        return {entry for entry, _ in self._snapshot()}

    def jobs(self) -> set[str]:
        """Returns the jobs of the running calls."""
        return {call.work.task.job for _, call in self._snapshot()}

    def first_end(self) -> float | None:
        """Returns the monotonic time at which the first of the running calls has to end."""
        ends = (call.ends_at for _, call in self._snapshot())
        return min((at for at in ends if at is not None), default=None)

    def stop(self) -> None:
        """Ends the loop and its thread."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5.0)

    def _snapshot(self) -> list[tuple[bytes, _Call]]:
        return list(self._running.copy().items())

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="amr-concurrent", daemon=True
            )
            self._thread.start()
        return self._loop

    def _spawn(self, work: Work) -> None:
        loop = self._event_loop()
        self._calls[work.task.entry_id] = loop.create_task(self._run(work))

    def _cancel(self, entry: bytes) -> None:
        if entry in self._calls:
            self._calls[entry].cancel()

    async def _run(self, work: Work) -> None:
        if work.task.entry_id not in self._running:
            self._calls.pop(work.task.entry_id, None)
            return  # it was withdrawn
        self._begun.add(work.task.entry_id)
        outcome = None
        try:
            outcome = await attempt_async(
                work.invoker,
                work.task,
                work.body,
                work.context,
                work.timeout_s,
                work.most_bytes,
            )
        finally:
            self._ended(work, outcome)

    def _ended(self, work: Work, outcome: Outcome | None) -> None:
        entry = work.task.entry_id
        call = self._running.pop(entry, None)
        self._calls.pop(entry, None)
        self._begun.discard(entry)
        if call is None:
            return  # it was withdrawn at the moment it began
        beside = max(call.beside, len(self._running) + 1)
        self._in_function[work.invoker.name] -= 1
        if outcome is None or entry in self._cancelled:
            self._cancelled.discard(entry)
            self._drop([entry])
        else:
            # Calls share the worker: what one cost of its time is its part of the duration.
            took_s = outcome.elapsed_s
            self._settle(outcome._replace(elapsed_s=took_s / beside, took_s=took_s))
        self._wake()
