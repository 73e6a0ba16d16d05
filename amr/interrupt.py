"""Ends a sync function from outside: an exception raised in the main thread, while it is in it."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from amr.task import Task

_SIGNAL = signal.SIGUSR1


class Interrupter:
    """Raises an error inside the function that the main thread runs.

    Python code and blocking system calls end at once. Code that never comes back to the interpreter
    does not notice; its supervisor kills it a little later.
    """

    def __init__(self) -> None:
        #: The task whose function the main thread is in, set and cleared around the call.
        self.running: Task | None = None
        self._request: tuple[Task, BaseException] | None = None
        self._main = threading.main_thread().ident or 0

    def install(self) -> None:
        """Takes the signal over; only the main thread may."""
        signal.signal(_SIGNAL, self._handle)

    def interrupt(self, task: Task, error: BaseException) -> None:
        """Asks for ``error`` to be raised in the call of ``task``; nothing when it is over."""
        self._request = (task, error)
        signal.pthread_kill(self._main, _SIGNAL)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        request, self._request = self._request, None
        if request is not None and request[0] is self.running:
            self.running = None
            raise request[1]
