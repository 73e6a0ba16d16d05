"""What tasks read of Redis while they run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from amr.errors import RetryLater
from amr.store.connection import RedisError, is_passing

_AGAIN_AFTER_S = 1.0


@contextmanager
def reading_redis() -> Iterator[None]:
    """Lets a task that Redis cannot give its input just now come again, at no cost of an attempt.

    Raises:
        RetryLater: Redis is away, or asks for time.
    """
    try:
        yield
    except RedisError as error:
        if is_passing(error):
            raise RetryLater(_AGAIN_AFTER_S, f"Redis: {error}") from error
        raise
