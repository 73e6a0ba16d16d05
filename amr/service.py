"""The contract of everything that runs beside the main loop: start, started, stop."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

log = logging.getLogger("amr.service")


class PeriodicService:
    """Calls a body again and again on a thread of its own until stopped.

    An error of the body is logged and the next call comes after the usual interval: a service
    outlives whatever its body meets. Stopping twice, or before the start, does no harm.

    Args:
        name: the role's name, used for the thread and in log lines.
        body: the work; it may return the seconds until its next call, or None for ``interval_s``.
        interval_s: seconds between two calls, give or take a tenth so that fleets spread out.
    """

    def __init__(self, name: str, body: Callable[[], float | None], interval_s: float) -> None:
        self.name = name
        self._body = body
        self._interval_s = interval_s
        self._started = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread; the first call of the body comes at once."""
        if self._thread is None and not self._stopping.is_set():
            self._thread = threading.Thread(target=self._run, name=f"amr-{self.name}", daemon=True)
            self._thread.start()

    def started(self, timeout_s: float | None = None) -> bool:
        """Waits until the body has been called once; False when the time ran out."""
        return self._started.wait(timeout_s)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Asks the thread to end and waits for it, at most ``timeout_s`` seconds."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause_s = None
            try:
                pause_s = self._body()
            except Exception as error:
                log.warning("%s: %s: %s", self.name, type(error).__name__, error)
            self._started.set()
            wait_s = self._interval_s * random.uniform(0.9, 1.1) if pause_s is None else pause_s
            self._stopping.wait(wait_s)
