"""How a command ends: exit codes, and what an interrupt is."""

from __future__ import annotations

from typing import NoReturn

OK = 0
FAILED = 1  #: the job failed or was cancelled, or a check found something
USAGE = 2  #: the command line, job.json or a setting is wrong
UNREACHABLE = 3  #: Redis cannot be reached or must not be used
WAIT_TIMED_OUT = 124
INTERRUPTED = 130


class Interrupted(BaseException):
    """Ctrl-C. Not KeyboardInterrupt, which the command-line library would answer itself."""


def interrupt(*_: object) -> NoReturn:
    """Handles SIGINT."""
    raise Interrupted
