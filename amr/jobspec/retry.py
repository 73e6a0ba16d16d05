"""How often tasks are attempted: ``retry`` of job.json."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from amr.jobspec import fields
from amr.jobspec.fields import NOT_GIVEN, Check
from amr.jobspec.objects import SpecObject

_Duration = Annotated[float, Check(fields.duration, fields.DURATION_SCHEMA)]


class RetryPolicy(SpecObject):
    """How often a task is attempted, and how long to wait in between (with full jitter).

    The wait before attempt n + 1 is drawn from 0 to ``backoff_s * 2 ** (n - 1)``, at most
    ``max_backoff_s``.
    """

    model_config = ConfigDict(
        json_schema_extra={"description": "Attempts of a task: exponential backoff, full jitter."}
    )

    max_attempts: Annotated[int, fields.whole_number(1, 100)] = Field(
        default=4, description="Most attempts of one task, the first included."
    )
    backoff_s: _Duration = Field(
        default="1s",
        alias="backoff",
        validate_default=True,
        description="Longest wait before the second attempt; it doubles with each one after.",
    )
    max_backoff_s: Annotated[float, Check(fields.max_backoff, fields.DURATION_SCHEMA)] = Field(
        default_factory=lambda: NOT_GIVEN,
        alias="max_backoff",
        description="Longest wait before any attempt: 60s, or backoff where that is longer.",
        json_schema_extra={"default": "60s"},
    )

    def header(self) -> dict[str, Any]:
        """Returns the object as job.json has it, with durations in seconds."""
        return {
            "max_attempts": self.max_attempts,
            "backoff": self.backoff_s,
            "max_backoff": self.max_backoff_s,
        }
