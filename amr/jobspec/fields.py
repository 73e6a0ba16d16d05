"""The checks of job.json's fields, one function each, and how pydantic is made to call them.

A check takes the value as it stands in the document and the model's fields that were found right
before it, and returns the value to keep. A mistake is a ValueError whose message goes on from the
field's path: "must be ..., found ...".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from amr import wire
from amr.durations import DURATION_PATTERN, format_duration, parse_duration
from amr.jobspec.objects import MistakesInsideError, unknown_fields
from amr.rates import MAX_RATE, RATE_PATTERN, parse_rate
from amr.reducers import NAMES, is_builtin, is_known
from amr.sizes import SIZE_FORMS, parse_size
from amr.suggest import did_you_mean
from amr.wording import found, quoted

Earlier = Mapping[str, Any]

#: Who must keep a submission and a result before they are acknowledged: the primary's memory, a
#: replica too, or the primary's disk too.
Durability = Literal["memory", "replica", "disk"]
DURABILITIES: tuple[Durability, ...] = get_args(Durability)

#: The default of a field whose real default follows from an earlier field.
NOT_GIVEN: Any = object()

MAX_DURATION_S = 365 * 86_400.0
DEFAULT_TIMEOUT_S = 600.0
DEFAULT_MAX_BACKOFF_S = 60.0

#: What the reducer's body has beside the fields of ``reduce``.
FILLED_IN = ("inputs", "failures")

_FUNCTION_NAME = "^[A-Za-z0-9_.-]{1,200}$"

FUNCTION_SCHEMA = {"type": "string", "pattern": _FUNCTION_NAME}
FUNCTIONS_SCHEMA = {
    "anyOf": [FUNCTION_SCHEMA, {"type": "array", "items": FUNCTION_SCHEMA, "minItems": 1}]
}
BATCH_SCHEMA = {"type": ["integer", "null"], "minimum": 1, "maximum": 100_000}
SIZE_SCHEMA = {"anyOf": list(SIZE_FORMS)}
TREE_SCHEMA = {"type": ["integer", "null"], "minimum": 2, "maximum": 1000}
CALL_SCHEMA = {"enum": ["record", "batch"]}
SKIP_SCHEMA = {"type": ["number", "null"], "minimum": 0}
NAME_SCHEMA = {"type": ["string", "null"], "minLength": 1, "maxLength": 100}
REDUCE_SCHEMA = {
    "type": "object",
    "not": {"anyOf": [{"required": [name]} for name in FILLED_IN]},
}
DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": MAX_DURATION_S},
        {"type": "string", "minLength": 1, "pattern": DURATION_PATTERN},
    ]
}
LIMIT_SCHEMA = {"anyOf": [*DURATION_SCHEMA["anyOf"], {"const": "none"}]}
RATE_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_RATE},
        {"type": "string", "pattern": RATE_PATTERN},
        {"const": "none"},
    ]
}
DURABILITY_SCHEMA = {"enum": list(DURABILITIES)}
ON_FAILURE_SCHEMA = {
    "anyOf": [
        {"enum": ["fail", "collect"]},
        {
            "type": "object",
            "properties": {"tolerate": {"type": "number", "minimum": 0, "maximum": 1}},
            "required": ["tolerate"],
            "additionalProperties": False,
        },
    ]
}


@dataclass(frozen=True, eq=False)
class Check:
    """Annotates a pydantic field: ``function`` is all its validation, ``schema`` describes it."""

    function: Callable[[Any, Earlier], Any]
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def call(value: Any, info: ValidationInfo) -> Any:
            return self.function(value, info.data)

        return core_schema.with_info_plain_validator_function(call)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self.schema)


@dataclass(frozen=True, slots=True)
class Tolerate:
    """Map tasks may fail for good, up to ``fraction`` (0 to 1) of them; one more fails the job."""

    fraction: float


def function_name(value: Any, _: Earlier) -> str:
    """Allows the name of a registered function."""
    if not isinstance(value, str):
        raise ValueError(f"must be the name of a function, found {found(value)}")
    if not re.fullmatch(_FUNCTION_NAME, value):
        raise ValueError(
            "must be a function's name in the registry, 1 to 200 letters, digits, '_', '.' or '-': "
            f"functions are not named by path, import or URL; found {quoted(value)}"
        )
    return value


def optional_function_name(value: Any, earlier: Earlier) -> str | None:
    """Allows the name of a registered function, or null."""
    return None if value is None else function_name(value, earlier)


def optional_reducer_name(value: Any, earlier: Earlier) -> str | None:
    """Allows the name of a registered function, of a reducer of ours such as "amr.sum", or null."""
    if not isinstance(value, str) or not is_builtin(value):
        return optional_function_name(value, earlier)
    if not is_known(value):
        known, guess = ", ".join(NAMES), did_you_mean(value, NAMES)
        raise ValueError(
            f"must be a function's name or one of {known}; found {quoted(value)}{guess}"
        )
    return value


def function_names(value: Any, earlier: Earlier) -> str | tuple[str, ...]:
    """Allows the name of a registered function, or a list of them that stand in a chain."""
    if not isinstance(value, (list, tuple)):
        return function_name(value, earlier)
    if not value:
        raise ValueError("must name at least one function, found an empty list")
    mistakes: list[tuple[tuple[int], str]] = []
    for at, name in enumerate(value):
        try:
            function_name(name, earlier)
        except ValueError as error:
            mistakes.append(((at,), str(error)))
    if mistakes:
        raise MistakesInsideError(mistakes)
    return tuple(value)


def batch_size(value: Any, earlier: Earlier) -> int | None:
    """Allows how many records make one map task, or null."""
    return None if value is None else whole_number(1, 100_000).function(value, earlier)


def spill_size(value: Any, _: Earlier) -> int:
    """Allows a size such as "1MB"."""
    return parse_size(value)


def reduce_tree(value: Any, earlier: Earlier) -> int | None:
    """Allows how many outputs are merged at once where one reducer gets them all, or null."""
    if value is None:
        return None
    if "reducer" in earlier and earlier["reducer"] is None:
        raise ValueError("merges with the reducer, and there is none: name one")
    if earlier.get("shuffle") is not None:
        raise ValueError("is for a reducer of all outputs; that of a shuffle is called with keys")
    branches: int = whole_number(2, 1000).function(value, earlier)
    return branches


def call_way(value: Any, earlier: Earlier) -> Literal["record", "batch"]:
    """Allows "record", and "batch" where there are batches."""
    if value == "record":
        return "record"
    if value != "batch":
        guess = did_you_mean(value, ("record", "batch")) if isinstance(value, str) else ""
        raise ValueError(f'must be "record" or "batch", found {found(value)}{guess}')
    inputs = earlier.get("inputs")
    if earlier.get("batch", 1) is None and not getattr(inputs, "is_split", False):
        raise ValueError('is "batch", but there are no batches: give "batch" or a "split" as well')
    return "batch"


def reduce_body(value: Any, earlier: Earlier) -> dict[str, Any]:
    """Allows an object that leaves room for what is filled in, where there is a reducer."""
    if not isinstance(value, dict):
        raise ValueError(f"must be an object, the reducer's body; found {found(value)}")
    if "reducer" in earlier and earlier["reducer"] is None:
        raise ValueError(
            'is the body of a reducer, but the job has none: give "reducer" or leave "reduce" out'
        )
    taken = [key for key in FILLED_IN if key in value]
    if taken:
        raise MistakesInsideError(
            ((key,), "is filled in when the reducer is called: use another name") for key in taken
        )
    try:
        size_bytes = len(wire.dumps(value))
    except (wire.NotJsonError, RecursionError) as error:
        raise ValueError(f"cannot be written as JSON ($ is this object): {error}") from None
    if size_bytes > wire.MAX_BODY_BYTES:
        raise ValueError(f"must be at most {wire.MAX_BODY_BYTES} bytes of JSON, has {size_bytes}")
    return value


def job_name(value: Any, _: Earlier) -> str | None:
    """Allows a name that can be shown in one line, or null."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"must be a string of 1 to 100 characters, found {found(value)}")
    if not value.strip():
        raise ValueError(f"must have at least one visible character, found {quoted(value)}")
    if len(value) > 100:
        raise ValueError(f"must be at most 100 characters long, has {len(value)}")
    if any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in value):
        raise ValueError(
            "must have no control characters, line breaks or lone surrogates, "
            f"found {quoted(value)}"
        )
    return value


def whole_number(low: int, high: int) -> Check:
    """Returns the check that allows integers from ``low`` to ``high``, and nothing like them."""

    def check(value: Any, _: Earlier) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, found {found(value)}")
        return value

    return Check(check, {"type": "integer", "minimum": low, "maximum": high})


def duration(value: Any, _: Earlier) -> float:
    """Allows a duration of at most 365 days; returns seconds."""
    if isinstance(value, str) and value.strip().replace(".", "", 1).isdecimal():
        raise ValueError(f"must have a unit or be a number of seconds, found {quoted(value)}")
    seconds = parse_duration(value)
    if seconds > MAX_DURATION_S:
        raise ValueError(f'must be at most "365d", found {found(value)}')
    return seconds


def positive_duration(value: Any, earlier: Earlier) -> float:
    """Allows a duration from a millisecond, the shortest that is counted; returns seconds."""
    seconds = duration(value, earlier)
    if seconds < 0.001:
        raise ValueError(f'must be at least "1ms", found {found(value)}')
    return seconds


def max_backoff(value: Any, earlier: Earlier) -> float:
    """Allows a duration not below ``backoff``; the default follows a longer ``backoff``."""
    backoff_s: float = earlier.get("backoff_s", 0.0)
    if value is NOT_GIVEN:
        return max(DEFAULT_MAX_BACKOFF_S, backoff_s)
    seconds = duration(value, earlier)
    if seconds < backoff_s:
        raise ValueError(
            f"must not be below backoff, which is {format_duration(backoff_s)}; "
            f"found {found(value)}"
        )
    return seconds


def deadline(value: Any, earlier: Earlier) -> float | None:
    """Allows a positive duration; null and "none" are no deadline."""
    return None if value in (None, "none") else positive_duration(value, earlier)


def attempt_limit(value: Any, earlier: Earlier) -> float | None:
    """Allows a positive duration not above ``deadline``, or "none"; the default keeps to both."""
    deadline_s = earlier.get("deadline_s")
    if value is NOT_GIVEN:
        return DEFAULT_TIMEOUT_S if deadline_s is None else min(DEFAULT_TIMEOUT_S, deadline_s)
    if value == "none":
        return None
    if value is None:
        raise ValueError('must be a duration such as "10m", or "none" for no limit; found null')
    seconds = positive_duration(value, earlier)
    if deadline_s is not None and seconds > deadline_s:
        raise ValueError(
            f"must not be above the job's deadline, which is {format_duration(deadline_s)}; "
            f"found {found(value)}"
        )
    return seconds


def reduce_limit(value: Any, earlier: Earlier) -> float | None:
    """Allows what ``timeout`` does; its value is the default."""
    return earlier.get("timeout_s") if value is NOT_GIVEN else attempt_limit(value, earlier)


def rate(value: Any, _: Earlier) -> float | None:
    """Allows a rate; null and "none" are no limit. Returns the number a second."""
    return None if value in (None, "none") else parse_rate(value)


def skip_limit(value: Any, earlier: Earlier) -> float | None:
    """Allows a number of records, or a fraction below 1, where a task has several; or null."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e12:
        raise ValueError(f"must be a number of records or a fraction of them, found {found(value)}")
    if value > 1 and value != int(value):
        raise ValueError(f"must be a whole number, or a fraction below 1; found {found(value)}")
    is_split = getattr(earlier.get("inputs"), "is_split", False)
    if earlier.get("batch", 1) is None and not is_split:
        raise ValueError('is about the records of a task: give "batch" or a "split" as well')
    if earlier.get("call") == "batch":
        raise ValueError('needs a mapper that is called for each record: leave "call" out')
    return value


def flag(value: Any, _: Earlier) -> bool:
    """Allows true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, found {found(value)}")
    return value


def failure_policy(value: Any, _: Earlier) -> Literal["fail", "collect"] | Tolerate:
    """Allows "fail", "collect" or {"tolerate": fraction}."""
    if value == "fail" or value == "collect":
        return "fail" if value == "fail" else "collect"
    if not isinstance(value, dict):
        guess = did_you_mean(value, ("fail", "collect")) if isinstance(value, str) else ""
        raise ValueError(
            f'must be "fail", "collect" or {{"tolerate": 0.05}}, found {found(value)}{guess}'
        )
    mistakes = unknown_fields(value, ["tolerate"])
    fraction = value.get("tolerate")
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float)):
        fraction = -1
    if not 0 <= fraction <= 1:
        what = found(value["tolerate"]) if "tolerate" in value else "nothing"
        mistakes.append((("tolerate",), f"must be a fraction from 0 to 1, found {what}"))
    if mistakes:
        raise MistakesInsideError(mistakes)
    return Tolerate(float(fraction))


def durability(value: Any, _: Earlier) -> Durability:
    """Allows "memory", "replica" or "disk"."""
    for level in DURABILITIES:
        if value == level:
            return level
    guess = did_you_mean(value, DURABILITIES) if isinstance(value, str) else ""
    raise ValueError(f'must be "memory", "replica" or "disk", found {found(value)}{guess}')
