"""Where a job's inputs come from: the source objects that job.json has in place of a list.

One field names the kind, such as ``csv``; the others are its options. Sources are described here
and read in ``amr/sources``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationError

from amr.jobspec import source_fields as fields
from amr.jobspec.fields import FUNCTION_SCHEMA, Check, Earlier, function_name
from amr.jobspec.objects import MistakesInsideError, SpecObject, Untitled, mistakes_of
from amr.suggest import did_you_mean
from amr.wording import found, quoted

_Paths = Annotated[tuple[str, ...], Check(fields.paths, fields.PATHS_SCHEMA)]
_BOOLEAN = {"type": "boolean"}


class Source(SpecObject):
    """Base of all sources.

    Attributes:
        KIND: the field that names the kind; it comes first in the class.
    """

    KIND: ClassVar[str]

    @property
    def is_split(self) -> bool:
        """Whether workers read the records themselves, a part of a file for each map task."""
        return False

    def leaves(self) -> Iterator[Source]:
        """Yields this source, or those that it is made of."""
        yield self

    def under(self, folder: Path) -> Self:
        """Returns the same source with its relative paths taken from ``folder``."""
        return self

    def document(self) -> dict[str, Any]:
        """Returns the source as job.json has it, without what is as by default."""
        return self.model_dump(exclude_defaults=True)


class FileSource(Source):
    """Records that are in files: paths, patterns with ``*``, ``?`` and ``**``, or URLs."""

    split: Annotated[int | None, Check(fields.size, fields.SIZE_SCHEMA)] = Field(
        default=None,
        description="Bytes of a file that make one map task, read by its worker; else every "
        "record is an input of its own.",
    )

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths, patterns and URLs."""
        paths: tuple[str, ...] = getattr(self, self.KIND)
        return paths

    @property
    def is_split(self) -> bool:
        return self.split is not None

    def under(self, folder: Path) -> Self:
        absolute = tuple(fields.under(folder, path) for path in self.paths)
        return self.model_copy(update={self.KIND: absolute})


class RangeSource(Source):
    """Whole numbers: 0 to N - 1, or from start to before stop."""

    KIND = "range"
    range: Annotated[
        tuple[int, int, int],
        Check(
            fields.whole_range,
            {
                "anyOf": [
                    {"type": "integer", "minimum": 0},
                    {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
                ]
            },
        ),
    ] = Field(description="N, or [start, stop, step].")


class CsvSource(FileSource):
    """Rows of CSV files: each is an object, by the names of the columns."""

    KIND = "csv"
    csv: _Paths = Field(description="Files, patterns or URLs.")
    header: Annotated[
        bool | tuple[str, ...],
        Check(fields.header, {"anyOf": [_BOOLEAN, {"type": "array", "items": {"type": "string"}}]}),
    ] = Field(
        default=True,
        description="Whether the first row names the columns; or their names. Without names a "
        "row is a list.",
    )
    delimiter: Annotated[str, Check(fields.one_character, {"type": "string"})] = Field(
        default=",", description="What stands between two cells."
    )
    quote: Annotated[str, Check(fields.one_character, {"type": "string"})] = Field(
        default='"', description="What stands around a cell; twice inside it means itself."
    )
    types: Annotated[
        dict[str, fields.ColumnType],
        Check(fields.column_types, fields.TYPES_SCHEMA),
    ] = Field(
        default_factory=dict,
        validate_default=False,
        description="Type of a column: str, int, float, bool or json. An empty cell that is not "
        "str is null.",
        json_schema_extra={"default": {}},
    )


class JsonlSource(FileSource):
    """JSON values, one a line."""

    KIND = "jsonl"
    jsonl: _Paths = Field(description="Files, patterns or URLs.")


class LinesSource(FileSource):
    """Lines of text, without their ends."""

    KIND = "lines"
    lines: _Paths = Field(description="Files, patterns or URLs.")


class ParquetSource(FileSource):
    """Rows of Parquet files, as objects; the extra ``parquet`` reads them."""

    KIND = "parquet"
    parquet: _Paths = Field(description="Files, patterns or URLs.")


class FilesSource(Source):
    """Files themselves: ``{"path", "size"}`` of each."""

    KIND = "files"
    files: _Paths = Field(description="Files, patterns or URLs.")

    def under(self, folder: Path) -> Self:
        return self.model_copy(
            update={"files": tuple(fields.under(folder, path) for path in self.files)}
        )


class FunctionSource(Source):
    """What a function returns or yields, called once on a worker."""

    KIND = "function"
    function: Annotated[str, Check(function_name, FUNCTION_SCHEMA)] = Field(
        description="The function's name in the registry."
    )
    body: Annotated[Any, Check(fields.json_value, {})] = Field(
        default=None, description="What it is called with."
    )


class OutputsSource(Source):
    """The outputs of another job on the same stream, which has ended."""

    KIND = "job"
    job: Annotated[str, Check(fields.job_id, {"type": "string", "minLength": 1})] = Field(
        description="The other job's id."
    )


def _sources(value: Any, _: Earlier) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"must be a list of lists and sources, found {found(value)}")
    return tuple(_each(enumerate(value)).values())


def _named_sources(value: Any, earlier: Earlier) -> tuple[Any, ...] | dict[str, Any]:
    if isinstance(value, dict) and value:
        return _each(value.items())
    return _sources(value, earlier)


def _each(parts: Any) -> dict[Any, Any]:
    """Reads sources that stand in another one; the mistakes of all are told."""
    read, mistakes = {}, []
    for key, part in parts:
        try:
            read[key] = _inner(part)
        except MistakesInsideError as error:
            mistakes += [((key, *place), message) for place, message in error.mistakes]
        except ValueError as error:
            mistakes.append(((key,), str(error)))
    if mistakes:
        raise MistakesInsideError(mistakes)
    return read


def _inner(value: Any) -> Inputs:
    source = parse_source(value)
    if isinstance(source, FunctionSource):
        raise ValueError("a function stands alone as the inputs, not inside another source")
    return source


class ProductSource(Source):
    """Every combination of the items of several sources, the last one changing the fastest."""

    KIND = "product"
    product: Annotated[
        tuple[Any, ...] | dict[str, Any],
        Check(_named_sources, {"type": ["array", "object"], "minItems": 1}),
    ] = Field(description="Sources: of a list a list of items, of an object an object of them.")

    @property
    def parts(self) -> dict[str | int, list[Any] | Source]:
        """The sources by position or name."""
        product = self.product
        return dict(product.items() if isinstance(product, dict) else enumerate(product))

    def leaves(self) -> Iterator[Source]:
        yield from _leaves(self.parts.values())

    def under(self, folder: Path) -> Self:
        moved = {key: _moved(part, folder) for key, part in self.parts.items()}
        product = moved if isinstance(self.product, dict) else tuple(moved.values())
        return self.model_copy(update={"product": product})

    def document(self) -> dict[str, Any]:
        told = {key: _told(part) for key, part in self.parts.items()}
        return {"product": told if isinstance(self.product, dict) else list(told.values())}


class ChainSource(Source):
    """The items of several sources, one source after the other."""

    KIND = "chain"
    chain: Annotated[tuple[Any, ...], Check(_sources, {"type": "array", "minItems": 1})] = Field(
        description="Sources and lists."
    )

    @property
    def is_split(self) -> bool:
        return any(leaf.is_split for leaf in self.leaves())

    def leaves(self) -> Iterator[Source]:
        yield from _leaves(self.chain)

    def under(self, folder: Path) -> Self:
        return self.model_copy(update={"chain": tuple(_moved(part, folder) for part in self.chain)})

    def document(self) -> dict[str, Any]:
        return {"chain": [_told(part) for part in self.chain]}


SOURCES: tuple[type[Source], ...] = (
    RangeSource,
    CsvSource,
    JsonlSource,
    LinesSource,
    FilesSource,
    ParquetSource,
    FunctionSource,
    OutputsSource,
    ProductSource,
    ChainSource,
)
_BY_KIND = {source.KIND: source for source in SOURCES}

#: What ``inputs`` may be.
Inputs = list[Any] | Source


def parse_source(value: Any) -> Inputs:
    """Returns the source that an object describes; a list as it is.

    Raises:
        MistakesInsideError: with every mistake in the object.
        ValueError: it is neither a list nor a source.
    """
    if isinstance(value, (list, Source)):
        return value
    if isinstance(value, tuple):
        return list(value)
    if not isinstance(value, Mapping):
        raise ValueError(
            "must be a list with one element for each map task, or a source such as "
            f'{{"csv": "urls.csv"}}; found {found(value)}'
        )
    kinds = [kind for kind in _BY_KIND if kind in value]
    if len(kinds) != 1:
        raise ValueError(_no_kind(value, kinds))
    source = _BY_KIND[kinds[0]]
    try:
        return source.model_validate(dict(value))
    except ValidationError as error:
        mistakes = list(mistakes_of(error, source))
    raise MistakesInsideError(mistakes)


def _no_kind(value: Mapping[str, Any], kinds: Sequence[str]) -> str:
    if kinds:
        return f"must be one source, found several: {', '.join(kinds)}"
    if set(value) == {"param"}:
        return f"needs the parameter {quoted(str(value['param']))}: give it with --param"
    guesses = (did_you_mean(str(key), _BY_KIND) for key in value)
    guess = next((each for each in guesses if each), "")
    return f"must name a kind of source: {', '.join(_BY_KIND)}{guess}"


def input_source(value: Any, _: Earlier) -> Inputs:
    """Allows a list, which is kept as it is, or a source."""
    source = parse_source(value)
    if isinstance(source, ProductSource) and any(leaf.is_split for leaf in source.leaves()):
        raise ValueError('a product has every record in hand: leave "split" out inside it')
    return source


def _leaves(parts: Any) -> Iterator[Source]:
    for part in parts:
        if isinstance(part, Source):
            yield from part.leaves()


def _moved(part: list[Any] | Source, folder: Path) -> list[Any] | Source:
    return part.under(folder) if isinstance(part, Source) else part


def _told(part: list[Any] | Source) -> Any:
    return part.document() if isinstance(part, Source) else part


def source_definitions() -> dict[str, Any]:
    """Returns the JSON Schema of the sources: ``source`` is any of them, each kind has its own."""
    kinds = {
        f"{source.KIND}_source": source.model_json_schema(by_alias=True, schema_generator=Untitled)
        for source in SOURCES
    }
    return {"source": {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in kinds]}, **kinds}
