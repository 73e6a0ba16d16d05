"""Functions that are called with a key: reducers and combiners of shuffled jobs, partitioners."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import GeneratorType
from typing import Any

from amr import wire
from amr.errors import PermanentError
from amr.invokers.context import Context
from amr.invokers.local import FunctionImportError, LocalInvoker
from amr.invokers.registry import Registry
from amr.shuffle.keys import Key


def keyed_function(registry: Registry, name: str, second: str) -> Callable[[Any, Any], Any]:
    """Returns a Python function that is called as ``(key, second)``.

    Raises:
        PermanentError: it is not known here, is no Python function, or takes other arguments.
    """
    return _load(registry, name, second)[0]


def keyed_reducer(registry: Registry, name: str, context: Context) -> Callable[[Any, Any], Any]:
    """Returns a Python reducer that is called as ``(key, values)``, and gets the context as well
    where it takes three arguments.

    Raises:
        PermanentError: as ``keyed_function``.
    """
    function, count = _load(registry, name, "values")
    return (lambda key, values: function(key, values, context)) if count == 3 else function


def check_reducer(registry: Registry, name: str) -> None:
    """Imports a reducer and looks at its arguments.

    Raises:
        PermanentError: as ``keyed_function``.
    """
    _load(registry, name, "values")


def outputs_of(key: Key, output: Any) -> Iterator[bytes]:
    """Yields what a reducer gave for a key: what it yields, or the key and its value."""
    if isinstance(output, GeneratorType):
        yield from map(wire.dumps, output)
    else:
        yield wire.dumps((key, output))


def _load(registry: Registry, name: str, second: str) -> tuple[Callable[..., Any], int]:
    """Returns the function and how many arguments it is called with."""
    invoker = registry.find(name)
    if not isinstance(invoker, LocalInvoker):
        raise PermanentError(f"{name} is called for each key on the worker: it must be Python")
    function = invoker.load()
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return function, 2  # some built-in functions do not tell
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [each for each in parameters if each.kind in kinds]
    needed = sum(each.default is each.empty for each in positional)
    if needed > 3 or (
        len(positional) < 2 and not any(p.kind is p.VAR_POSITIONAL for p in parameters)
    ):
        listed = ", ".join(each.name for each in positional) or "none"
        raise FunctionImportError(
            f"{name} is called with (key, {second}) or (key, {second}, context) in a shuffled job; "
            f"its arguments are: {listed}"
        )
    wants_context = any(each.name == "context" for each in positional[2:3])
    return function, 3 if needed == 3 or wants_context else 2
