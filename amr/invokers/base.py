"""What every kind of function looks like to a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from amr.invokers.context import Context


class Invoker(Protocol):
    """Calls one function: JSON in, JSON out. What goes wrong is an exception.

    Attributes:
        name: the function's name in the registry.
        concurrent: True for an async function or an HTTP call, which ``invoke_async`` awaits;
            known once ``prepare`` was called.
        limit: most calls at a time in one worker, or None.
        timeout_s: seconds a call may take by the operator's word, or None.
    """

    name: str
    concurrent: bool
    limit: int | None
    timeout_s: float | None

    def prepare(self) -> None:
        """Makes the function ready: imports it, reads its settings. Later calls do nothing."""

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Calls a sync function."""

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """Awaits an async function or an HTTP call."""


class Function(Invoker, Protocol):
    """A function of the registry, which can be called with values as well as with JSON."""

    def bound(self, context: Context) -> Callable[[Any], Any]:
        """Returns what calls a sync function with values, where each call counts."""

    def call(self, value: Any, context: Context) -> Any:
        """Calls a sync function with a value; what it returns need not be JSON."""

    async def call_async(self, value: Any, context: Context) -> Any:
        """Awaits the same of an async function or an HTTP call."""


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """What is known of a function without calling it.

    Attributes:
        name: in the registry.
        kind: Python code, or an HTTP endpoint.
        target: where it is: file and line, or the URL.
        summary: first line of its docstring, or an empty string.
        is_async: an ``async def``.
    """

    name: str
    kind: Literal["python", "http"]
    target: str
    summary: str = ""
    is_async: bool = False
