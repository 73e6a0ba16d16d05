"""Calls one function here, as a worker would: `functions invoke` and `replay`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from amr.cli import exits
from amr.cli.output import put_result, say

if TYPE_CHECKING:
    from amr.invokers.base import Invoker
    from amr.invokers.registry import Registry
    from amr.task import Task


def call_and_put(registry: Registry, invoker: Invoker, task: Task, output: Path | None) -> None:
    """Calls a function of a registry and prints its output; what it prints itself goes to stderr.

    Raises:
        typer.Exit: with code 1 when the attempt fails; it was told why.
    """
    # Our own handler acts once; a function that catches everything may need Ctrl-C twice.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = _call(registry, invoker, task)
    except (KeyboardInterrupt, exits.ReaderGone):
        raise
    except BaseException as error:
        raise tell_failure(error, invoker.name) from None
    put_result(result, output)


def tell_failure(error: BaseException, function: str) -> typer.Exit:
    """Says why a function failed, with the user's part of the traceback; returns the exit."""
    from amr.invokers.failures import describe_failure

    failure = describe_failure(error, function)
    if failure.traceback:
        say(failure.traceback.rstrip())
    say(f"amr: {failure.type}: {failure.message}")
    return typer.Exit(exits.FAILED)


def _call(registry: Registry, invoker: Invoker, task: Task) -> bytes:
    import asyncio

    from amr.invokers.context import Context, LogSink

    class ToStderr(LogSink):
        def append(self, task: Task, level: str, text: str) -> None:
            say(f"{level}: {text}")

    context = Context(task, None, {}, ToStderr())

    async def awaited() -> bytes:
        try:
            return await invoker.invoke_async(task.body, context)
        finally:
            await registry.aclose()

    stdout, sys.stdout = sys.stdout, sys.stderr  # what it prints is not its output
    try:
        invoker.prepare()
        if invoker.concurrent:
            return asyncio.run(awaited())
        return invoker.invoke(task.body, context)
    finally:
        sys.stdout = stdout
        for name, count in (context.counters or {}).items():
            say(f"counter {name}: {count:,}")
