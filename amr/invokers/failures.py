"""What is said of an attempt that failed: in one line, and in the user's part of the traceback."""

from __future__ import annotations

import sysconfig
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from amr.errors import PermanentError, RetryLater, TaskTimeoutError
from amr.task import Failure
from amr.wire import NotJsonError

_MESSAGE_MOST = 4096
_TRACEBACK_MOST = 16_384
_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))
_OWN_CODE = str(Path(__file__).parents[1])


class HttpError(Exception):
    """An HTTP function answered with an error.

    Args:
        message: what it answered.
        status: HTTP status, or 0 when there was none.
        permanent: asking again is pointless.
        retry_after_s: seconds the endpoint asked for.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        permanent: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.permanent = permanent
        self.retry_after_s = retry_after_s

    @property
    def type(self) -> str:
        """How the error is called in lists."""
        return f"HTTP {self.status}" if self.status else "HTTP"


def note_call(error: BaseException, *, function: str = "", where: str = "") -> None:
    """Notes on an error which function of a chain, or which record or key, it came from."""
    with suppress(AttributeError):
        if function:
            error.amr_function = function  # type: ignore[attr-defined]
        if where:
            error.amr_where = where  # type: ignore[attr-defined]


def describe_failure(error: BaseException, function: str) -> Failure:
    """Returns what is kept of ``error``, which a call of ``function`` ended with.

    The message names the function, and the file and line of the user's code where it broke.
    Errors after which more attempts are pointless are marked: ``PermanentError``, output that is
    not JSON, a function that cannot be imported or called, an HTTP status that says so.
    """
    frames = _user_frames(error.__traceback__)
    function = getattr(error, "amr_function", function)
    line = _line(frames)
    part = getattr(error, "amr_where", "")
    place = (f" ({line})" if line else "") + (f", {part}" if part else "")
    kind = error.type if isinstance(error, HttpError) else type(error).__name__
    text = _text(error)
    message = text if text.startswith(function) else f"{function}: {text}"
    return Failure(
        type=kind,
        message=_cut(f"{message}{place}", _MESSAGE_MOST).replace("\n", " "),
        traceback=_cut(_format(error, frames), _TRACEBACK_MOST),
        permanent=_is_permanent(error),
        retry_after_s=_retry_after_s(error),
        timed_out=isinstance(error, TaskTimeoutError),
        where=line or function,
    )


def _is_permanent(error: BaseException) -> bool:
    if isinstance(error, HttpError):
        return error.permanent
    return isinstance(error, (PermanentError, NotJsonError))


def _retry_after_s(error: BaseException) -> float | None:
    if isinstance(error, RetryLater):
        return max(0.0, float(error.delay_s))
    return error.retry_after_s if isinstance(error, HttpError) else None


def _text(error: BaseException) -> str:
    """Returns the error's own words; an error whose words cannot be had is still an error."""
    try:
        text = str(error).strip()
    except Exception as broken:
        text = f"(its text cannot be read: {type(broken).__name__})"
    if isinstance(error, SystemExit):
        return f"called sys.exit({text})"
    return text or "raised without a message"


def _user_frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    """Returns the frames below amr's own: those of the user's code and what it called."""
    frames = list(traceback.extract_tb(trace))
    while frames and _is_own(frames[-1].filename):
        frames.pop()
    callers = [at for at, frame in enumerate(frames) if _is_own(frame.filename)]
    return frames[callers[-1] + 1 :] if callers else frames


def _line(frames: list[traceback.FrameSummary]) -> str:
    """Returns file and line of the last frame that is of no library."""
    own = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""


def _is_own(filename: str) -> bool:
    return filename.startswith((_OWN_CODE, "<frozen importlib"))


def _format(error: BaseException, frames: list[traceback.FrameSummary]) -> str:
    if not frames:
        return ""
    try:
        last = "".join(traceback.format_exception_only(error))
    except Exception:
        last = type(error).__name__
    return "".join(traceback.format_list(frames)) + last


def _cut(text: str, most: int) -> str:
    text = text.encode("utf-8", errors="replace").decode()
    return text if len(text) <= most else text[:most] + "…"
