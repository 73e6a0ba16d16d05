"""Functions of the tests of sources, batches, chains and shuffles."""

import asyncio
import os
import time

import amr


def same(body):
    return body


def double(number):
    return number * 2


def plus(number):
    return number + 1


async def later(number):
    await asyncio.sleep(0.001)
    return number + 100


def nested(number):
    """Returns tuples, which JSON does not have."""
    return number, {"in": (number,)}


def kinds(body):
    return [[type(pair).__name__, type(pair[1]["in"]).__name__] for pair in body["inputs"]]


def by_number(number):
    return {number: "a key that is no string"}


def doubled(numbers):
    return [number * 2 for number in numbers]


def too_few(numbers):
    return numbers[1:]


def broken_at_7(number):
    if number == 7:
        raise ValueError("seven")
    return number


def ten(number):
    yield from range(number * 10, number * 10 + 10)


def words(line):
    for word in line.split():
        yield word, 1


async def words_later(line):
    await asyncio.sleep(0)
    return [[word, 1] for word in line.split()]


def count_words(line, context):
    context.count("words", len(line.split()))
    return []


def total(key, values):
    return sum(values)


async def total_later(key, values):
    await asyncio.sleep(0)
    return sum(values)


def ranked(key, values, context):
    return f"{context.reduce['prefix']}{sum(values)}"


def each(key, values):
    for value in values:
        yield f"{key}={value}"


def by_length(key, partitions):
    return len(key)


def no_number(key, partitions):
    return "first"


def keyed(number):
    return [[number % 7, number], [[number % 2, "odd or even"], 1], [None, number]]


def until_exists(body):
    path, line = body
    if line.startswith("bad") and not os.path.exists(path):
        raise amr.PermanentError("not fixed")
    return [(word, 1) for word in line.split()]


def no_pairs(line):
    return 5


def no_key(line):
    return [({"a": 1}, 1)]


def picky(key, values):
    if key == "w3":
        raise amr.PermanentError("no w3")
    return sum(values)


def second_time(key, values, context):
    if context.index == 1 and context.attempt == 1:
        os.kill(os.getpid(), 9)
    return sum(values)


def numbers(body):
    yield from range(body["n"])


def listed(_):
    return [1, 2, 3]


async def listed_later(_):
    await asyncio.sleep(0)
    return [1, 2, 3]


def no_list(_):
    return "abc"


def not_json(_):
    return [1, {2}]


def fails_first(_, context):
    yield 1
    if context.attempt == 1:
        raise ValueError("half-way")
    yield 2


def straggles(body, context):
    """Takes half a minute on the first attempt of one task."""
    context.count("begun")
    time.sleep(30 if body == 5 and context.attempt == 1 else 0.1)
    return body


async def straggles_later(body, context):
    """Takes a minute on the first attempt of one task, and a second otherwise."""
    context.count("begun")
    await asyncio.sleep(60 if body == 5 and context.attempt == 1 else 1)
    return body


def straggles_in_reduce(key, values, context):
    if context.index == 1 and context.attempt == 1:
        time.sleep(30)
    return sum(values)


def picky_mapper(number, context):
    """Fails on 13, kills its worker on 66, and takes 7 the second time."""
    if number == 13:
        raise ValueError("unlucky")
    if number == 66:
        os.kill(os.getpid(), 11)
    if number == 7 and context.attempt == 1:
        raise ValueError("not yet")
    return number


def picky_pairs(number):
    yield number % 2, number
    if number == 13:
        raise ValueError("after a pair")


async def picky_later(number):
    if number == 13:
        raise ValueError("unlucky")
    return number


def second(pair):
    return pair[1]


def slowly(body):
    time.sleep(0.5)
    return body


def held(body):
    """Returns its body; one that names a file, when that is there."""
    while isinstance(body, str) and not os.path.exists(body):
        time.sleep(0.01)
    return body


def if_there(body):
    """Returns its body; fails for one that names a file that is not there."""
    if isinstance(body, str) and not os.path.exists(body):
        raise amr.PermanentError("not mended")
    return body


def words_if(body):
    """Yields the words of a body; fails for one that names a file that is not there."""
    yield from words("mended" if body.startswith("/") and if_there(body) else body)


def held_total(key, values):
    """Adds up; for a key that names a file, when that is there, and fails if it says so."""
    if key.startswith("/"):
        held(key)
        with open(key) as file:
            if file.read() == "fail":
                raise amr.PermanentError("asked to fail")
    return sum(values)
