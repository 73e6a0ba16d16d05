"""How a job brings the values of a key together: ``shuffle`` of job.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from amr.jobspec import fields
from amr.jobspec.fields import Check, Earlier
from amr.jobspec.objects import MistakesInsideError, SpecObject, Untitled, mistakes_of
from amr.reducers import is_builtin, is_opaque
from amr.wording import found, quoted

#: Ways to choose a key's partition that are no function's name.
PARTITIONERS = ("hash", "range")

_NAME_OR_NULL = {"anyOf": [fields.FUNCTION_SCHEMA, {"type": "null"}]}


def _partitioner(value: Any, earlier: Earlier) -> str:
    return value if value in PARTITIONERS else fields.function_name(value, earlier)


def _store(value: Any, _: Earlier) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise ValueError(f"must be a folder that the workers share, or a URL; found {found(value)}")
    if value is not None and "\0" in value:
        raise ValueError(f"must have no NUL in it, found {quoted(value)}")
    return value


class ShuffleSpec(SpecObject):
    """The mapper's pairs are brought together by key, and reduced in partitions."""

    model_config = ConfigDict(
        json_schema_extra={"description": "The mapper gives pairs; the reducer gets them by key."}
    )

    partitions: Annotated[int, fields.whole_number(1, 1000)] = Field(
        default=8, description="Reduce tasks, each of the keys of one partition."
    )
    combiner: Annotated[str | None, Check(fields.optional_reducer_name, _NAME_OR_NULL)] = Field(
        default=None,
        description="Function that reduces a key's values on the worker before they are sent: "
        "it is called as the reducer is, and returns one value.",
    )
    partitioner: Annotated[str, Check(_partitioner, fields.FUNCTION_SCHEMA)] = Field(
        default="hash",
        description="hash; range, for an order over all partitions; or a function that is called "
        "with the key and the number of partitions and returns one.",
    )
    store: Annotated[str | None, Check(_store, {"type": ["string", "null"]})] = Field(
        default=None,
        description="Folder that the workers share, or URL, for what is too large for Redis.",
    )

    @property
    def is_range(self) -> bool:
        """Whether partitions are ranges of keys: a map task's runs are of all of them together."""
        return self.partitioner == "range"

    def functions(self) -> Iterator[tuple[str, str]]:
        """Yields the field and the name of every function that it names."""
        if self.combiner is not None and not is_builtin(self.combiner):
            yield "combiner", self.combiner
        if self.partitioner not in PARTITIONERS:
            yield "partitioner", self.partitioner

    def header(self) -> dict[str, Any]:
        """Returns the object as job.json has it."""
        return self.model_dump(exclude_none=True)


def shuffle_of(value: Any, earlier: Earlier) -> ShuffleSpec | None:
    """Allows a shuffle where there is a reducer, or null."""
    if value is None or isinstance(value, ShuffleSpec):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f'must be an object such as {{"partitions": 8}}, found {found(value)}')
    reducer = earlier.get("reducer", "")
    if reducer is None:
        raise ValueError("brings values together for a reducer: give the job one")
    try:
        shuffle = ShuffleSpec.model_validate(dict(value))
    except ValidationError as error:
        mistakes = list(mistakes_of(error, ShuffleSpec))
    else:
        combiner = shuffle.combiner
        if combiner is None or not is_opaque(combiner) or reducer in (combiner, ""):
            return shuffle
        message = f"gives what only the reducer {combiner} understands, not {reducer}"
        mistakes = [(("combiner",), message)]
    raise MistakesInsideError(mistakes)


def shuffle_schema() -> dict[str, Any]:
    """Returns the JSON Schema of ``shuffle``."""
    return ShuffleSpec.model_json_schema(by_alias=True, schema_generator=Untitled)
