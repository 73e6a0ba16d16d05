"""Every error amr raises on purpose.

AmrError
├── UsageError                 what was asked for is wrong; nothing was changed
│   ├── JobSpecError           job.json is wrong: every mistake, each with its path
│   ├── FunctionsError         the functions directory or functions.toml is wrong
│   ├── SettingsError          an option, variable, URL or amr.toml is wrong
│   ├── UnknownJobError        no job has this id
│   └── JobConflictError       the id is taken by a job with other content
├── RedisUnavailableError      Redis cannot be reached, or refuses us
│   ├── RedisUnsuitableError   Redis answers, but must not be used as it is set up
│   └── OverloadedError        there is no room for another job at the moment
├── JobEndedError              the job ended without a result
│   ├── JobFailedError
│   └── JobCancelledError
├── WaitTimeoutError           the wait ran out; the job goes on
├── PartNotReadyError          this part of the result is not done; the job goes on
├── UnconfirmedError           too few acknowledged a write; nothing is undone
└── TaskError                  one attempt failed, and the reason is known
    ├── PermanentError         more attempts are pointless
    ├── RetryLater             try again, not before a given time
    └── TaskTimeoutError       the attempt ran past its limit
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class AmrError(Exception):
    """Base of every error that amr raises on purpose."""


class UsageError(AmrError):
    """What was asked for is wrong; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a document.

    Attributes:
        path: where, as a JSON path such as ``$.retry.backoff``.
        message: what was found and what is allowed.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class JobSpecError(UsageError):
    """job.json is wrong; ``problems`` holds every mistake, each with its path."""

    def __init__(self, problems: Sequence[Problem], source: str = "job.json") -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class FunctionsError(UsageError):
    """The functions directory or its functions.toml is wrong."""


class SettingsError(UsageError):
    """An option, an environment variable, a Redis URL or amr.toml is wrong."""


class UnknownJobError(UsageError):
    """No job has this id: it never existed, or its time to live is over."""

    def __init__(self, job: str) -> None:
        self.job = job
        super().__init__(
            f"no job {job!r} on this stream: it was never invoked, or its result has expired; "
            "`amr list` shows the jobs there are"
        )


class JobConflictError(UsageError):
    """The id belongs to a job with other content."""

    def __init__(self, job: str) -> None:
        self.job = job
        super().__init__(f"job {job!r} exists with another content; give the new job another --id")


class RedisUnavailableError(AmrError):
    """Redis cannot be reached, or refuses this connection."""


class RedisUnsuitableError(RedisUnavailableError):
    """Redis answers, but is too old or set up in a way that would lose results."""


class OverloadedError(RedisUnavailableError):
    """Redis, or the stream, has no room for another job at the moment; nothing was submitted."""


class JobEndedError(AmrError):
    """The job ended without a result."""

    def __init__(self, job: str, message: str) -> None:
        self.job = job
        super().__init__(message)


class JobFailedError(JobEndedError):
    """The job failed; the message says on which task and why."""


class JobCancelledError(JobEndedError):
    """The job was cancelled."""


class WaitTimeoutError(AmrError):
    """The job had not ended when the wait ran out; it goes on."""

    def __init__(self, job: str, timeout_s: float) -> None:
        self.job = job
        super().__init__(
            f"job {job} has not ended after {timeout_s:g} s; it goes on: `amr status {job}`"
        )


class PartNotReadyError(AmrError):
    """The part of the result that was asked for is not done; the job goes on."""

    def __init__(self, job: str, part: int, progress: str) -> None:
        self.job = job
        self.part = part
        super().__init__(
            f"part {part:,} of job {job} is not done: {progress}; "
            f"`amr result {job} --part {part} --wait`"
        )


class UnconfirmedError(AmrError):
    """Too few acknowledged a write for the durability asked for; nothing is undone.

    Attributes:
        job: id of the job. The same call again confirms it.
    """

    def __init__(self, job: str, message: str) -> None:
        self.job = job
        super().__init__(f"unconfirmed: {message}")


class TaskError(AmrError):
    """One attempt of a task failed, and the reason is known."""


class PermanentError(TaskError):
    """Raise it in a function when more attempts are pointless: the task fails at once."""


class RetryLater(TaskError):  # noqa: N818 - it reads as what it asks for
    """Raise it in a function to be called again, not before ``delay_s`` seconds from now."""

    def __init__(self, delay_s: float, message: str = "asked to be tried again later") -> None:
        self.delay_s = delay_s
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.delay_s, *self.args)


class TaskTimeoutError(TaskError):
    """The attempt ran past its limit."""
