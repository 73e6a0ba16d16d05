"""Logging of amr's own processes: one line a record on stderr, floods held back.

Structured fields go in ``extra`` and are written behind the message as ``key=value``.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable

#: Attributes that every record has; whatever else one carries came in through ``extra``.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

#: Attribute of a record (given in ``extra``) that names the flood it belongs to.
RATE_KEY = "rate_key"

#: Message keys that are remembered; beyond it the oldest is forgotten.
_MAX_KEYS = 1000


def configure(verbose: bool | int = False) -> None:
    """Sends the log of this process to stderr, one line a record.

    Calling it again replaces what an earlier call set up.

    Args:
        verbose: True for DEBUG, False for INFO, or a level of :mod:`logging`.
    """
    level = verbose
    if isinstance(verbose, bool):
        level = logging.DEBUG if verbose else logging.INFO
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(handler)
    handler = _Handler(sys.stderr)
    handler.setFormatter(LineFormatter())
    handler.addFilter(RateLimited())
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("amr").setLevel(level)


class _Handler(logging.StreamHandler):  # type: ignore[type-arg] # not generic before 3.11 stubs
    """The handler of :func:`configure`, to be told from others'."""


class LineFormatter(logging.Formatter):
    """Writes a record as one line: time, level, name, message, fields, error.

    A traceback follows on lines of its own when the record's logger is at DEBUG.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(record.created))
        parts = [
            f"{moment}.{int(record.msecs):03d} {record.levelname:<7} {record.name}:",
            one_line(record.getMessage()),
            *(f"{key}={_field(value)}" for key, value in vars(record).items() if _is_extra(key)),
        ]
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            parts.append(f"error={_field(f'{type(error).__name__}: {error}')}")
        line = " ".join(parts)
        if record.exc_info and logging.getLogger(record.name).isEnabledFor(logging.DEBUG):
            line += "\n" + self.formatException(record.exc_info)
        return line


def one_line(text: str) -> str:
    """Returns ``text`` with control characters written as escapes, so that it stays one line."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


class RateLimited(logging.Filter):
    """Lets through at most one warning or error a second for each message key.

    The key is the record's ``rate_key`` (given in ``extra``), else its logger and its message
    before the arguments are put in. The next line that passes carries ``suppressed=N``. Records
    below WARNING always pass: they are progress, not floods. Fits a logger and a handler.

    Args:
        interval_s: seconds between two lines of one key.
        clock: tells the time in seconds.
    """

    def __init__(
        self, interval_s: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._interval_s = interval_s
        self._clock = clock
        self._lock = threading.Lock()
        self._floods: dict[object, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Says if the record may pass."""
        if record.levelno < logging.WARNING:
            return True
        key = getattr(record, RATE_KEY, None) or (record.name, record.msg)
        now = self._clock()
        with self._lock:
            passed_at, suppressed = self._floods.get(key, (None, 0))
            if passed_at is not None and now - passed_at < self._interval_s:
                self._floods[key] = (passed_at, suppressed + 1)
                return False
            self._floods.pop(key, None)
            self._floods[key] = (now, 0)
            if len(self._floods) > _MAX_KEYS:
                del self._floods[next(iter(self._floods))]
        if suppressed:
            record.suppressed = suppressed
        return True


def _is_extra(key: str) -> bool:
    return key not in _STANDARD and key != RATE_KEY


def _field(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and text and not any(char in text for char in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())
