"""Functions that do what no function should; ``RECORD`` names a file of starts and ends."""

import asyncio
import ctypes
import os
import signal
import socket
import time


def record(event, context):
    """Adds a line to the record, whole, whoever else writes."""
    line = (
        f"{event} {context.stage} {context.index} {context.attempt} {os.getpid()} {context.job}\n"
    )
    file = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)


async def kill_async(body, context):
    """Kills its worker, and all calls beside it, on input -1."""
    record("start", context)
    if body == -1:
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(0.02)
    return body


async def block_loop(body, context):
    """Blocks the event loop that all async calls share on input -1."""
    record("start", context)
    if body == -1:
        time.sleep(60)  # noqa: ASYNC251 - it is what this one is for
    await asyncio.sleep(0.05)
    return body


async def leak_cancel(body):
    """Lets the end of a cancelled task of its own come through, as careless code does."""
    if body == -1:
        mine = asyncio.create_task(asyncio.sleep(60))
        mine.cancel()
        await mine
    return body


def stubborn(body, context):
    """Catches whatever is raised in it, and goes on."""
    record("start", context)
    until = time.monotonic() + body
    while time.monotonic() < until:
        try:
            time.sleep(body)
        except Exception:
            continue
    return body


def hold(body, context):
    """Keeps the interpreter to itself: neither signals nor threads are heard."""
    record("start", context)
    ctypes.PyDLL(None).usleep(int(body * 1e6))
    return body


def sleep(body, context):
    """Sleeps for the seconds of the body."""
    record("start", context)
    time.sleep(body)
    record("end", context)
    return context.index


async def wait(body, context):
    """Waits for the seconds of the body."""
    record("start", context)
    await asyncio.sleep(body)
    record("end", context)
    return context.index


def hoard(body, context):
    """Holds 1,200 sockets open, as a worker with many HTTP calls does."""
    if not context.state:
        context.state["sockets"] = [socket.socket() for _ in range(1200)]
    time.sleep(body)
    return context.index


def die_of_strange_signal(body):
    """Ends its worker by a real-time signal, which has no name."""
    if body == -1:
        os.kill(os.getpid(), signal.SIGRTMIN + 5)
    return body


def total(body):
    return {"sum": sum(body["inputs"]), "count": len(body["inputs"])} | {
        name: value for name, value in body.items() if name == "failures"
    }


def slow_total(body, context):
    """A reducer that takes its time."""
    record("start", context)
    time.sleep(1.0)
    return sum(body["inputs"])
