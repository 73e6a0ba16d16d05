"""What job.json says: :class:`JobSpec`, and every mistake in it reported at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from amr import jobfields as fields
from amr.errors import JobSpecError, Problem, UsageError
from amr.jobfields import NOT_GIVEN, Check, Tolerate
from amr.suggest import did_you_mean
from amr.wording import found, json_path, quoted

_MOST_NAMES_LISTED = 10

_Duration = Annotated[float, Check(fields.duration, fields.DURATION_SCHEMA)]


class _Object(BaseModel):
    """One object of job.json: unknown fields are refused, defaults checked like given values."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )


class RetryPolicy(_Object):
    """How often a task is attempted, and how long to wait in between (with full jitter).

    The wait before attempt n + 1 is drawn from 0 to ``backoff_s * 2 ** (n - 1)``, at most
    ``max_backoff_s``.
    """

    model_config = ConfigDict(
        json_schema_extra={"description": "Attempts of a task: exponential backoff, full jitter."}
    )

    max_attempts: Annotated[int, fields.whole_number(1, 100)] = Field(
        default=4, description="Most attempts of one task, the first included."
    )
    backoff_s: _Duration = Field(
        default="1s",
        alias="backoff",
        validate_default=True,
        description="Longest wait before the second attempt; it doubles with each one after.",
    )
    max_backoff_s: Annotated[float, Check(fields.max_backoff, fields.DURATION_SCHEMA)] = Field(
        default_factory=lambda: NOT_GIVEN,
        alias="max_backoff",
        description="Longest wait before any attempt: 60s, or backoff where that is longer.",
        json_schema_extra={"default": "60s"},
    )


class JobSpec(_Object):
    """A job as asked for: made by :func:`parse_job` or ``amr.jobfile.load_job``.

    Fields are named as in job.json, with ``_s`` added to durations, which are held in seconds.
    A limit of None (``timeout_s``, ``reduce_timeout_s``, ``deadline_s``) is no limit.
    """

    model_config = ConfigDict(
        json_schema_extra={"description": "A MapReduce job: mapper(input) for each, then reducer."}
    )

    mapper: Annotated[str, Check(fields.function_name, fields.FUNCTION_SCHEMA)] = Field(
        description="Function called with each element of inputs, by its name in the registry."
    )
    reducer: Annotated[
        str | None,
        Check(
            fields.optional_function_name,
            {"anyOf": [fields.FUNCTION_SCHEMA, {"type": "null"}]},
        ),
    ] = Field(
        default=None,
        description="Function called once with all outputs; without it they are the result.",
    )
    inputs: Annotated[list[Any], Check(fields.input_list, {"type": "array"})] = Field(
        repr=False, description="The mapper's bodies, one for each map task; any JSON."
    )
    reduce: Annotated[dict[str, Any], Check(fields.reduce_body, fields.REDUCE_SCHEMA)] = Field(
        default_factory=dict,
        validate_default=False,
        description="The reducer's body; inputs (the outputs, in input order) is added to it.",
        json_schema_extra={"default": {}},
    )
    name: Annotated[str | None, Check(fields.job_name, fields.NAME_SCHEMA)] = Field(
        default=None, description="What to call the job in lists and logs."
    )
    retry: RetryPolicy = Field(
        default_factory=RetryPolicy, description="When and how often failed tasks run again."
    )
    deadline_s: Annotated[float | None, Check(fields.deadline, fields.LIMIT_SCHEMA)] = Field(
        default=None,
        alias="deadline",
        description="Longest the whole job may take; then it fails.",
        json_schema_extra={"default": "none"},
    )
    timeout_s: Annotated[float | None, Check(fields.attempt_limit, fields.LIMIT_SCHEMA)] = Field(
        default_factory=lambda: NOT_GIVEN,
        alias="timeout",
        description="Longest one attempt may take: 10m, or deadline where that is shorter.",
        json_schema_extra={"default": "10m"},
    )
    reduce_timeout_s: Annotated[float | None, Check(fields.reduce_limit, fields.LIMIT_SCHEMA)] = (
        Field(
            default_factory=lambda: NOT_GIVEN,
            alias="reduce_timeout",
            description="Longest one attempt of the reducer may take: as timeout by default.",
        )
    )
    concurrency: Annotated[int, fields.whole_number(1, 1_000_000)] = Field(
        default=10_000, description="Most map tasks in flight at once."
    )
    rate: Annotated[float | None, Check(fields.rate, fields.RATE_SCHEMA)] = Field(
        default=None,
        description="Most map tasks that begin in a time, such as 100/s, their retries included.",
        json_schema_extra={"default": "none"},
    )
    on_failure: Annotated[
        Literal["fail", "collect"] | Tolerate,
        Check(fields.failure_policy, fields.ON_FAILURE_SCHEMA),
    ] = Field(
        default="fail",
        description=(
            "When a map task is out of attempts: fail the job, collect the failures for the "
            "reducer, or tolerate up to a fraction of them."
        ),
    )
    ttl_s: Annotated[float, Check(fields.positive_duration, fields.DURATION_SCHEMA)] = Field(
        default="24h",
        alias="ttl",
        validate_default=True,
        description="How long the result is kept after the job's end.",
    )

    durability: Annotated[fields.Durability, Check(fields.durability, fields.DURABILITY_SCHEMA)] = (
        Field(
            default="memory",
            description=(
                "What must have the submission and the result before they are acknowledged: the "
                "primary's memory, a replica too, or the primary's disk too."
            ),
        )
    )

    @property
    def display_name(self) -> str:
        """The job's name for people: ``name``, or else the mapper's."""
        return self.name or self.mapper

    def tolerated_failures(self, total: int) -> int:
        """Returns how many of ``total`` map tasks may fail for good without failing the job."""
        if isinstance(self.on_failure, Tolerate):
            # 0.29 * 100 is a hair below 29.
            return math.floor(self.on_failure.fraction * total + 1e-9)
        return total if self.on_failure == "collect" else 0

    def with_durability(self, durability: str | None) -> JobSpec:
        """Returns the same job with another durability; itself if that is None.

        Raises:
            UsageError: it is not a durability.
        """
        if durability is None:
            return self
        try:
            checked = fields.durability(durability, {})
        except ValueError as error:
            raise UsageError(f"durability {error}") from None
        return self.model_copy(update={"durability": checked})

    def header(self) -> dict[str, Any]:
        """Returns all but ``inputs`` under job.json's names, every default written out.

        Two documents that mean the same job have equal headers; durations are in seconds.
        :meth:`from_header` reads it back.
        """
        policy = self.on_failure
        header = {
            "mapper": self.mapper,
            "reducer": self.reducer,
            "reduce": self.reduce if self.reducer is not None else None,
            "name": self.name,
            "retry": {
                "max_attempts": self.retry.max_attempts,
                "backoff": self.retry.backoff_s,
                "max_backoff": self.retry.max_backoff_s,
            },
            "deadline": self.deadline_s,
            "timeout": "none" if self.timeout_s is None else self.timeout_s,
            "reduce_timeout": "none" if self.reduce_timeout_s is None else self.reduce_timeout_s,
            "concurrency": self.concurrency,
            "rate": self.rate,
            "on_failure": {"tolerate": policy.fraction} if isinstance(policy, Tolerate) else policy,
            "ttl": self.ttl_s,
            "durability": self.durability,
        }
        return {name: value for name, value in header.items() if value is not None}

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> JobSpec:
        """Returns the job of a :meth:`header`, with no inputs.

        Raises:
            JobSpecError: the header is not one that this version writes.
        """
        return parse_job({**header, "inputs": []}, source="stored job")


def parse_job(document: Any, source: str = "job.json") -> JobSpec:
    """Returns the job that ``document`` (job.json, parsed) describes.

    Args:
        document: the JSON object, as Python values. Its ``inputs`` are kept, not copied.
        source: what the document is called in messages, such as its path.

    Raises:
        JobSpecError: with every mistake, each with its path.
    """
    if not isinstance(document, dict):
        message = f"must be an object with a mapper and inputs, found {found(document)}"
        raise JobSpecError([Problem("$", message)], source)
    try:
        return JobSpec.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False)
    raise JobSpecError([problem for each in details for problem in _problems(each)], source)


def _problems(detail: Mapping[str, Any]) -> Iterator[Problem]:
    """Puts one of pydantic's error details into plain words."""
    place, kind = detail["loc"], detail["type"]
    if kind == "value_error":
        mistake = detail["ctx"]["error"]
        if isinstance(mistake, fields.MistakesInsideError):
            for key, message in mistake.mistakes:
                yield Problem(json_path((*place, key)), message)
        else:
            yield Problem(json_path(place), str(mistake))
    elif kind == "missing":
        description = JobSpec.model_fields[place[-1]].description
        yield Problem(json_path(place), f"is required, but missing. {description}")
    elif kind == "extra_forbidden":
        level = _known_names(RetryPolicy if len(place) > 1 else JobSpec)
        guess = did_you_mean(str(place[-1]), level)
        yield Problem(json_path(place), f"is not a known field{guess or _one_of(level)}")
    elif kind == "invalid_key":
        yield Problem(json_path(place), "is not a string, as the keys of an object must be")
    else:
        yield Problem(json_path(place), f"must be an object, found {found(detail['input'])}")


def _known_names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _one_of(names: Iterable[str]) -> str:
    return f"; the fields are {', '.join(names)}"


def check_functions(spec: JobSpec, known: Iterable[str], source: str = "job.json") -> None:
    """Checks that the job's functions are among the ``known`` names of the registry.

    Raises:
        JobSpecError: naming those that are not, the nearest names and the known ones.
    """
    names = sorted(known)
    shown = ", ".join(names[:_MOST_NAMES_LISTED]) or "none"
    if len(names) > _MOST_NAMES_LISTED:
        shown += f" and {len(names) - _MOST_NAMES_LISTED} more"
    problems = [
        Problem(
            f"$.{role}",
            f"no function {quoted(name)} in the registry{did_you_mean(name, names)}"
            f" (known functions: {shown})",
        )
        for role, name in (("mapper", spec.mapper), ("reducer", spec.reducer))
        if name is not None and name not in names
    ]
    if problems:
        raise JobSpecError(problems, source)


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles, which only repeat the fields' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema (2020-12) of job.json, for editors and ``amr schema``."""
    schema = JobSpec.model_json_schema(by_alias=True, schema_generator=_Untitled)
    return {"$schema": _Untitled.schema_dialect, **schema, "title": "job.json"}
