"""What stands before a function, and does more than to call it."""

from __future__ import annotations

from typing import Generic, TypeVar

from amr.invokers.base import Invoker

Inner = TypeVar("Inner", bound=Invoker)


class Wrapper(Generic[Inner]):
    """Looks like the function that it stands before.

    Args:
        inner: the function.
    """

    def __init__(self, inner: Inner) -> None:
        self.inner = inner
        self.name = inner.name
        self.concurrent = inner.concurrent
        self.limit = inner.limit
        self.timeout_s = inner.timeout_s

    def prepare(self) -> None:
        """Imports the function."""
        self.inner.prepare()
        self.concurrent = self.inner.concurrent
