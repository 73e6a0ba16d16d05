"""Maps the records of a task one by one, and goes on without those that cannot be mapped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from amr import wire
from amr.errors import PermanentError
from amr.invokers.base import Function
from amr.invokers.context import Context
from amr.invokers.failures import describe_failure, note_call
from amr.jobspec.job import JobSpec
from amr.sources.records import RecordReader
from amr.sources.splits import read_split
from amr.stages.reading import reading_redis

#: Counter of the records that were met, bad ones included.
RECORDS = "amr.records"

_SHOWN_BYTES = 2048

#: Gives the records of a task that were given up after they had killed their workers.
SkippedOf = Callable[[str, int], set[int]]

Made = TypeVar("Made")


class RecordByRecord:
    """Calls a mapper for each record; on the last attempt one that fails is put aside.

    Which record is being mapped stands in memory that the supervisor reads, so that one that kills
    its worker is known as well.

    Args:
        spec: the job, which has ``skip_bad_records``.
        mapper: its mapper.
        skipped_of: tells which records killed their workers for good.
    """

    def __init__(self, spec: JobSpec, mapper: Function, skipped_of: SkippedOf) -> None:
        self._spec = spec
        self._mapper = mapper
        self._skipped_of = skipped_of

    def map(self, body: bytes, context: Context, make: Callable[[Any], Made]) -> Iterator[Made]:
        """Yields what ``make`` makes of the outputs of a sync mapper."""
        for record, read in self._records(body, context):
            try:
                yield make(self._mapper.call(read(), context))
            except Exception as error:
                self._put_aside(error, record, read, context)

    async def map_async(
        self, body: bytes, context: Context, make: Callable[[Any], Made]
    ) -> list[Made]:
        """Returns the same of an async mapper."""
        made = []
        for record, read in self._records(body, context):
            try:
                made.append(make(await self._mapper.call_async(read(), context)))
            except Exception as error:
                self._put_aside(error, record, read, context)
        return made

    def _records(self, body: bytes, context: Context) -> Iterator[tuple[int, Callable[[], Any]]]:
        """Yields the position of each record that is to be mapped, and what reads it."""
        task = context.task
        with reading_redis():
            known = self._skipped_of(task.job, task.index) if task.suspect else set()
        at = -1
        for at, read in enumerate(_readers(body)):
            if at in known:
                continue
            context.record = at
            context.mark(at)
            yield at, read
        context.count(RECORDS, at + 1)

    def _put_aside(
        self, error: Exception, record: int, read: Callable[[], Any], context: Context
    ) -> None:
        """Keeps the error of a record that is given up; raises it while there are attempts left."""
        note_call(error, where=f"record {record}")
        is_last = context.attempt >= self._spec.retry.max_attempts
        if not is_last and not isinstance(error, (PermanentError, wire.NotJsonError)):
            raise error
        failure = describe_failure(error, self._mapper.name)
        told = {"type": failure.type, "message": failure.message, "where": failure.where}
        context.skip(record, wire.dumps({**told, "input": _shown(read)}))


def _readers(body: bytes) -> Iterator[Callable[[], Any]]:
    """Yields what reads each record of a task: a broken one breaks when it is read."""
    value = wire.loads(body)
    if isinstance(value, dict):
        reader = RecordReader(read_split(value))
        yield from (partial(reader.value, raw) for raw in reader.raws())
    else:
        yield from (partial(_itself, record) for record in value)


def _itself(record: Any) -> Any:
    return record


def _shown(read: Callable[[], Any]) -> Any:
    """Returns a record, if it can be read and is not large."""
    try:
        value = read()
        return value if len(wire.dumps(value)) <= _SHOWN_BYTES else None
    except (PermanentError, wire.NotJsonError):
        return None
