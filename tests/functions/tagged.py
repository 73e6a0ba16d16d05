"""Functions whose outputs tell which execution made them."""

import os

from faulty import record


def _tag(context):
    # Of another length for another attempt: who tells of another's output tells another size.
    return f"{os.getpid()}{'+' * context.attempt}"


def row(number, context):
    """Maps a number to itself."""
    if not context.record:
        record("start", context)
    return [number, _tag(context)]


def rows(body, context):
    """Reduces rows to the same numbers."""
    record("start", context)
    return [[number, _tag(context)] for number, _ in body["inputs"]]


def pair(number):
    return [[number % 10, number]]


def total(key, values, context):
    """Yields the total of a key, and counts the keys."""
    if context.counters is None:
        record("start", context)
    context.count("keys")
    yield [[key, sum(values)], _tag(context)]
