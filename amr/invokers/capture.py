"""Takes what functions print and log to their job's log."""

from __future__ import annotations

import io
import logging
import sys
from contextvars import ContextVar
from typing import TextIO

from amr.invokers.context import Context, write_record

#: The call that this thread, or this asyncio task, is in.
current: ContextVar[Context | None] = ContextVar("amr_context", default=None)

_PARTIAL_MOST = 8192


def install() -> None:
    """Lets print() and logging inside a call go to the job's log; elsewhere all stays as it was.

    A worker calls it once. Threads that a function starts are outside of the call: what they print
    goes where the worker's own lines go.
    """
    if not isinstance(sys.stdout, CallOutput):
        # Standard output of a worker belongs to nobody: a stray line joins the others.
        sys.stdout = CallOutput(sys.stderr, "print")
        sys.stderr = CallOutput(sys.stderr, "stderr")
        logging.getLogger().addHandler(_CallHandler())


def flush(context: Context) -> None:
    """Ends a line that a call began and did not end."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, CallOutput):
            stream.end_line(context)


class CallOutput(io.TextIOBase):
    """A text stream that gives whole lines to the job's log while a call is running.

    Args:
        outside: takes what is written outside of a call.
        level: of the lines.
    """

    def __init__(self, outside: TextIO, level: str) -> None:
        self._outside = outside
        self._level = level
        self._partial: dict[int, str] = {}

    def write(self, text: str) -> int:
        """Writes; a line is passed on when it is complete."""
        context = current.get()
        if context is None:
            return self._outside.write(text)
        *lines, rest = (self._partial.pop(id(context), "") + text).split("\n")
        if len(rest) > _PARTIAL_MOST:
            lines, rest = [*lines, rest], ""
        for line in lines:
            context.write_line(self._level, line)
        if rest:
            self._partial[id(context)] = rest
        return len(text)

    def end_line(self, context: Context) -> None:
        """Passes on what a call wrote without ending the line."""
        if self._partial and (rest := self._partial.pop(id(context), "")):
            context.write_line(self._level, rest)

    def flush(self) -> None:
        """Flushes what was written outside of calls; lines wait for their end."""
        self._outside.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._outside.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def buffer(self) -> _CallBytes:
        """The stream for bytes, as functions use it for binary output."""
        return _CallBytes(self)


class _CallBytes(io.RawIOBase):
    """Bytes written to ``sys.stdout.buffer``: read as UTF-8, so that they can stand in a log."""

    def __init__(self, text: CallOutput) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raw = bytes(data)  # type: ignore[call-overload]
        self._text.write(raw.decode("utf-8", errors="replace"))
        return len(raw)


class _CallHandler(logging.Handler):
    """Gives what is logged inside a call to the job's log."""

    def emit(self, record: logging.LogRecord) -> None:
        context = current.get()
        if context is not None:
            write_record(context, record, self)
