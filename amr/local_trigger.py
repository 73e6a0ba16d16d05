"""A trigger inside this process, on a thread of its own."""

from __future__ import annotations

import logging
import os
import threading
from types import TracebackType
from typing import Self

from amr.errors import AmrError
from amr.partitions import partitions
from amr.redis_url import RedisTarget
from amr.trigger.supervisor import TriggerOptions
from amr.trigger.supervisors import make_supervisor
from amr.worker.order import Functions

_START_S = 15.0
_STOP_S = 10.0


class LocalTrigger:
    """A supervisor and its workers, for as long as the context lasts.

    Args:
        target: the Redis and its stream or streams.
        functions: what the workers serve.
        processes: number of workers; the cores of this machine by default.
        log_level: of the trigger and its workers.
        store: folder or URL for what is too large for Redis, or None.
    """

    def __init__(
        self,
        target: RedisTarget,
        functions: Functions,
        processes: int | None = None,
        *,
        log_level: int = logging.WARNING,
        store: str | None = None,
    ) -> None:
        targets = partitions(target)
        self.workers = max(len(targets), processes or os.cpu_count() or 1)
        options = TriggerOptions(
            functions=functions,
            processes=self.workers,
            grace_s=_STOP_S,
            log_level=log_level,
            store=store,
        )
        self._supervisor = make_supervisor(targets, options)
        self._thread = threading.Thread(target=self._run, name="amr-trigger", daemon=True)
        self._ready = threading.Event()
        self._error: BaseException | None = None

    def check(self) -> None:
        """Raises the error with which the trigger has ended, if it has.

        Raises:
            AmrError: the trigger ended by itself.
        """
        if self._ready.is_set() and not self._thread.is_alive():
            raise self._error or AmrError("the trigger has ended")

    def start(self) -> None:
        """Returns when the workers have been started.

        Raises:
            FunctionsError: the functions cannot be loaded.
            RedisUnavailableError: Redis cannot be reached, or must not be used.
        """
        self._thread.start()
        if not self._ready.wait(_START_S):
            raise AmrError(f"the workers did not start within {_START_S:g} s")
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Ends the workers at once; what they had not done stays on the stream."""
        if self._thread.is_alive():
            self._supervisor.stop()
            self._supervisor.stop()
            self._thread.join(_STOP_S)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._supervisor.run(self._ready.set)
        except BaseException as error:
            self._error = error
            self._ready.set()
