"""Functions of the soak; ``RECORD`` names a file of the starts and ends of their calls."""

import asyncio
import os
import time

import amr


def record(event, context):
    line = f"{event} {context.stage} {context.index} {context.attempt} {os.getpid()} {context.job}"
    file = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line} {time.time()}\n".encode())
    os.close(file)


def outcome(body, context):
    """Fails as the body says: for good, until a file is there, or on the first attempts."""
    if body.get("dead") or ("until" in body and not os.path.exists(body["until"])):
        raise amr.PermanentError("it is meant to be dead")
    if context.attempt <= body.get("fails", 0):
        raise ValueError("too early")
    return body["number"] * 2


def work(body, context):
    record("start", context)
    time.sleep(body["seconds"])
    try:
        return outcome(body, context)
    finally:
        record("end", context)


async def wait(body, context):
    record("start", context)
    await asyncio.sleep(body["seconds"])
    try:
        return outcome(body, context)
    finally:
        record("end", context)


def later(body, context):
    """Puts itself off once."""
    record("start", context)
    seen = os.path.join(body["folder"], f"{context.job}-{context.index}")
    try:
        if not os.path.exists(seen):
            open(seen, "w").close()
            raise amr.RetryLater(0.1)
        return body["number"] * 2
    finally:
        record("end", context)


def total(body, context):
    record("start", context)
    record("end", context)
    return sum(body["inputs"])
