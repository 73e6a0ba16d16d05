"""Every state change as a typed method: one a script, each returning a ``Call``.

Calls are sent by a ``Link``, several in one round trip where that helps. Each may be repeated after
a lost answer; the header of its script says what the second call gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Literal, NamedTuple

from amr.store.keys import Keys
from amr.store.link import SCRIPTS, Argument, Call, script_call
from amr.task import Task

Blame = Literal["running", "idle", "unknown"]


class JobRecord(NamedTuple):
    """What the record of a new job holds.

    Attributes:
        spec: the job's description without inputs and reduce, as JSON.
        reduce: the body of the reducer, as JSON.
        digest: tells jobs with the same id and other content apart.
        reducer: whether the job has one.
        max_attempts: attempts a task has.
        concurrency: most map tasks in flight.
        policy: ``fail``, ``collect`` or ``tolerate``.
        tolerance: share of map tasks that may fail under ``tolerate``.
        ttl_ms: milliseconds the job's data lives after its end.
        deadline_ms: milliseconds the job may take, 0 for no limit.
        rate: most map tasks that begin in a second, or an empty string.
        partitions: reduce tasks of a shuffled job, 0 where there is no shuffle.
        backup: whether stragglers run a second time.
        skip_most: records that may be given up, or below 1 a share of them; an empty string where
            none is.
        reduce_attempts: attempts a reduce task or a merge has.
        branches: outputs or partial results that are merged at once; an empty string where only
            the reduce task sees them.
    """

    spec: bytes
    reduce: bytes
    digest: str
    reducer: bool
    max_attempts: int
    concurrency: int
    policy: str
    tolerance: float
    ttl_ms: int
    deadline_ms: int
    rate: float | str = ""
    partitions: int = 0
    backup: bool = True
    skip_most: float | str = ""
    branches: int | str = ""
    reduce_attempts: int = 4


class Done(NamedTuple):
    """One map task that succeeded.

    Attributes:
        task: the task.
        output: its output as JSON.
        counters: what it counted.
        runs: names and bytes of the runs of its pairs, where the job is shuffled.
        skipped: positions of records that were given up, and their errors as JSON.
    """

    task: Task
    output: bytes
    counters: dict[str, int] | None
    runs: Sequence[tuple[str, bytes]] = ()
    skipped: Sequence[tuple[int, bytes]] = ()


class Transitions:
    """The scripts of one stream."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def _call(self, name: str, job: str, arguments: Sequence[Argument], other: str = "") -> Call:
        script = SCRIPTS[name]
        return script_call(script, self._keys.of_job(script.keys, job, other), arguments)

    def create(self, job: str, record: JobRecord) -> Call:
        """A new job, or the same again. CREATED | EXISTS open appended | CONFLICT."""
        return self._call("create", job, _plain(record))

    def append(self, job: str, offset: int, inputs: Sequence[bytes]) -> Call:
        """More inputs, from position ``offset`` on. OK appended | GONE | SEALED | GAP appended."""
        return self._call("append", job, (offset, *inputs))

    def seal(self, job: str, total: int) -> Call:
        """The number of inputs becomes final. OK | GONE | GAP appended."""
        return self._call("seal", job, (total,))

    def ask(self, job: str) -> Call:
        """The inputs are what a function makes: a task for it is put on the stream. OK | GONE."""
        return self._call("ask", job, ())

    def follow(self, job: str, other: str) -> Call:
        """The inputs are what another job gives, once it has ended. OK | NOTHING | GONE."""
        return self._call("follow", job, (other,), other)

    def gather(self, task: Task, offset: int, items: Sequence[bytes]) -> Call:
        """Items of an attempt of the source task, from a position on. OK gathered | GAP | STALE."""
        return self._call("gather", task.job, (task.entry_id, offset, *items))

    def adopt(self, task: Task, total: int) -> Call:
        """What the source task gathered becomes the inputs. OK | GAP gathered | STALE | GONE."""
        return self._call("adopt", task.job, (task.entry_id, total))

    def commit(
        self, job: str, done: Sequence[Done], task_us: float, longest_us: float | None = None
    ) -> Call:
        """Outputs of map tasks of one job, at most a few hundred.

        Args:
            job: the job of all the tasks.
            done: the tasks and their outputs.
            task_us: microseconds of the worker's time that one of them took.
            longest_us: microseconds from start to end of the longest of them; the same if None.

        Returns:
            A call that reads OK accepted remaining workers | GONE.
        """
        tasks: list[Argument] = []
        for item in done:
            tasks += (item.task.index, item.task.entry_id, item.output)
        counted = [
            (position, name, increment)
            for position, item in enumerate(done)
            if item.counters
            for name, increment in item.counters.items()
        ]
        skipped = [
            (position, f"{item.task.index}:{record}", error)
            for position, item in enumerate(done)
            for record, error in item.skipped
        ]
        stored = [(position, *run) for position, item in enumerate(done) for run in item.runs]
        longest = task_us if longest_us is None else longest_us
        counts = (len(counted), len(stored), len(skipped))
        arguments: list[Argument] = [task_us, longest, *counts, *tasks]
        arguments += chain.from_iterable(chain(counted, stored, skipped))
        return self._call("commit", job, arguments)

    def fail(
        self,
        task: Task,
        *,
        error: bytes,
        summary: str,
        delay_s: float,
        permanent: bool,
        deferred: bool,
        timed_out: bool,
    ) -> Call:
        """An attempt failed. RETRY attempt | DEAD | STALE | GONE.

        Args:
            task: the attempted task.
            error: what is kept of the error, as JSON.
            summary: one line for people.
            delay_s: seconds until the next attempt, if there is one.
            permanent: more attempts are pointless.
            deferred: the function asked for a later time; that does not use an attempt up.
            timed_out: the attempt ran past its limit.
        """
        arguments = (task.entry_id, task.field, error, summary, round(delay_s * 1000))
        flags = (int(permanent), int(deferred), int(timed_out))
        return self._call("fail", task.job, (*arguments, *flags))

    def release(self, job: str, tasks: Sequence[Task]) -> Call:
        """Tasks of one job that were taken and not started go back. OK released."""
        return self._call("release", job, [x for t in tasks for x in (t.field, t.entry_id)])

    def recover(
        self,
        worker: str,
        task: Task,
        *,
        blame: Blame,
        alone: bool,
        error: bytes,
        summary: str,
        timed_out: bool,
        record: int | None = None,
    ) -> Call:
        """A task in the hands of a worker that is gone. REQUEUED attempt | DEAD | STALE | ALIVE.

        Args:
            worker: the worker whose lease has ended.
            task: what was pending for it.
            blame: what is known of the task when the worker died.
            alone: nothing else was pending for the worker.
            error: what is kept of the error when the task is out of attempts, as JSON.
            summary: one line for people.
            timed_out: the worker was killed because the task ran past its limit.
            record: position of the record that was being mapped, where that is known.
        """
        known = (blame, int(alone), "" if record is None else record)
        told = (error, summary, int(timed_out))
        arguments = (worker, task.entry_id, task.field, *known, *told)
        return self._call("recover", task.job, arguments)

    def forward(self, job: str, fields: Sequence[str]) -> Call:
        """Retries of one job whose time has come. OK forwarded."""
        return self._call("forward", job, fields)

    def sweep(self, job: str, cursor: int, older_s: float) -> Call:
        """A page of the tasks in flight is looked at for lost entries. OK cursor requeued | GONE.

        Args:
            job: an active job.
            cursor: 0 to begin with, then what the last page gave, until that is 0 again.
            older_s: entries younger than this many seconds are left alone.
        """
        return self._call("sweep", job, (cursor, round(older_s * 1000)))

    def backup(self, job: str, least_s: float) -> Call:
        """Stragglers at the end of a stage run a second time. OK begun | GONE.

        Args:
            job: an active job.
            least_s: seconds that a task has to run at least before.
        """
        return self._call("backup", job, (round(least_s * 1000),))

    def merge(
        self,
        task: Task,
        output: bytes,
        counters: dict[str, int] | None,
        took_us: float = 0.0,
    ) -> Call:
        """A partial result; it takes the place of what it was made of. OK | STALE | GONE."""
        arguments = (task.entry_id, task.index, took_us, output, *_flat(counters))
        return self._call("merge", task.job, arguments)

    def finish(
        self,
        task: Task,
        output: bytes,
        shown: bytes,
        counters: dict[str, int] | None,
        took_us: float = 0.0,
    ) -> Call:
        """A reduce task's output; ``shown`` is its start, for the events. OK | STALE | GONE."""
        arguments = (task.entry_id, task.index, took_us, output, shown, *_flat(counters))
        return self._call("finish", task.job, arguments)

    def cancel(self, job: str) -> Call:
        """Ends a job at once. OK | ENDED state | GONE."""
        return self._call("cancel", job, ())

    def pause(self, job: str) -> Call:
        """Nothing more of a job begins. OK | ENDED state | GONE."""
        return self._call("pause", job, ())

    def resume(self, job: str) -> Call:
        """A paused job goes on; sweep it after this. OK | ENDED state | GONE."""
        return self._call("resume", job, ())

    def update(self, job: str, concurrency: int | None, rate: float | None) -> Call:
        """Another concurrency or rate, each where it is given. OK | ENDED state | GONE.

        Args:
            job: a live job.
            concurrency: most map tasks in flight.
            rate: most map tasks that begin in a second; 0 for no limit.
        """
        values = ["" if value is None else value for value in (concurrency, rate)]
        return self._call("update", job, values)

    def redrive(self, job: str, fields: Sequence[str], chosen: int, more: bool) -> Call:
        """Dead letters run again; sweep the job after this.

        OK version moved | NOTHING | REMAIN dead | REDUCING | UNSEALED | ENDED state | GONE.

        Args:
            job: the job.
            fields: names of dead tasks in the failures hash, at most a few hundred.
            chosen: dead map tasks that all calls of this redrive name together.
            more: another call of this redrive follows.
        """
        return self._call("redrive", job, (chosen, int(more), *fields))

    def prune(self, job: str, older_s: float) -> Call:
        """Deletes a job that ended at least so long ago. OK | LIVE | YOUNG | GONE."""
        return self._call("prune", job, (round(older_s * 1000),))

    def expire(self, job: str, patience_s: float) -> Call:
        """Ends a job past its deadline, or without a word from its controller for ``patience_s``.

        OK | DEADLINE | ABANDONED | GONE.
        """
        return self._call("expire", job, (round(patience_s * 1000),))

    def confirm(self, job: str) -> Call:
        """A write for WAIT and WAITAOF to wait for. OK state | GONE."""
        return self._call("confirm", job, ())

    def drop(self, entries: Sequence[bytes]) -> Call:
        """Entries that no task stands behind leave the stream. OK."""
        return self._call("drop", "", entries)

    def quarantine(self, entry: bytes, reason: str, fields: Sequence[bytes]) -> Call:
        """An entry that is not ours to understand is kept for people. OK."""
        return self._call("quarantine", "", (entry, reason, *fields))

    def log(self, job: str, lines: Sequence[tuple[str, int, int, int, str, str]]) -> Call:
        """Lines of functions: stage, index, attempt, time in ms, level, text. OK | GONE."""
        return self._call("log", job, list(chain.from_iterable(lines)))

    def renew(self, trigger: str, facts: bytes, lease_s: float, workers: Sequence[str]) -> Call:
        """A trigger's heartbeat. OK lapsed."""
        return self._call("renew", "", (trigger, facts, round(lease_s * 1000), *workers))

    def retire(self, worker: str) -> Call:
        """A worker that is gone and holds nothing is forgotten. OK | ALIVE | HOLDS."""
        return self._call("retire", "", (worker,))


def _flat(counters: dict[str, int] | None) -> list[Argument]:
    """Returns names and increments in turn."""
    return list(chain.from_iterable((counters or {}).items()))


def _plain(record: JobRecord) -> list[Argument]:
    """Returns the record's values in the order of the script's arguments."""
    values: list[Argument] = list(record)
    return [int(value) if isinstance(value, bool) else value for value in values]
