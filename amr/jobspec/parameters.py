"""Parameters of a job: ``{"param": NAME}`` in job.json stands for a value given at the call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from amr.errors import JobSpecError, Problem, UsageError
from amr.suggest import did_you_mean
from amr.wording import found, json_path, quoted

_KEY = "param"

#: Fields of a source that hold sources, and the one that holds a body.
_NESTED = ("chain", "product")
_BODY = "body"


def read_parameters(texts: Iterable[str]) -> dict[str, Any]:
    """Returns parameters given as ``NAME=VALUE``, where ``@file.json`` is the value of that file.

    A value that is JSON is what the JSON says, any other is text.

    Raises:
        UsageError: one has no name, or its file cannot be read.
    """
    parameters = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"--param {text!r}: write NAME=VALUE or NAME=@file.json")
        parameters[name] = _read_file(name, value[1:]) if value[:1] == "@" else _read(value)
    return parameters


def fill_in(document: Any, parameters: Mapping[str, Any], source: str = "job.json") -> Any:
    """Returns the document with its parameters' values in their places.

    A parameter may stand for the inputs, for a source inside them, for the body of a function
    source, for ``reduce`` and for each of its values.

    Raises:
        JobSpecError: a value is missing.
        UsageError: a parameter is given that the document does not have.
    """
    if not isinstance(document, Mapping):
        return document
    filling = _Filling(parameters)
    filled = dict(document)
    if "inputs" in filled:
        filled["inputs"] = filling.source(filled["inputs"], ("inputs",))
    if "reduce" in filled:
        reduce = filling.value(filled["reduce"], ("reduce",))
        if isinstance(reduce, Mapping):
            reduce = {key: filling.value(each, ("reduce", key)) for key, each in reduce.items()}
        filled["reduce"] = reduce
    if filling.problems:
        raise JobSpecError(filling.problems, source)
    unused = [name for name in parameters if name not in filling.used]
    if unused:
        guess = did_you_mean(unused[0], filling.used)
        raise UsageError(f"{source} has no parameter {quoted(unused[0])}{guess}")
    return filled


class _Filling:
    """Puts values in places, and remembers which parameters were met and which are missing."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self.used: set[str] = set()
        self.problems: list[Problem] = []

    def value(self, value: Any, place: tuple[str | int, ...]) -> Any:
        """Returns the parameter's value where one stands, else the value itself."""
        if not isinstance(value, Mapping) or set(value) != {_KEY}:
            return value
        name = value[_KEY]
        if not isinstance(name, str):
            message = f"must name a parameter, found {found(name)}"
            self.problems.append(Problem(json_path((*place, _KEY)), message))
        elif name not in self._parameters:
            guess = did_you_mean(name, self._parameters)
            message = f"needs the parameter {quoted(name)}: give it with --param {name}=...{guess}"
            self.problems.append(Problem(json_path(place), message))
        else:
            self.used.add(name)
            return self._parameters[name]
        return []

    def source(self, value: Any, place: tuple[str | int, ...]) -> Any:
        """Fills in a source and those inside it; the elements of a list are left as they are."""
        value = self.value(value, place)
        if not isinstance(value, Mapping):
            return value
        filled = dict(value)
        for key in _NESTED:
            if key in filled:
                filled[key] = self._nested(filled[key], (*place, key))
        if _BODY in filled:
            filled[_BODY] = self.value(filled[_BODY], (*place, _BODY))
        return filled

    def _nested(self, value: Any, place: tuple[str | int, ...]) -> Any:
        if isinstance(value, Mapping):
            return {key: self.source(each, (*place, key)) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.source(each, (*place, at)) for at, each in enumerate(value)]
        return value


def _read(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _read_file(name: str, path: str) -> Any:
    try:
        return orjson.loads(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"--param {name}=@{path}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"--param {name}=@{path}: not JSON at {where}: {error.msg}") from None
