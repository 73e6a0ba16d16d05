"""amr: an asynchronous MapReduce over Redis Streams.

``amr.run`` runs a job on a private Redis; ``Client`` and ``AsyncClient`` invoke jobs on a deployed
trigger. Names are resolved at first use, so that importing amr costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amr.async_client import AsyncClient, AsyncJob
    from amr.client import Client
    from amr.errors import (
        AmrError,
        FunctionsError,
        JobCancelledError,
        JobConflictError,
        JobEndedError,
        JobFailedError,
        JobSpecError,
        OverloadedError,
        PartNotReadyError,
        PermanentError,
        Problem,
        RedisUnavailableError,
        RedisUnsuitableError,
        RetryLater,
        SettingsError,
        TaskError,
        TaskTimeoutError,
        UnconfirmedError,
        UnknownJobError,
        UsageError,
        WaitTimeoutError,
    )
    from amr.invokers.context import Context
    from amr.job_control import Redriven
    from amr.job_handle import Job
    from amr.jobspec.job import JobSpec
    from amr.local_run import run
    from amr.report.details import JobDetails
    from amr.report.error_groups import ErrorGroup
    from amr.report.stages import StageStatus
    from amr.report.stragglers import Straggler
    from amr.report.task_details import Execution, TaskDetails, TaskOutput
    from amr.report.workers import RunningTask, WorkerStatus
    from amr.result_stream import StreamedResult
    from amr.states import JobState
    from amr.store.events import Event
    from amr.store.status import FailedTask, JobStatus

__version__ = "0.1.0"

_HOMES = {
    "amr.async_client": ("AsyncClient", "AsyncJob"),
    "amr.client": ("Client",),
    "amr.job_control": ("Redriven",),
    "amr.job_handle": ("Job",),
    "amr.errors": (
        "AmrError",
        "FunctionsError",
        "JobCancelledError",
        "JobConflictError",
        "JobEndedError",
        "JobFailedError",
        "JobSpecError",
        "OverloadedError",
        "PartNotReadyError",
        "PermanentError",
        "Problem",
        "RedisUnavailableError",
        "RedisUnsuitableError",
        "RetryLater",
        "SettingsError",
        "TaskError",
        "TaskTimeoutError",
        "UnconfirmedError",
        "UnknownJobError",
        "UsageError",
        "WaitTimeoutError",
    ),
    "amr.invokers.context": ("Context",),
    "amr.jobspec.job": ("JobSpec",),
    "amr.local_run": ("run",),
    "amr.result_stream": ("StreamedResult",),
    "amr.states": ("JobState",),
    "amr.report.details": ("JobDetails",),
    "amr.report.error_groups": ("ErrorGroup",),
    "amr.store.events": ("Event",),
    "amr.report.stages": ("StageStatus",),
    "amr.store.status": ("FailedTask", "JobStatus"),
    "amr.report.stragglers": ("Straggler",),
    "amr.report.task_details": ("Execution", "TaskDetails", "TaskOutput"),
    "amr.report.workers": ("RunningTask", "WorkerStatus"),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 - in the order of a reader's interest
    "run",
    "Client",
    "Job",
    "AsyncClient",
    "AsyncJob",
    "JobSpec",
    "JobStatus",
    "JobState",
    "JobDetails",
    "StageStatus",
    "Straggler",
    "WorkerStatus",
    "RunningTask",
    "TaskDetails",
    "TaskOutput",
    "Execution",
    "FailedTask",
    "ErrorGroup",
    "StreamedResult",
    "Redriven",
    "Event",
    "Context",
    "AmrError",
    "UsageError",
    "JobSpecError",
    "Problem",
    "FunctionsError",
    "SettingsError",
    "UnknownJobError",
    "JobConflictError",
    "RedisUnavailableError",
    "RedisUnsuitableError",
    "OverloadedError",
    "JobEndedError",
    "JobFailedError",
    "JobCancelledError",
    "WaitTimeoutError",
    "PartNotReadyError",
    "UnconfirmedError",
    "TaskError",
    "PermanentError",
    "RetryLater",
    "TaskTimeoutError",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'amr' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
