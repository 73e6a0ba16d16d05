"""Waits for a thing, not for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_for(look: Callable[[], Found], timeout_s: float = 20.0, what: str = "it") -> Found:
    """Returns what ``look`` returns once that is true.

    Raises:
        AssertionError: it was not, for ``timeout_s`` seconds.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > give_up_at:
            raise AssertionError(f"{what} did not happen within {timeout_s:g} s")
        time.sleep(0.01)  # between two looks
