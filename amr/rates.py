"""Rates as people write them: ``100/s``, ``6000/m``, or a plain number a second."""

from __future__ import annotations

import re

from amr.wording import found

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"

#: What a rate with its unit looks like, in the syntax of JSON Schema too.
RATE_PATTERN = f"^{_NUMBER}/[{''.join(_UNITS_S)}]$"

#: Most and fewest a second: a million, and one a day.
MAX_RATE = 1_000_000.0
MIN_RATE = 1 / 86_400

_MOST_CHARACTERS = 50


def parse_rate(value: str | int | float) -> float:
    """Returns the number a second that ``value`` stands for.

    Args:
        value: a number a second, or a string such as ``100/s``, ``6000/m``, ``5/h`` or ``1/d``.

    Raises:
        ValueError: it is anything else, or out of range; the message says what is allowed.
    """
    rate = _a_second(value)
    if rate is None or not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(
            'must be a rate such as "100/s", "6000/m" or "5/h", from "1/d" to "1000000/s"; '
            f"found {found(value)}"
        )
    return rate


def _a_second(value: object) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _MOST_CHARACTERS or not re.fullmatch(RATE_PATTERN, text):
            return None
        count, _, unit = text.partition("/")
        return float(count) / _UNITS_S[unit]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= MAX_RATE else None  # not NaN, nor too large for a float
