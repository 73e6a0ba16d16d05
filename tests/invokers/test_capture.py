"""What functions print and log goes to the log of their own task."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from amr.invokers import capture
from amr.invokers.context import Context, LogSink
from amr.invokers.local import LocalInvoker


@contextmanager
def installed() -> Iterator[None]:
    """Installs the capture as a worker does, and takes it away again."""
    streams, handlers = (sys.stdout, sys.stderr), list(logging.getLogger().handlers)
    capture.install()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        logging.getLogger().handlers[:] = handlers


def lines_of(function: object, context: Context, sink: LogSink) -> list[tuple[str, str]]:
    """Returns level and text of what a call of ``function`` left in the log."""
    invoker = LocalInvoker("f.go", lambda: function)
    invoker.prepare()
    with installed():
        invoker.invoke(b"1", context)
    lines = sink.drain()
    assert all((line.job, line.index, line.attempt) == ("job-1", 37, 2) for line in lines)
    return [(line.level, line.text) for line in lines]


def test_prints_and_logging_reach_the_log(context: Context, sink: LogSink) -> None:
    def go(body: object, context: Context) -> None:
        print("one\ntwo")
        print("error", file=sys.stderr)
        logging.getLogger("any").warning("careful %d", 3)
        context.logger.info("mine")
        sys.stdout.buffer.write(b"bytes\n")

    assert lines_of(go, context, sink) == [
        ("print", "one"),
        ("print", "two"),
        ("stderr", "error"),
        ("warning", "careful 3"),
        ("info", "mine"),
        ("print", "bytes"),
    ]


def test_a_line_without_its_end_is_kept(context: Context, sink: LogSink) -> None:
    def go(body: object) -> None:
        print("almost", end=" ")
        print("done", end="")

    assert lines_of(go, context, sink) == [("print", "almost done")]


def test_a_logged_traceback_is_kept_line_by_line(context: Context, sink: LogSink) -> None:
    def go(body: object) -> None:
        try:
            raise ValueError("inner")
        except ValueError:
            logging.exception("it broke")

    lines = lines_of(go, context, sink)
    assert lines[0] == ("error", "it broke")
    assert lines[-1] == ("error", "ValueError: inner")


def test_a_thread_of_a_function_is_outside_of_its_task(
    context: Context, sink: LogSink, capfd: pytest.CaptureFixture[str]
) -> None:
    def go(body: object) -> None:
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()

    assert lines_of(go, context, sink) == []


def test_long_lines_and_floods_are_bounded(context: Context) -> None:
    sink = LogSink(most=10)
    task = context.task
    sink.append(task, "print", "x" * 100_000)
    assert len(sink.drain()[0].text) < 10_000
    for at in range(25):
        sink.append(task, "print", str(at))
    lines = sink.drain()
    assert "15 lines were lost" in lines[0].text
    assert [line.text for line in lines[1:]] == [str(at) for at in range(15, 25)]


def test_counters_add_up_and_refuse_what_is_not_a_count(context: Context) -> None:
    context.count("rows", 3)
    context.count("rows")
    context.count("bad", -1)
    assert context.counters == {"rows": 4, "bad": -1}
    with pytest.raises(TypeError):
        context.count("rows", 0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        context.count("")
