"""Functions that straggle until a test tells each of their executions what to do."""

import os
import random
import signal
import time

from faulty import record

import amr


def _hold(folder, context):
    """Waits, in the first two executions, for a file that says what becomes of them."""
    number = 1
    while True:
        try:
            began = os.open(f"{folder}/began-{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            break
        except FileExistsError:
            number += 1
    os.write(began, str(os.getpid()).encode())
    os.close(began)
    while number <= 2 and not os.path.exists(f"{folder}/{number}"):
        time.sleep(0.01)
    what = "return"
    if number <= 2:
        with open(f"{folder}/{number}") as file:
            what = file.read()
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "fail":
        raise ValueError(f"execution {number} is told to fail")
    if what == "fail for good":
        raise amr.PermanentError(f"execution {number} is told to fail")


def mapped(body, context):
    record("start", context)
    context.count("mapped")
    if isinstance(body, str):
        _hold(body, context)
        return 0
    return body


def pairs(number):
    return [[number, 1]]


def total(key, values, context):
    """Reduces key 0 slowly."""
    if context.counters is None:
        record("start", context)
    context.count("keys")
    if key == 0:
        _hold(context.reduce["folder"], context)
    return sum(values)


def runs(body, context):
    """Maps to so many pairs that a store takes their runs, where there is one."""
    record("start", context)
    context.count("mapped")
    if isinstance(body, str):
        _hold(body, context)
    rng = random.Random(0)
    return [[n % 5, f"{rng.getrandbits(800):x}"] for n in range(4000)]
