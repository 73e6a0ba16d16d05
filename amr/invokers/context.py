"""What a function is told of its call, and where its lines go."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from amr.task import Stage, Task

_LINE_BYTES = 8192
_MOST_LINES = 10_000
_NAME_MOST = 100


class LogLine(NamedTuple):
    """One line that a function printed or logged.

    Attributes:
        job: job id.
        stage: of the task.
        index: of the task.
        attempt: of the task.
        time_ms: when, in milliseconds since the epoch.
        level: ``print``, or the name of the logging level in small letters.
        text: the line.
    """

    job: str
    stage: str
    index: int  # type: ignore[assignment] # hides tuple.index, which nobody needs of a line
    attempt: int
    time_ms: int
    level: str
    text: str


class LogSink:
    """Lines on their way to the jobs' logs. Threads may share it; what nobody fetches is bounded.

    Args:
        most: lines kept until they are drained; the oldest give way.
    """

    def __init__(self, most: int = _MOST_LINES) -> None:
        self._most = most
        self._lines: deque[LogLine] = deque()
        self._lost = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._lines)

    def append(self, task: Task, level: str, text: str) -> None:
        """Adds a line of a task; a very long one is cut."""
        if len(text) > _LINE_BYTES:
            text = text[:_LINE_BYTES] + f"… ({len(text):,} characters)"
        now_ms = time.time_ns() // 1_000_000
        line = LogLine(task.job, task.stage, task.index, task.attempt, now_ms, level, text)
        with self._lock:
            if len(self._lines) >= self._most:
                self._lines.popleft()
                self._lost += 1
            self._lines.append(line)

    def drain(self) -> list[LogLine]:
        """Returns the lines that have come since the last call; says how many were lost."""
        if not self._lines:
            return []
        with self._lock:
            lines, lost = list(self._lines), self._lost
            self._lines.clear()
            self._lost = 0
        if lost:
            lines.insert(0, lines[0]._replace(level="warning", text=f"… {lost} lines were lost"))
        return lines


class Context:
    """What a function may ask of its call: the second argument of those that take one."""

    __slots__ = (
        "_logger", "_sink", "counters", "deadline", "mark", "record", "reduce", "replaces",
        "skipped", "state", "task",
    )  # fmt: skip

    def __init__(
        self, task: Task, deadline: float | None, state: dict[str, Any], sink: LogSink
    ) -> None:
        #: The task that is attempted.
        self.task = task
        self._sink = sink
        self._logger: logging.Logger | None = None
        #: Time at which this attempt is ended, in seconds since the epoch; None for never.
        self.deadline = deadline
        #: Lives as long as the worker process: clients and models are made once, not per call.
        self.state = state
        #: Position of the record in its task's batch or split; None where the task is one record.
        self.record: int | None = None
        #: The job's ``reduce``, for the reducer of a shuffled job; else empty.
        self.reduce: dict[str, Any] = {}
        #: Records of the task that were given up: their positions, and their errors as JSON.
        self.skipped: list[tuple[int, bytes]] = []
        #: Is told the position of each record before it is mapped.
        self.mark: Callable[[int], None] = _ignore
        #: Whether a part file that is there already is replaced in any case.
        self.replaces = False
        #: What was counted in this attempt, or None.
        self.counters: dict[str, int] | None = None

    @property
    def job(self) -> str:
        """Job id."""
        return self.task.job

    @property
    def stage(self) -> Stage:
        """``map`` or ``reduce``; ``merge`` for a partial result, ``source`` for the inputs."""
        return self.task.stage

    @property
    def index(self) -> int:
        """Position of the input in the job's inputs; 0 for the reducer."""
        return self.task.index

    @property
    def attempt(self) -> int:
        """1 for the first attempt."""
        return self.task.attempt

    @property
    def logger(self) -> logging.Logger:
        """Writes to the job's log."""
        if self._logger is None:
            self._logger = logging.Logger("function")
            self._logger.addHandler(ContextHandler(self))
        return self._logger

    def count(self, name: str, n: int = 1) -> None:
        """Adds ``n`` to a counter of the job; an attempt that fails counts nothing.

        Raises:
            TypeError: ``n`` is not a whole number.
            ValueError: the name is empty or longer than 100 characters.
        """
        if not isinstance(n, int):
            raise TypeError(f"a counter counts whole numbers, not {type(n).__name__}")
        if not isinstance(name, str) or not 0 < len(name) <= _NAME_MOST:
            raise ValueError(f"a counter's name has 1 to {_NAME_MOST} characters")
        if self.counters is None:
            self.counters = {}
        self.counters[name] = self.counters.get(name, 0) + n

    def skip(self, record: int, error: bytes) -> None:
        """Gives a record up: the task goes on without it."""
        self.skipped.append((record, error))

    def write_line(self, level: str, text: str) -> None:
        """Adds a line to the job's log."""
        self._sink.append(self.task, level, text)


def _ignore(_record: int) -> None:
    """Tells nobody."""


class ContextHandler(logging.Handler):
    """Writes what a context's logger is given to the job's log."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        write_record(self._context, record, self)


def write_record(context: Context, record: logging.LogRecord, handler: logging.Handler) -> None:
    """Writes a logging record, with its traceback, to the job's log of ``context``."""
    try:
        text = handler.format(record)
    except Exception as error:
        text = f"{record.msg!r} (cannot be formatted: {error})"
    for line in text.splitlines() or [""]:
        context.write_line(record.levelname.lower(), line)
