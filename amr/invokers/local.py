"""Python functions: found in files, imported at their first use, called with a decoded body."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from amr.errors import PermanentError
from amr.invokers import capture
from amr.invokers.context import Context
from amr.wire import NotJsonError, dumps, loads

#: Package that user files are imported under, so that a random.py hides nobody's ``random``.
PACKAGE = "amr_functions"


class FunctionImportError(PermanentError):
    """A function cannot be imported, or cannot be called with a body."""


class LocalInvoker:
    """Calls a Python function ``(body)`` or ``(body, context)``.

    Args:
        name: in the registry.
        load: imports and returns the function.
        is_async: what the source says; ``prepare`` finds out for itself.
    """

    limit: int | None = None
    timeout_s: float | None = None

    def __init__(self, name: str, load: Callable[[], Any], is_async: bool = False) -> None:
        self.name = name
        self.concurrent = is_async
        self._load = load
        self._function: Callable[..., Any] | None = None
        self._takes_context = False

    def prepare(self) -> None:
        """Imports the function and looks at its arguments.

        Raises:
            FunctionImportError: naming the file, the line and the reason.
        """
        if self._function is not None:
            return
        function = self.load()
        self._takes_context = _takes_context(self.name, function)
        self.concurrent = inspect.iscoroutinefunction(function)
        self._function = function

    def load(self) -> Callable[..., Any]:
        """Imports and returns the function, whatever its arguments are.

        Raises:
            FunctionImportError: naming the file, the line and the reason.
        """
        function = self._load()
        if not callable(function):
            kind = type(function).__name__
            raise FunctionImportError(f"{self.name} is not a function but of type {kind}")
        return cast(Callable[..., Any], function)

    def bound(self, context: Context) -> Callable[[Any], Any]:
        """Returns what calls a sync function with a value; the caller captures its prints."""
        function = self._function
        assert function is not None
        return (lambda value: function(value, context)) if self._takes_context else function

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync function in this thread."""
        return self._encode(self.call(loads(body), context))

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async function."""
        return self._encode(await self.call_async(loads(body), context))

    def call(self, value: Any, context: Context) -> Any:
        """Calls a sync function with a value, and returns what it returns."""
        function = self._function
        assert function is not None
        token = capture.current.set(context)
        try:
            return function(value, context) if self._takes_context else function(value)
        finally:
            capture.current.reset(token)
            capture.flush(context)

    async def call_async(self, value: Any, context: Context) -> Any:
        """Awaits the same of an async function."""
        function = self._function
        assert function is not None
        capture.current.set(context)  # of this asyncio task alone
        try:
            return await (function(value, context) if self._takes_context else function(value))
        finally:
            capture.flush(context)

    def _encode(self, output: Any) -> bytes:
        try:
            return dumps(output)
        except NotJsonError as error:
            raise NotJsonError(f"{self.name} returned what is not JSON: {error}") from None


def _takes_context(name: str, function: Callable[..., Any]) -> bool:
    """Tells whether the function takes a second argument.

    Raises:
        FunctionImportError: it takes none, or needs more than two.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False  # some built-in functions do not tell; they take the body
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p.name for p in positional if p.default is p.empty]
    needed += [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(needed) > 2 or (not positional and not any_number):
        listed = ", ".join(needed) or "none"
        raise FunctionImportError(
            f"{name} is called with (body) or (body, context); its arguments are: {listed}"
        )
    return len(needed) == 2 or any(p.name == "context" for p in positional[1:2])


def load_from_file(directory: Path, file: str, function: str) -> Any:
    """Imports ``file``.py of the functions directory and returns one of its functions.

    Raises:
        FunctionImportError: it cannot be imported, or does not have it.
    """
    _make_package(directory)
    module = _import(f"{PACKAGE}.{file}", f"{file}.py")
    return _attribute(module, function, f"{file}.py")


def load_from_module(target: str) -> Any:
    """Imports a function by ``module:name``.

    Raises:
        FunctionImportError: the module cannot be imported, or does not have it.
    """
    module, _, name = target.partition(":")
    return _attribute(_import(module, module), name, module)


def _make_package(directory: Path) -> None:
    """Makes the functions directory a package; files may also import each other plainly."""
    package = sys.modules.get(PACKAGE)
    if package is None or getattr(package, "__path__", None) != [str(directory)]:
        package = ModuleType(PACKAGE)
        package.__path__ = [str(directory)]
        sys.modules[PACKAGE] = package
    if str(directory) not in sys.path:
        sys.path.append(str(directory))


def _import(module: str, shown: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:
        place = _place(error, module)
        reason = f"{type(error).__name__}: {error}"
        raise FunctionImportError(f"{shown} cannot be imported: {reason}{place}") from error
    except SystemExit as error:
        raise FunctionImportError(f"{shown} cannot be imported: it calls sys.exit") from error


def _place(error: Exception, module: str) -> str:
    """Returns the line of the user's file at which its import broke, in brackets."""
    if isinstance(error, SyntaxError):
        return ""  # its text tells
    spec = importlib.util.find_spec(module) if "." not in module or PACKAGE in module else None
    lines = [
        frame.lineno
        for frame in inspect.getinnerframes(error.__traceback__)
        if spec is not None and frame.filename == spec.origin
    ] if error.__traceback__ else []  # fmt: skip
    return f" (line {lines[-1]})" if lines else ""


def _attribute(module: ModuleType, name: str, shown: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise FunctionImportError(f"{shown} has no function {name!r}")
    return found
