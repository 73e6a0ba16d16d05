"""Ends a process before or after one of its Redis calls; finds out which calls there are.

``install`` hooks a process by what its environment says; tests/support/crash_hook lets every Python
process do so that a test starts, and those that these start. A new call needs no line here.

``CRASH_RECORD``  file to which each call's place is added, the first times that it is reached
``CRASH_AT``      the point at which the process ends, as ``str`` of it
``CRASH_DONE``    file that tells that it was reached; what runs then goes on
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]

#: Times that one process reaches a place that are points of their own.
OCCURRENCES = 2

#: What the status of a process tells that ended at its point.
STATUS = 137

_ROLES = (("amr.mapper_trigger", "worker"), ("trigger", "supervisor"))


class Point(NamedTuple):
    """One place to end at.

    Attributes:
        role: ``worker``, ``supervisor``, or the command that a client runs.
        thread: name of the thread.
        calls: the scripts and commands of one round trip.
        occurrence: which time in the life of the process, from 1.
        side: ``before`` the calls are sent or ``after`` their answers have come.
    """

    role: str
    thread: str
    calls: str
    occurrence: int
    side: str

    def __str__(self) -> str:
        return "|".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> Point:
        """Returns the point that ``str`` wrote."""
        role, thread, calls, occurrence, side = text.strip().split("|")
        return cls(role, thread, calls, int(occurrence), side)


def environment(**variables: str) -> dict[str, str]:
    """Returns variables for processes that are to be hooked."""
    path = os.pathsep.join([str(ROOT / "tests" / "support" / "crash_hook"), str(ROOT)])
    return os.environ | {"PYTHONPATH": path} | variables


def read_record(file: Path) -> list[Point]:
    """Returns every point that was recorded, once."""
    return sorted({Point.parse(line) for line in file.read_text().splitlines()})


def install() -> None:
    """Hooks this process, if its environment asks for it."""
    record, at = os.environ.get("CRASH_RECORD"), os.environ.get("CRASH_AT")
    if not record and not at:
        return
    hook = _Hook(record, Point.parse(at) if at else None, os.environ.get("CRASH_DONE", ""))
    _hook_links(hook)
    _hook_clients(hook)


class _Hook:
    """Counts how often each place is reached, and ends the process at one."""

    def __init__(self, record: str | None, at: Point | None, done: str) -> None:
        self._record = record
        self._at = at
        self._done = done
        self._seen: Counter[tuple[str, str]] = Counter()
        arguments = " ".join(sys.orig_argv)
        roles = [role for word, role in _ROLES if word in arguments]
        after_module = sys.orig_argv[sys.orig_argv.index("-m") + 2 :] if "-m" in arguments else []
        self._role = (roles or after_module or ["other"])[0]

    def reach(self, calls: str) -> int:
        """Counts one round trip; returns which one of its kind it is."""
        key = threading.current_thread().name, calls
        self._seen[key] += 1
        return self._seen[key]

    def pass_by(self, calls: str, occurrence: int, side: str) -> None:
        """Records the place, or ends here."""
        if occurrence > OCCURRENCES:
            return
        point = Point(self._role, threading.current_thread().name, calls, occurrence, side)
        if self._record:
            file = os.open(self._record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(file, f"{point}\n".encode())
            os.close(file)
        if point == self._at:
            try:
                os.close(os.open(self._done, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
            os._exit(STATUS)


def _hook_links(hook: _Hook) -> None:
    from amr.store import link

    names = {script.sha: name for name, script in link.SCRIPTS.items()}
    send, receive = link.Link._send, link.Link._receive

    def label(calls: Sequence[link.Call]) -> str:
        found = []
        for call in calls:
            command, *rest = call.arguments
            name = names[rest[0]] if command == "EVALSHA" else str(command)
            if name not in found:
                found.append(name)
        return "+".join(found)

    def hooked_send(self: Any, calls: Sequence[link.Call]) -> None:
        place = label(calls)
        self.place = place, hook.reach(place)
        hook.pass_by(*self.place, "before")
        send(self, calls)

    def hooked_receive(self: Any, count: int, timeout_s: float) -> list[Any]:
        replies = receive(self, count, timeout_s)
        hook.pass_by(*self.place, "after")
        return replies

    link.Link._send = hooked_send  # type: ignore[method-assign]
    link.Link._receive = hooked_receive  # type: ignore[method-assign]


def _hook_clients(hook: _Hook) -> None:
    """Hooks redis-py's own client, which a few places use."""
    import redis

    execute: Callable[..., Any] = redis.Redis.execute_command

    def hooked(self: Any, *arguments: Any, **options: Any) -> Any:
        place = str(arguments[0])
        occurrence = hook.reach(place)
        hook.pass_by(place, occurrence, "before")
        reply = execute(self, *arguments, **options)
        hook.pass_by(place, occurrence, "after")
        return reply

    redis.Redis.execute_command = hooked  # type: ignore[method-assign]
