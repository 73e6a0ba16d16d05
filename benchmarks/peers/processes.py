"""Processes of this machine: which ones a run has started, what they take, and their end.

Systems start processes in sessions and groups of their own. Linux gives those whose parent has
died to the nearest process that asked for them, so that none gets out of sight.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_STOP_TIMEOUT_S = 5.0


def adopt_orphans() -> None:
    """Makes this process the parent of every descendant whose own parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> set[int]:
    """Returns the processes below ``pid`` that have not ended."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    children.setdefault(int(parent), []).append(int(folder.name))
    found: set[int] = set()
    new = [pid]
    while new:
        below = children.get(new.pop(), [])
        found.update(below)
        new += below
    return found


def end_descendants(pid: int, spared: set[int]) -> None:
    """Ends every process below ``pid`` but ``spared``: first gently, then by force."""
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    _send(signal.SIGTERM, descendants(pid) - spared)
    while left := descendants(pid) - spared:
        if time.monotonic() > deadline:
            _send(signal.SIGKILL, left)
        time.sleep(0.05)


def memory_bytes(pids: set[int]) -> int:
    """Returns the memory of processes; of what several share, each one's part."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
    return total


def _send(sign: signal.Signals, pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
