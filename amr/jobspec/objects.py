"""One object of job.json as a pydantic model, and its mistakes in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from amr.suggest import did_you_mean
from amr.wording import found

#: Where a mistake is, from an object on: keys and positions.
Place = tuple[str | int, ...]


class SpecObject(BaseModel):
    """One object of job.json: unknown fields are refused, defaults checked like given values."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )


class MistakesInsideError(ValueError):
    """Mistakes below a field: pairs of the place in the field's value and the message."""

    def __init__(self, mistakes: Iterable[tuple[Place, str]]) -> None:
        self.mistakes = list(mistakes)
        told = (f"{'.'.join(map(str, place))} {message}" for place, message in self.mistakes)
        super().__init__("; ".join(told))


def mistakes_of(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Place, str]]:
    """Yields the place and the words of every mistake that pydantic found in a ``model``."""
    for detail in error.errors(include_url=False):
        yield from _put_into_words(detail, model)


def _put_into_words(
    detail: Mapping[str, Any], model: type[BaseModel]
) -> Iterator[tuple[Place, str]]:
    place, kind = detail["loc"], detail["type"]
    if kind == "value_error":
        mistake = detail["ctx"]["error"]
        if isinstance(mistake, MistakesInsideError):
            yield from (((*place, *inner), message) for inner, message in mistake.mistakes)
        else:
            yield place, str(mistake)
    elif kind == "missing":
        description = _model_at(model, place).model_fields[place[-1]].description
        yield place, f"is required, but missing. {description}"
    elif kind == "extra_forbidden":
        names = known_names(_model_at(model, place))
        guess = did_you_mean(str(place[-1]), names) or f"; the fields are {', '.join(names)}"
        yield place, f"is not a known field{guess}"
    elif kind == "invalid_key":
        yield place, "is not a string, as the keys of an object must be"
    else:
        yield place, f"must be an object, found {found(detail['input'])}"


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel]:
    """Returns the model of the object that the last step of ``place`` is in."""
    for key in place[:-1]:
        inner: Any = model.model_fields[str(key)].annotation
        model = next((each for each in get_args(inner) if each is not NoneType), inner)
    return model


def known_names(model: type[BaseModel]) -> list[str]:
    """Returns the names that the model's fields have in job.json."""
    return [field.alias or name for name, field in model.model_fields.items()]


def unknown_fields(value: Mapping[str, Any], known: Iterable[str]) -> list[tuple[Place, str]]:
    """Returns a mistake for each key of ``value`` that is not ``known``."""
    names = list(known)
    return [
        ((key,), f"is not a known field{did_you_mean(str(key), names)}")
        for key in value
        if key not in names
    ]


class Untitled(GenerateJsonSchema):
    """Leaves out the titles, which only repeat the fields' names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
