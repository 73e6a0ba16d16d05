"""The checks of the fields of source objects; see ``amr/jobspec/fields.py`` for what a check is."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal

from amr import wire
from amr.jobspec.fields import Earlier
from amr.jobspec.objects import MistakesInsideError, Place
from amr.sizes import SIZE_FORMS, parse_size
from amr.suggest import did_you_mean
from amr.wording import found, quoted

PATHS_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ]
}
SIZE_SCHEMA = {"anyOf": [*SIZE_FORMS, {"type": "null"}]}
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
URL_SCHEMES = ("s3", "gs", "az", "https", "http")

ColumnType = Literal["str", "int", "float", "bool", "json"]
COLUMN_TYPES = ("str", "int", "float", "bool", "json")
TYPES_SCHEMA = {"type": "object", "additionalProperties": {"enum": list(COLUMN_TYPES)}}


def is_url(path: str) -> bool:
    """Whether a path names an object in a store, and not a file of this machine."""
    return _URL.match(path) is not None


def under(folder: Path, path: str) -> str:
    """Returns a path, if it is relative, from a folder on; a URL as it is."""
    return path if is_url(path) else os.path.normpath(folder / Path(path).expanduser())


def paths(value: Any, _: Earlier) -> tuple[str, ...]:
    """Allows a path or URL, or a list of them."""
    many = value if isinstance(value, (list, tuple)) else [value]
    if not many or not all(isinstance(each, str) and each.strip() for each in many):
        raise ValueError(f"must be a path, or a list of paths; found {found(value)}")
    for each in many:
        if "\0" in each:
            raise ValueError(f"must be a path, which has no NUL in it; found {quoted(each)}")
        scheme = each.partition("://")[0].lower()
        if is_url(each) and scheme not in URL_SCHEMES:
            guess = did_you_mean(scheme, URL_SCHEMES)
            known = ", ".join(f"{one}://" for one in URL_SCHEMES)
            raise ValueError(f"must be a path or a URL of {known}; found {quoted(each)}{guess}")
        if is_url(each) and "@" in each.split("://", 1)[1].split("/", 1)[0]:
            raise ValueError(
                "must not hold credentials: they come from the environment of those who read it"
            )
    return tuple(many)


def size(value: Any, _: Earlier) -> int | None:
    """Allows a size, or null for none; returns bytes."""
    return None if value is None else parse_size(value)


def whole_range(value: Any, _: Earlier) -> tuple[int, int, int]:
    """Allows N or [start, stop, step]; returns start, stop and step."""
    numbers = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers) or not (
        1 <= len(numbers) <= 3
    ):
        raise ValueError(f"must be N or [start, stop, step], whole numbers; found {found(value)}")
    start, stop, step = (0, *numbers, 1) if len(numbers) == 1 else (*numbers, 1)[:3]
    if len(numbers) == 1 and stop < 0:
        raise ValueError(f"must not be below 0, found {stop}")
    if step == 0:
        raise ValueError("must have a step other than 0")
    return start, stop, step


def header(value: Any, _: Earlier) -> bool | tuple[str, ...]:
    """Allows true, false, or the names of the columns."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"must be true, false or a list of column names, found {found(value)}")
    if len(set(value)) < len(value):
        raise ValueError("must name each column once")
    return tuple(value)


def one_character(value: Any, _: Earlier) -> str:
    """Allows a single character."""
    if not isinstance(value, str) or len(value) != 1 or value in "\r\n":
        raise ValueError(f"must be one character, found {found(value)}")
    return value


def column_types(value: Any, _: Earlier) -> dict[str, ColumnType]:
    """Allows an object of columns and the names of their types."""
    if not isinstance(value, dict):
        raise ValueError(f"must be an object of columns and their types, found {found(value)}")
    mistakes: list[tuple[Place, str]] = []
    for column, kind in value.items():
        if kind not in COLUMN_TYPES:
            guess = did_you_mean(kind, COLUMN_TYPES) if isinstance(kind, str) else ""
            known = ", ".join(COLUMN_TYPES)
            mistakes.append(((column,), f"must be one of {known}; found {found(kind)}{guess}"))
    if mistakes:
        raise MistakesInsideError(mistakes)
    return dict(value)


def json_value(value: Any, _: Earlier) -> Any:
    """Allows what JSON has."""
    try:
        wire.dumps(value)
    except (wire.NotJsonError, RecursionError) as error:
        raise ValueError(f"cannot be written as JSON ($ is this value): {error}") from None
    return value


def job_id(value: Any, _: Earlier) -> str:
    """Allows the id of a job."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be the id of a job, found {found(value)}")
    return value
