"""Functions that the measures call."""

import asyncio
import random


def noop(body):
    """Returns what it is given."""
    return body


def pi(points):
    """Counts random points inside the quarter circle: pure computation."""
    inside = 0
    draw = random.random
    for _ in range(points):
        x, y = draw(), draw()
        inside += x * x + y * y <= 1
    return inside


async def wait(seconds):
    """Waits, as a call to a service does."""
    await asyncio.sleep(seconds)
    return seconds


def count(body):
    """The reducer: how many outputs there are."""
    return len(body["inputs"])


def pairs(numbers):
    """Yields a pair for each number from ``first`` to before ``end``: keys in no order, and it."""
    for number in range(numbers["first"], numbers["end"]):
        yield f"key-{number * 7919 % numbers['keys']:08}", number
