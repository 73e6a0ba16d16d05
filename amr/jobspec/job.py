"""What job.json says: :class:`JobSpec`, and every mistake in it reported at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from amr.errors import JobSpecError, Problem, UsageError
from amr.jobspec import fields
from amr.jobspec.fields import NOT_GIVEN, Check, Tolerate
from amr.jobspec.objects import MistakesInsideError, SpecObject, Untitled, mistakes_of
from amr.jobspec.output import OUTPUT_SCHEMA, output_path
from amr.jobspec.retry import RetryPolicy
from amr.jobspec.shuffle import ShuffleSpec, shuffle_of, shuffle_schema
from amr.jobspec.source_fields import under
from amr.jobspec.sources import (
    FunctionSource,
    Inputs,
    OutputsSource,
    Source,
    input_source,
    source_definitions,
)
from amr.reducers import is_builtin
from amr.suggest import did_you_mean
from amr.task import REDUCING
from amr.wording import found, json_path, quoted

_MOST_NAMES_LISTED = 10


def next_job(value: Any, _: fields.Earlier) -> JobSpec | None:
    """Allows the description of a job without inputs, or null."""
    if value is None or isinstance(value, JobSpec):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a job without inputs, found {found(value)}")
    if "inputs" in value:
        raise MistakesInsideError([(("inputs",), "are what the job before gives: leave them out")])
    try:
        return JobSpec.model_validate({**value, "inputs": []})
    except ValidationError as error:
        mistakes = list(mistakes_of(error, JobSpec))
    raise MistakesInsideError(mistakes)


class JobSpec(SpecObject):
    """A job as asked for: made by :func:`parse_job` or ``amr.jobspec.file.load_job``.

    Fields are named as in job.json, with ``_s`` added to durations, which are held in seconds.
    A limit of None (``timeout_s``, ``reduce_timeout_s``, ``deadline_s``) is no limit.
    """

    model_config = ConfigDict(
        json_schema_extra={"description": "A MapReduce job: mapper(input) for each, then reducer."}
    )

    mapper: Annotated[
        str | tuple[str, ...], Check(fields.function_names, fields.FUNCTIONS_SCHEMA)
    ] = Field(
        description="Function called with each element of inputs, by its name in the registry; of "
        "a list of them, each is called with what the one before returned."
    )
    reducer: Annotated[
        str | None,
        Check(
            fields.optional_reducer_name,
            {"anyOf": [fields.FUNCTION_SCHEMA, {"type": "null"}]},
        ),
    ] = Field(
        default=None,
        description="Function called once with all outputs; without it they are the result.",
    )
    inputs: Annotated[
        Inputs,
        Check(input_source, {"type": ["array", "object"]}),
    ] = Field(
        repr=False,
        description="The mapper's bodies: a list of any JSON, or a source of them.",
    )
    batch: Annotated[int | None, Check(fields.batch_size, fields.BATCH_SCHEMA)] = Field(
        default=None,
        description="Inputs that make one map task; its output is the list of theirs.",
    )
    call: Annotated[Literal["record", "batch"], Check(fields.call_way, fields.CALL_SCHEMA)] = Field(
        default="record",
        description="Whether the mapper of a batch is called once for each record, or once with "
        "the list of them.",
    )
    shuffle: Annotated[ShuffleSpec | None, Check(shuffle_of, {"type": ["object", "null"]})] = Field(
        default=None,
        description="The mapper returns or yields pairs [key, value]; the reducer is called once "
        "for each key, in several partitions.",
    )
    reduce_tree: Annotated[int | None, Check(fields.reduce_tree, fields.TREE_SCHEMA)] = Field(
        default=None,
        description="Outputs, or results of the reducer, that the reducer is called with at once, "
        "while others are still mapped: it must be associative.",
    )
    reduce: Annotated[dict[str, Any], Check(fields.reduce_body, fields.REDUCE_SCHEMA)] = Field(
        default_factory=dict,
        validate_default=False,
        description="The reducer's body; inputs (the outputs, in input order) is added to it.",
        json_schema_extra={"default": {}},
    )
    output: Annotated[str | None, Check(output_path, OUTPUT_SCHEMA)] = Field(
        default=None,
        description="Path or URL of the files that the result is written to, one by each reduce "
        "task; it ends in .json, .jsonl or .csv, and {job}, {name} and {partition} are filled in.",
    )
    name: Annotated[str | None, Check(fields.job_name, fields.NAME_SCHEMA)] = Field(
        default=None, description="What to call the job in lists and logs."
    )
    retry: RetryPolicy = Field(
        default_factory=RetryPolicy, description="When and how often failed tasks run again."
    )
    reduce_retry: RetryPolicy | None = Field(
        default=None,
        description="The same for reduce tasks and merges, where it is another: as retry.",
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
    skip_bad_records: Annotated[float | None, Check(fields.skip_limit, fields.SKIP_SCHEMA)] = Field(
        default=None,
        description="Records of batches and splits that may be given up after their task's "
        "attempts: a number, or a fraction of all; the others of their task count.",
    )
    backup: Annotated[bool, Check(fields.flag, {"type": "boolean"})] = Field(
        default=True,
        description="Whether a task that runs much longer than the others at the end of a stage "
        "is run by an idle worker as well; the first execution that ends counts.",
    )
    spill_bytes: Annotated[int, Check(fields.spill_size, fields.SIZE_SCHEMA)] = Field(
        default="1MB",
        alias="spill",
        validate_default=True,
        description="Outputs of more bytes go to the store of the workers, where they have one.",
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

    then: Annotated[Any, Check(next_job, {"type": ["object", "null"]})] = Field(
        default=None,
        description="The next job, without inputs: it gets what this one gives.",
    )

    @property
    def display_name(self) -> str:
        """The job's name for people: ``name``, or else the mapper's."""
        return self.name or " > ".join(self.mappers)

    @property
    def mappers(self) -> tuple[str, ...]:
        """The functions that an input passes through, in turn."""
        return (self.mapper,) if isinstance(self.mapper, str) else self.mapper

    @property
    def is_grouped(self) -> bool:
        """Whether a map task stands for several records: its output is the list of theirs."""
        return self.batch is not None or (isinstance(self.inputs, Source) and self.inputs.is_split)

    @property
    def collects_outputs(self) -> bool:
        """Whether the reduce task is called once with all outputs."""
        return self.shuffle is None and self.reduce_tree is None

    def retry_of(self, stage: str) -> RetryPolicy:
        """Returns how the tasks of a stage are attempted."""
        return (self.reduce_retry if stage in REDUCING else None) or self.retry

    def timeout_of(self, stage: str) -> float | None:
        """Returns the seconds that an attempt of a stage's tasks may take, or None."""
        return self.reduce_timeout_s if stage in REDUCING else self.timeout_s

    def functions(self) -> Iterator[tuple[str, str]]:
        """Yields the path and the name of every function that the job names."""
        for at, name in enumerate(self.mappers):
            yield "$.mapper" if isinstance(self.mapper, str) else f"$.mapper[{at}]", name
        if self.reducer is not None and not is_builtin(self.reducer):
            yield "$.reducer", self.reducer
        if self.then is not None:
            yield from (
                (path.replace("$", "$.then", 1), name) for path, name in self.then.functions()
            )
        if self.shuffle is not None:
            yield from (("$.shuffle." + field, name) for field, name in self.shuffle.functions())
        if isinstance(self.inputs, FunctionSource):
            yield "$.inputs.function", self.inputs.function

    def tolerated_failures(self, total: int) -> int:
        """Returns how many of ``total`` map tasks may fail for good without failing the job."""
        if isinstance(self.on_failure, Tolerate):
            # 0.29 * 100 is a hair below 29.
            return math.floor(self.on_failure.fraction * total + 1e-9)
        return total if self.on_failure == "collect" else 0

    def under(self, folder: Path) -> JobSpec:
        """Returns the same job with the relative paths of its sources taken from ``folder``."""
        moved: dict[str, Any] = {}
        if isinstance(self.inputs, Source):
            moved["inputs"] = self.inputs.under(folder)
        if self.output is not None:
            moved["output"] = under(folder, self.output)
        if self.then is not None:
            moved["then"] = self.then.under(folder)
        return self.model_copy(update=moved)

    def after(self, job: str) -> JobSpec:
        """Returns the same job with what another one gives as its inputs."""
        return self.model_copy(update={"inputs": OutputsSource(job=job)})

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
        """Returns all but a list of inputs under job.json's names, most defaults written out.

        Two documents that mean the same job have equal headers; durations are in seconds.
        :meth:`from_header` reads it back.
        """
        policy = self.on_failure
        header = {
            "mapper": self.mapper,
            "inputs": self.inputs.document() if isinstance(self.inputs, Source) else None,
            "batch": self.batch,
            "call": self.call,
            "reducer": self.reducer,
            "shuffle": self.shuffle.header() if self.shuffle is not None else None,
            "reduce_tree": self.reduce_tree,
            "reduce": self.reduce if self.reducer is not None else None,
            "output": self.output,
            "name": self.name,
            "retry": self.retry.header(),
            "reduce_retry": self.reduce_retry.header() if self.reduce_retry is not None else None,
            "deadline": self.deadline_s,
            "timeout": "none" if self.timeout_s is None else self.timeout_s,
            "reduce_timeout": "none" if self.reduce_timeout_s is None else self.reduce_timeout_s,
            "concurrency": self.concurrency,
            "rate": self.rate,
            "on_failure": {"tolerate": policy.fraction} if isinstance(policy, Tolerate) else policy,
            "skip_bad_records": self.skip_bad_records,
            "backup": None if self.backup else False,
            "spill": self.spill_bytes,
            "ttl": self.ttl_s,
            "durability": self.durability,
            "then": self.then.header_without_inputs() if self.then is not None else None,
        }
        return {name: value for name, value in header.items() if value is not None}

    def header_without_inputs(self) -> dict[str, Any]:
        """Returns the header of a job that follows another one."""
        return {name: value for name, value in self.header().items() if name != "inputs"}

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> JobSpec:
        """Returns the job of a :meth:`header`, with no inputs.

        Raises:
            JobSpecError: the header is not one that this version writes.
        """
        return parse_job({"inputs": [], **header}, source="stored job")


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
        mistakes = list(mistakes_of(error, JobSpec))
    problems = [Problem(json_path(place), message) for place, message in mistakes]
    raise JobSpecError(problems, source)


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
            path,
            f"no function {quoted(name)} in the registry{did_you_mean(name, names)}"
            f" (known functions: {shown})",
        )
        for path, name in spec.functions()
        if name not in names
    ]
    if problems:
        raise JobSpecError(problems, source)


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema (2020-12) of job.json, for editors and ``amr schema``."""
    schema = JobSpec.model_json_schema(by_alias=True, schema_generator=Untitled)
    schema["$defs"] |= source_definitions()
    properties = schema["properties"]
    del properties["inputs"]["type"], properties["shuffle"]["type"]
    properties["inputs"]["anyOf"] = [{"type": "array"}, {"$ref": "#/$defs/source"}]
    properties["shuffle"]["anyOf"] = [shuffle_schema(), {"type": "null"}]
    return {"$schema": Untitled.schema_dialect, **schema, "title": "job.json"}
