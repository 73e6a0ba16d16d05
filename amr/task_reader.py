"""Puts together all that is to be told of one task of a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson

from amr.errors import UsageError
from amr.report.known_tasks import check_task
from amr.report.task_details import EarlierFailure, TaskDetails, TaskOutput, TaskState
from amr.report.task_facts import TaskFacts, read_facts, state_of
from amr.session import Session
from amr.shuffle.mapped import Table
from amr.storage.info import SourceError
from amr.storage.spilled import load_spilled, spilled_path
from amr.store.events import Event, Found, find_newest
from amr.store.status import JobStatus, read_failure
from amr.task import Stage, field_of, level_of, nodes_above, place_of, read_task
from amr.wording import quoted

#: Times that a task is looked at which moves on meanwhile.
_LOOKS_MOST = 3


class TaskReader:
    """Reads a task in a few calls, and a few more for the job's events and lines.

    Args:
        session: of the stream that has the job.
        job: job id.
        status: tells where the job stands.
    """

    def __init__(self, session: Session, job: str, status: Callable[[], JobStatus]) -> None:
        self._session = session
        self._job = job
        self._status = status

    def read(self, which: int | str) -> TaskDetails:
        """Returns what is known of the task that ``which`` names.

        Raises:
            UsageError: the job has no such task.
        """
        named = read_task(str(which))
        if named is None:
            raise UsageError(
                f"{quoted(str(which))} is no task: name a map task by its index, such as 37, or "
                "give reduce, reduce[2], merge[1.5] or source"
            )
        stage, index = named
        for _ in range(_LOOKS_MOST):
            status = self._status()
            check_task(status, stage, index)
            facts = self._facts(status, stage, index)
            state = state_of(status, stage, index, facts)
            if not facts.has_moved and state != "unknown":
                break
        return self._details(status, stage, index, state, facts)

    def _facts(self, status: JobStatus, stage: Stage, index: int) -> TaskFacts:
        session = self._session
        return read_facts(session.link, session.keys, session.fleet, status, stage, index)

    def _details(
        self, status: JobStatus, stage: Stage, index: int, state: TaskState, facts: TaskFacts
    ) -> TaskDetails:
        field, flight = field_of(stage, index), facts.flight
        failed = None if facts.failure is None else read_failure(field, facts.failure, None)
        is_open = flight is not None and failed is None
        history = self._find("events", lambda event: event.task == field)
        log = self._find("log", lambda event: event.task == field)
        entry = flight.entry.decode() if flight is not None and flight.had_entry else None
        skips = status.skipped > 0 and stage == "map"
        return TaskDetails(
            status=status,
            stage=stage,
            index=index,
            state=state,
            read_ms=facts.now_ms,
            attempt=failed.attempts if failed else flight.attempt if flight else None,
            max_attempts=facts.max_attempts,
            history=history.lines,
            log=log.lines,
            history_since_ms=history.since_ms,
            log_since_ms=log.since_ms,
            crashes=flight.crashes if flight else 0,
            deferrals=flight.deferrals if flight else 0,
            entry=entry,
            queued_ms=int(entry.partition("-")[0]) if entry else None,
            executions=facts.executions if is_open else (),
            due_ms=facts.due_ms if is_open else None,
            children_ended=facts.children_ended
            if stage == "merge" and state == "waiting"
            else None,
            ended_ms=_ended_ms(status, stage, state, history.lines),
            input=None if facts.body is None else orjson.loads(facts.body),
            output=self._output(status, stage, index, facts) if state == "done" else None,
            skipped=tuple(self._session.inspector.skipped(self._job, index)) if skips else (),
            error=failed.error if failed else None,
            earlier=tuple(_earlier(field, facts)),
        )

    def _find(self, name: str, wanted: Callable[[Event], bool]) -> Found:
        return find_newest(self._session.keys.job_key(name, self._job), self._session.link, wanted)

    def _output(
        self, status: JobStatus, stage: Stage, index: int, facts: TaskFacts
    ) -> TaskOutput | None:
        kept = facts.output
        if stage == "source":
            return TaskOutput("inputs", count=status.total)
        if kept is None:
            return TaskOutput("merged", into=_merged_into(status, stage, index))
        if not kept:
            return TaskOutput("nothing")
        if stage == "map" and status.partitions:
            return self._runs(kept)
        path = spilled_path(kept)
        try:
            whole = load_spilled(kept)
        except SourceError as error:
            return TaskOutput("value", path=path, missing=str(error))
        value = orjson.loads(whole)
        is_written = stage == "reduce" or (stage == "map" and not status.has_reducer)
        if is_written and status.writes_files:
            return TaskOutput(
                "file", count=value["outputs"], bytes=value["bytes"], path=value["path"]
            )
        return TaskOutput("value", value, bytes=len(whole), path=path)

    def _runs(self, output: bytes) -> TaskOutput:
        table = Table.load(output)
        runs = [parts for partition in table.runs for parts in partition]
        size = sum(part.length for parts in runs for part in parts)
        missing = None
        if table.file is None and runs and not self._session.inspector.has_runs(self._job):
            missing = "deleted when the last partition was reduced"
        return TaskOutput("runs", count=len(runs), bytes=size, path=table.file, missing=missing)


def _merged_into(status: JobStatus, stage: Stage, index: int) -> str:
    """Returns the merge right above a task whose output was merged away."""
    assert status.branches is not None
    node = next(nodes_above(*level_of(stage, index), status.total, status.branches))
    return place_of("merge", node)


def _earlier(field: str, facts: TaskFacts) -> list[EarlierFailure]:
    read = {version: read_failure(field, data, None) for version, data in facts.earlier.items()}
    return [EarlierFailure(version, one.attempts, one.error) for version, one in read.items()]


def _ended_ms(
    status: JobStatus, stage: Stage, state: TaskState, history: Sequence[Event]
) -> int | None:
    """Returns when a task ended, where something tells it."""
    if state == "failed" and stage == "map":
        return next((e.time_ms for e in reversed(history) if e.kind == "failed"), None)
    # The death of any other task ends its job, and so does the reduce task where there is but one.
    is_last = stage == "reduce" and state == "done" and status.partitions < 2
    return status.ended_ms if state == "failed" or is_last else None
