"""Waits until one of several files can be read."""

from __future__ import annotations

import select


def wait_for_any(files: list[int], timeout_s: float) -> set[int]:
    """Returns those of the files that can be read, after a wait of up to ``timeout_s`` seconds."""
    poll = select.poll()  # select() itself knows no file numbers beyond 1023
    for file in files:
        poll.register(file, select.POLLIN)
    return {file for file, _ in poll.poll(timeout_s * 1000)}
