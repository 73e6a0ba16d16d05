"""The largest value of a figure that changes."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Peak:
    """Reads a figure five times a second while its block runs, and keeps the largest."""

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most = 0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            self.most = max(self.most, self._read())
