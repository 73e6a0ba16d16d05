"""Words for error messages: what was found, and where, in one safe line whatever the value is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_MOST_CHARACTERS = 60

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def quoted(text: str) -> str:
    """Returns ``text`` in double quotes, shortened, with all that is not printable escaped."""
    short = text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in json.dumps(short, ensure_ascii=False)
    )


def found(value: Any) -> str:
    """Returns what ``value`` is, in JSON's words: ``"3"``, ``true``, ``a list``."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else "an integer beyond 64 bits"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    return f"a Python {type(value).__name__}"


def json_path(parts: Iterable[str | int]) -> str:
    """Returns the JSON path of keys and positions: ``$.retry``, ``$["a b"][3]``."""
    return "$" + "".join(_step(part) for part in parts)


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if _PLAIN_KEY.fullmatch(part) and len(part) <= 60 else f"[{quoted(part)}]"
