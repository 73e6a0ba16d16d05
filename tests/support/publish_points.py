"""Ends or stops a worker while it writes a part file.

``install`` hooks a process by what its environment says; tests/support/crash_hook lets every Python
process do so that a test starts. In each folder the first execution to reach the point is hit.

``PUBLISH_AT``      one of ``POINTS``
``PUBLISH_SIGNAL``  what it sends itself there: ``SIGKILL`` or ``SIGSTOP``
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

#: Nothing is written; some of it is; all of it, aside; it has its name; and is to be told.
POINTS = ("before", "within", "written", "placed", "after")

#: Files in a folder that tell who was hit there, and that it came further; hidden from patterns.
_HIT, _WENT_ON = ".hit", ".went-on"


def hit_in(folder: Path) -> int:
    """Returns the process that was hit in a folder, or 0."""
    file = folder / _HIT
    return int(file.read_text() or 0) if file.exists() else 0


def went_on_in(folder: Path) -> bool:
    """Whether the process that was stopped in a folder has written its file, or given it up."""
    return (folder / _WENT_ON).exists()


def install() -> None:
    """Hooks this process, if its environment asks for it."""
    if at := os.environ.get("PUBLISH_AT"):
        _hook(at, signal.Signals[os.environ["PUBLISH_SIGNAL"]])


def _hook(at: str, number: signal.Signals) -> None:
    from amr.storage import publish

    write, put_in_place = publish._publish_file, publish._put_in_place

    def reach(point: str, path: str) -> None:
        if point == at and _claims(Path(path).parent):
            os.kill(os.getpid(), number)

    def hooked_write(path: str, parts: Iterable[bytes], create_only: bool) -> Any:
        try:
            reach("before", path)
            written = write(path, told(path, parts), create_only)
            reach("after", path)
            return written
        finally:
            if hit_in(Path(path).parent) == os.getpid():
                (Path(path).parent / _WENT_ON).touch()

    def hooked_put_in_place(aside: Path, path: str, create_only: bool) -> bool:
        reach("written", path)
        is_ours = put_in_place(aside, path, create_only)
        reach("placed", path)
        return is_ours

    def told(path: str, parts: Iterable[bytes]) -> Iterator[bytes]:
        for part in parts:
            yield part
            reach("within", path)

    publish._publish_file = hooked_write
    publish._put_in_place = hooked_put_in_place


def _claims(folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(folder / _HIT, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return False
    os.write(file, str(os.getpid()).encode())
    os.close(file)
    return True
