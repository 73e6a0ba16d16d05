"""A job's results as they come: what its map tasks give, or its partitions."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from amr.errors import UnknownJobError
from amr.session import Session
from amr.store.connection import redis_errors
from amr.store.events import Event
from amr.store.status import JobStatus

#: Results that one look is for.
WINDOW = 1000

#: Seconds between two looks.
_POLL_S = 0.2

#: Bytes that one request should bring, judged by what the last one brought.
_BYTES_AT_ONCE = 8 << 20
#: Results that a request is for while nothing is known of their size.
_FIRST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class StreamedResult:
    """One result of a job, given as soon as it was there.

    Attributes:
        output: what the task gave; of a job that writes files what is told of its part.
        index: of the map task; None where the job has a reducer.
        part: number of the partition; None where the job has no shuffle.
    """

    output: Any
    index: int | None = None
    part: int | None = None


class Arrivals:
    """Finds numbered results, each once, in about the order in which they come.

    A look is for the lowest ``WINDOW`` that have not come: it costs the same whatever their number,
    and late ones hold up none of those behind them, until they are as many. Dead tasks would be so
    in time: when the window is full of late ones, the dead are put aside.

    Args:
        fetch: returns results by their numbers, None for those that are not there.
        are_dead: tells of each number whether its task has failed for good.
    """

    def __init__(
        self,
        fetch: Callable[[Sequence[int]], list[bytes | None]],
        are_dead: Callable[[Sequence[int]], list[bool]],
    ) -> None:
        self._fetch = fetch
        self._are_dead = are_dead
        self._next = 0  # the first number that was never looked for
        self._open: list[int] = []  # the numbers before it that have not come, in order
        self._dead = array("q")  # and those that were put aside
        self._at_once = _FIRST_AT_ONCE

    def new(self, total: int) -> Iterator[tuple[int, bytes]]:
        """Yields number and result of what has come since, of the first ``total``."""
        while True:
            window = self._take_window(total)
            missing: list[int] = []
            at = 0
            while at < len(window):
                numbers = window[at : at + self._at_once]
                at += len(numbers)
                found = self._fetch(numbers)
                self._note_size([result for result in found if result is not None])
                for number, result in zip(numbers, found, strict=True):
                    if result is None:
                        missing.append(number)
                    else:
                        yield number, result
            self._open[:0] = missing
            if len(missing) == len(window) and not self._put_dead_aside():
                return

    def take_dead_back(self) -> None:
        """Looks for those that were put aside as well: a redrive may have mended them."""
        self._open = sorted([*self._open, *self._dead])
        self._dead = array("q")

    def _take_window(self, total: int) -> list[int]:
        window = self._open[:WINDOW]
        del self._open[:WINDOW]
        fresh = range(self._next, max(self._next, min(total, self._next + WINDOW - len(window))))
        self._next = fresh.stop
        return [*window, *fresh]

    def _put_dead_aside(self) -> bool:
        """Makes room in a full window; says whether there was anything to put aside."""
        window = self._open[:WINDOW]
        if len(window) < WINDOW:
            return False
        told = list(zip(window, self._are_dead(window), strict=True))
        self._open[:WINDOW] = [number for number, is_dead in told if not is_dead]
        self._dead.extend(number for number, is_dead in told if is_dead)
        return any(is_dead for _, is_dead in told)

    def _note_size(self, results: Sequence[bytes]) -> None:
        if results:
            mean_bytes = sum(map(len, results)) / len(results)
            self._at_once = int(min(WINDOW, max(1, _BYTES_AT_ONCE / mean_bytes)))


class ResultStream:
    """The results of one job until its end, each as a line of JSON.

    Args:
        session: of the stream that has the job.
        job: its id.
        status_of: tells where it stands, or raises UnknownJobError.
    """

    def __init__(self, session: Session, job: str, status_of: Callable[[], JobStatus]) -> None:
        self._session = session
        self._inspector = session.inspector
        self._job = job
        self._status_of = status_of
        self._status = status_of()
        self._arrivals = self._from_the_start()

    def lines(self) -> Generator[bytes, None, JobStatus]:
        """Yields ``{"index", "output"}`` or ``{"part", "output"}``; returns the job's end.

        Of a job whose reducer is called once there are none.

        Raises:
            UnknownJobError: its data was deleted meanwhile.
        """
        created_ms = self._status.created_ms
        with self._session.reading(self._job, lines=False) as reader:
            reader.new()  # what has happened so far is in the status
            while True:
                self._status = self._status_of()
                if self._status.created_ms != created_ms:
                    raise UnknownJobError(self._job)  # another job has its id
                if not self._status.live:
                    self._arrivals.take_dead_back()
                with redis_errors(self._session.target):
                    yield from self._new_lines()
                # Where it was redriven or deleted just now, what was found is not all.
                if not self._status.live and self._status_of() == self._status:
                    return self._status
                reader.wait_for_end(_POLL_S, self._note)

    def _new_lines(self) -> Iterator[bytes]:
        if self._status.partitions:
            for part, output in self._arrivals.new(self._status.partitions):
                yield b'{"part":%d,"output":%b}' % (part, output)
        elif not self._status.has_reducer:
            for index, output in self._arrivals.new(self._status.total):
                yield b'{"index":%d,"output":%b}' % (index, output)

    def _note(self, event: Event) -> None:
        """Begins anew where a redrive of map tasks makes the partitions again."""
        mends_maps = event.kind == "redriven" and event.fields.get("tasks") != "0"
        if mends_maps and self._status.partitions:
            self._arrivals = self._from_the_start()

    def _from_the_start(self) -> Arrivals:
        return Arrivals(self._fetch, lambda indexes: self._inspector.are_dead(self._job, indexes))

    def _fetch(self, numbers: Sequence[int]) -> list[bytes | None]:
        if self._status.partitions:
            return self._inspector.result_parts(self._job, numbers, self._status.version)
        return self._inspector.outputs_at(self._job, numbers)
