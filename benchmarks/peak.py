"""The largest value of a figure that changes."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Peak:
    """Reads a figure again and again while its block runs, and keeps the largest.

    Args:
        read: gives the figure.
        every_s: seconds between two readings.
    """

    def __init__(self, read: Callable[[], int], every_s: float = 0.2) -> None:
        self._read = read
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most = 0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._every_s):
            self.most = max(self.most, self._read())
