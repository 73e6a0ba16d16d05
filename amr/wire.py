"""JSON on the wire: how inputs, outputs and bodies are written and read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

#: Most bytes of JSON that one input or one output may have.
MAX_BODY_BYTES = 64 * 1024 * 1024

loads = orjson.loads


class NotJsonError(TypeError):
    """A value that has no JSON form; the message names its type and where it stands."""


def dumps(value: Any) -> bytes:
    """Returns ``value`` as compact JSON.

    Dict keys must be strings, numbers must be finite, integers fit 64 bits. Tuples are written as
    lists, UUIDs as text, enums as their values; dataclasses and datetimes are refused like sets
    and bytes.

    Raises:
        NotJsonError: naming the type and the place of what cannot be written.
    """
    try:
        data = orjson.dumps(value, option=_STRICT)
    except TypeError as error:
        raise NotJsonError(_explain(value) or str(error)) from None
    # orjson writes NaN and infinities as null: only then is the value walked to find them.
    if b"null" in data and (reason := _explain(value)):
        raise NotJsonError(reason)
    return data


def join_lists(lists: Iterable[bytes]) -> bytes:
    """Returns one JSON list of the elements of several, which were written by ``dumps``."""
    return b"[" + b",".join(each[1:-1] for each in lists if len(each) > 2) + b"]"


_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

_SCALARS = (str, bool, type(None))


def _explain(value: Any) -> str | None:
    """Returns what in ``value`` cannot be written and where, or None."""
    try:
        return _explain_at(value, "$")
    except RecursionError:
        return "$ is nested too deeply, or holds itself"


def _explain_at(value: Any, path: str) -> str | None:
    if isinstance(value, _SCALARS):
        return _explain_text(value, path) if isinstance(value, str) else None
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**64 else f"{path} is an integer beyond 64 bits"
    if isinstance(value, float):
        finite = value - value == 0
        return None if finite else f"{path} is {value}, which JSON does not have"
    if isinstance(value, (list, tuple)):
        found = (_explain_at(item, f"{path}[{at}]") for at, item in enumerate(value))
        return next((reason for reason in found if reason), None)
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                return f"{path} has a key of type {type(key).__name__}; JSON keys are strings"
            if reason := _explain_at(item, f"{path}.{key}"):
                return reason
        return None
    return f"{path} is of type {type(value).__name__}, which JSON does not have"


def _explain_text(value: str, path: str) -> str | None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return f"{path} is a string with a lone surrogate, which UTF-8 does not have"
    return None
