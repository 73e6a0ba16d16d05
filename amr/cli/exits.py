"""How a command ends: exit codes, and the two ways in which others end it."""

from __future__ import annotations

import signal
from typing import NoReturn

OK = 0
FAILED = 1  #: the job failed or was cancelled, or a check found something
USAGE = 2  #: the command line, job.json or a setting is wrong
UNREACHABLE = 3  #: Redis cannot be reached or must not be used
WAIT_TIMED_OUT = 124
INTERRUPTED = 130

#: What is added to a signal's number to make the exit code of a command that it ended.
_SIGNAL_BASE = 128


class Interrupted(BaseException):
    """A signal asks us to end. Not KeyboardInterrupt, which the command-line library would answer.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.code = _SIGNAL_BASE + number


class ReaderGone(BaseException):
    """Whoever read our output has closed it; the library would call that a failure."""


def interrupt(number: int, _: object = None) -> NoReturn:
    """Handles a signal. The next ones are ignored, so that they do not break the clean-up off."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is interrupt:
            # Not SIG_IGN: Python complains of one that is pending already, and children inherit it.
            signal.signal(each, _ignore)
    raise Interrupted(number)


def _ignore(*_: object) -> None:
    """Handles a signal by doing nothing."""


def clean_up_on_any_signal() -> None:
    """Lets SIGTERM and the terminal's end unwind the command as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
