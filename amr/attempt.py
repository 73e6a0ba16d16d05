"""One attempt of a task: call the function, and say what came of it. No Redis here."""

from __future__ import annotations

import asyncio
from time import perf_counter

from amr.durations import format_duration
from amr.errors import TaskTimeoutError
from amr.interrupt import Interrupter
from amr.invokers.base import Invoker
from amr.invokers.context import Context
from amr.invokers.failures import describe_failure
from amr.task import Failure, Outcome, Task


def attempt(
    invoker: Invoker,
    task: Task,
    body: bytes,
    context: Context,
    interrupter: Interrupter,
    most_bytes: int,
) -> Outcome:
    """Calls a sync function in this thread, which must be the main one.

    Args:
        invoker: calls the function.
        task: what is attempted.
        body: the function's body, as JSON.
        context: of the call.
        interrupter: may end it.
        most_bytes: bytes of JSON that the output may have.
    """
    started = perf_counter()
    try:
        # An interrupt that comes as the call ends is raised in here, and nowhere outside.
        try:
            interrupter.running = task
            output = invoker.invoke(body, context)
        finally:
            interrupter.running = None
    except BaseException as error:
        failure = describe_failure(error, invoker.name)
        return Outcome(task, None, failure, None, perf_counter() - started)
    elapsed_s = perf_counter() - started
    if len(output) > most_bytes:
        return Outcome(task, None, _too_large(invoker, output, most_bytes), None, elapsed_s)
    skipped = tuple(context.skipped)
    return Outcome(task, output, None, context.counters, elapsed_s, skipped=skipped)


async def attempt_async(
    invoker: Invoker,
    task: Task,
    body: bytes,
    context: Context,
    timeout_s: float | None,
    most_bytes: int,
) -> Outcome:
    """Awaits an async function or an HTTP call, at most ``timeout_s`` seconds."""
    started = perf_counter()
    try:
        async with asyncio.timeout(timeout_s) as limit:
            output = await invoker.invoke_async(body, context)
    except BaseException as error:
        reason = error
        if isinstance(error, TimeoutError) and limit.expired():
            reason = timeout_error(timeout_s)
        failure = describe_failure(reason, invoker.name)
        return Outcome(task, None, failure, None, perf_counter() - started)
    elapsed_s = perf_counter() - started
    if len(output) > most_bytes:
        return Outcome(task, None, _too_large(invoker, output, most_bytes), None, elapsed_s)
    skipped = tuple(context.skipped)
    return Outcome(task, output, None, context.counters, elapsed_s, skipped=skipped)


def timeout_error(timeout_s: float | None) -> TaskTimeoutError:
    """Returns the error of an attempt that ran past ``timeout_s`` seconds."""
    return TaskTimeoutError(f"ran longer than its timeout of {format_duration(timeout_s or 0.0)}")


def _too_large(invoker: Invoker, output: bytes, most_bytes: int) -> Failure:
    message = (
        f"{invoker.name} returned {len(output):,} bytes of JSON; at most "
        f"{most_bytes:,} are taken: store the data elsewhere and return where it is"
    )
    return Failure("OutputTooLarge", message, permanent=True)
