"""Functions that tests call: well behaved ones, and every kind of trouble.

``RECORD`` in the environment names a file; each line of it is one start or end of a call.
"""

import asyncio
import ctypes
import os
import signal
import time

import amr


def record(event, context, tag=None):
    """Adds a line to the record, whole, whoever else writes."""
    path = os.environ.get("RECORD")
    if path:
        who = os.getpid() if tag is None else tag
        line = f"{event} {context.stage} {context.index} {context.attempt} {who} {context.job}\n"
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())
        os.close(file)


#: Made at the import of this file: once in each worker.
CLIENT = time.time_ns()


def noop(body):
    return body


def clients(_, context):
    """Returns the worker, and what it made at the import and at the first call."""
    return [os.getpid(), CLIENT, context.state.setdefault("client", time.time_ns())]


async def clients_later(_, context):
    return clients(_, context)


def double(number):
    return number * 2


def pairs(line):
    return [(word, 1) for word in line.split()]


def total(body):
    """Adds numbers, or what it has returned."""
    parts = [v if isinstance(v, dict) else {"sum": v, "count": 1} for v in body["inputs"]]
    added = {name: sum(part[name] for part in parts) for name in ("sum", "count")}
    return {**added, **_failures(body)}


def _failures(body):
    return {"failures": body["failures"]} if "failures" in body else {}


def sleep(body, context):
    """Sleeps for the seconds of the body and returns the index."""
    record("start", context)
    time.sleep(body)
    context.count("slept")
    record("end", context)
    return context.index


async def wait(body, context):
    """The same for an async function; tells how many calls run."""
    record("start", context)
    await asyncio.sleep(body)
    record("end", context)
    return context.index


def hold(body, context):
    """Keeps the interpreter to itself for the seconds of the body."""
    record("start", context)
    ctypes.PyDLL(None).usleep(int(body * 1e6))
    return context.index


def spin(body):
    """Runs for the seconds of the body, in Python."""
    until = time.monotonic() + body
    while time.monotonic() < until:
        pass
    return body


def kill(body, context):
    """Kills its worker on input -1."""
    record("start", context)
    if body == -1:
        os.kill(os.getpid(), signal.SIGKILL)
    return body


def segfault(body):
    if body == -1:
        ctypes.string_at(0)
    return body


def third_time(body, context):
    """Passes on its third attempt."""
    record("start", context, time.time())
    if context.attempt < 3:
        raise ValueError(f"attempt {context.attempt} is too early")
    return context.attempt


def second_time(body, context):
    """Doubles; raises on the first attempt of each third task."""
    record("start", context)
    if context.attempt == 1 and not context.index % 3:
        raise ValueError("the first attempt is too early")
    return body * 2


def later(body, context):
    """Puts itself off three times."""
    seen = context.state.setdefault(context.index, 0)
    context.state[context.index] = seen + 1
    if seen < 3:
        raise amr.RetryLater(0.05)
    return context.attempt


def odd(body):
    """Raises for odd numbers, for good."""
    if body % 2:
        raise amr.PermanentError(f"{body} is odd")
    return body


def odd_until_fixed(body, context):
    """Raises for odd numbers until the file that ``FIXED`` names is there."""
    record("start", context)
    if isinstance(body, int) and body % 2 and not os.path.exists(os.environ["FIXED"]):
        raise amr.PermanentError(f"{body} is odd")
    return body


def total_once_fixed(body, context):
    """A reducer that fails until the file that ``FIXED`` names is there."""
    record("start", context)
    if not os.path.exists(os.environ["FIXED"]):
        raise amr.PermanentError("not yet")
    return sum(body["inputs"])


def talk(body, context):
    """Prints, logs and counts."""
    print("said", body)
    context.logger.warning("warned %s", body)
    context.count("talks")
    return body


def slow_total(body, context):
    """A reducer that takes its time."""
    record("start", context)
    time.sleep(1.0)
    return sum(body["inputs"])
