"""Reducers that may be called with what they have returned."""

import os
import time


def same(value):
    return value


def letter(number):
    return chr(97 + number % 26)


def joined(body):
    """Joins letters, and counts calls and the most values that one had."""
    parts = [value if isinstance(value, dict) else {"text": value} for value in body["inputs"]]
    return {
        "text": "".join(part["text"] for part in parts),
        "most": max([len(parts), *(part.get("most", 0) for part in parts)]),
        "calls": 1 + sum(part.get("calls", 0) for part in parts),
    }


async def joined_later(body):
    return joined(body)


def scaled(body):
    return sum(value * body["factor"] for value in body["inputs"])


def listed(body):
    """Puts outputs into one list, in their order."""
    parts = [value if isinstance(value, list) else [value] for value in body["inputs"]]
    return [value for part in parts for value in part]


def listed_slowly(body):
    time.sleep(0.2)
    return listed(body)


def not_thirds(number):
    if number % 3 == 0:
        raise ValueError("a third")
    return number


def kept(body, context):
    found = {"kept": []}
    for value in body["inputs"]:
        found["kept"] += value["kept"] if isinstance(value, dict) else [value]
    if context.stage == "reduce":
        found["failed"] = [failure["index"] for failure in body["failures"]]
    else:
        assert "failures" not in body
    return found


def needs(body):
    number, flag = body
    if number % 7 == 0 and not os.path.exists(flag):
        raise ValueError("not yet")
    return number
