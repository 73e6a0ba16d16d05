"""From a job's description to a job: create, append in chunks, seal.

Mapping begins while later chunks are still being sent. Every step may be repeated: a submission
that was cut goes on where it stopped when it is made again with the same id.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from amr import wire
from amr.admission import Admission
from amr.errors import (
    JobConflictError,
    JobSpecError,
    OverloadedError,
    Problem,
    UnconfirmedError,
    UnknownJobError,
    UsageError,
)
from amr.inputs import encode_input, make_bodies, make_chunks
from amr.jobspec.fields import Tolerate
from amr.jobspec.job import JobSpec
from amr.jobspec.sources import FunctionSource, OutputsSource, Source
from amr.sources.expand import OutputsOf
from amr.storage.info import SourceError
from amr.store.durability import Confirmation, Confirmer
from amr.store.link import Call, Link
from amr.store.replies import Code, Reply
from amr.store.transitions import JobRecord, Transitions

#: Tasks that are ended sooner than this have no backups: they would only be ended twice.
_BACKUP_FROM_S = 5.0

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ID_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Submission:
    """What came of submitting a job.

    Attributes:
        job: its id.
        created: False when the same job had been submitted before.
        total: inputs it has.
    """

    job: str
    created: bool
    total: int


def submit(
    link: Link,
    transitions: Transitions,
    spec: JobSpec,
    job: str | None = None,
    inputs: Iterable[Any] | None = None,
    most_bytes: Callable[[], int] = lambda: wire.MAX_BODY_BYTES,
    confirmer: Confirmer | None = None,
    admission: Admission | None = None,
    outputs_of: OutputsOf = lambda _: (),
    new_id: str | None = None,
) -> Submission:
    """Makes a job of a description.

    Args:
        link: a connection.
        transitions: of the stream.
        spec: what to do.
        job: the id. The same id and content give the same job; without one a new id is made.
        inputs: take the place of ``spec.inputs``; read once, a chunk at a time.
        most_bytes: tells the bytes an input may have; asked when there is a large one.
        confirmer: confirms the job at its durability; without one it is not confirmed.
        admission: says whether there is room for the job; without one there is.
        outputs_of: gives the outputs of another job, where they are inputs of this one.
        new_id: what ``new_job_id`` made, where it had to be known before.

    Raises:
        JobConflictError: the id belongs to a job with other content.
        JobSpecError: an input is too large, or is not JSON; mapping of those before may have begun,
            and the job is cancelled.
        UsageError: the id has characters that are not allowed.
        OverloadedError: there is no room for it; nothing is left of it.
        RedisUnsuitableError: Redis cannot give the durability; nothing was sent.
        UnconfirmedError: too few have acknowledged the job; the same call with its id confirms it.
    """
    if inputs is not None:
        spec = spec.model_copy(update={"inputs": []})
    fresh = job is None
    # The id of a job that cannot be asked for again tells its content apart as well.
    repeatable = not fresh or spec.durability != "memory"
    digest = _digest(spec) if repeatable else ""
    job = (new_id or new_job_id(spec)) if job is None else checked_job_id(job)
    record = _record(spec, digest or job)
    confirmation = confirmer.confirmation(job, spec.durability) if confirmer else None
    sender = _Sender(link, transitions, job, spec, record, confirmation, admission)
    if not fresh and not sender.create():
        sender.confirm()
        return Submission(job, False, sender.appended)
    if isinstance(spec.inputs, FunctionSource):
        return sender.wait_for_inputs(transitions.ask(job))
    if isinstance(spec.inputs, OutputsSource):
        return sender.wait_for_inputs(transitions.follow(job, spec.inputs.job))
    bodies, expected = make_bodies(spec, inputs, outputs_of)
    try:
        return sender.send(make_chunks(bodies, most_bytes), expected)
    except SourceError as error:
        sender.cancel()
        raise JobSpecError([Problem("$.inputs", str(error))]) from None
    except JobSpecError:
        sender.cancel()
        raise
    except OverloadedError:
        sender.withdraw()
        raise


def checked_job_id(job: str) -> str:
    """Returns the id if it may name a job.

    Raises:
        UsageError: it may not.
    """
    if _JOB_ID.fullmatch(job):
        return job
    shown = ascii(job[:40])
    raise UsageError(
        f"job id {shown}: 1 to 128 letters, digits, '.', '_' and '-' are allowed, "
        "and the first is a letter or digit"
    )


class _Sender:
    """Sends one job."""

    def __init__(
        self,
        link: Link,
        transitions: Transitions,
        job: str,
        spec: JobSpec,
        record: JobRecord,
        confirmation: Confirmation | None,
        admission: Admission | None,
    ) -> None:
        self._link = link
        self._transitions = transitions
        self._job = job
        self._creates = [transitions.create(job, record)]
        self._follows: list[Call] = []
        self._jobs = [job]
        for name, following in _following(job, spec):
            self._creates.append(transitions.create(name, _record(following, _digest(following))))
            self._follows.append(transitions.follow(name, self._jobs[-1]))
            self._jobs.append(name)
        self._confirmation = confirmation
        self._admission = admission
        self._is_new = False
        self._to_create = True
        self.appended = 0

    def create(self) -> bool:
        """Creates the job, or finds it; False when there is nothing left to send."""
        replies: list[Reply] = self._link.run_all(self._creates)
        self._to_create = False
        codes = {job: reply.code for job, reply in zip(self._jobs, replies, strict=True)}
        taken = [job for job, code in codes.items() if code is Code.CONFLICT]
        if taken:
            self._remove([job for job, code in codes.items() if code is Code.CREATED])
            raise JobConflictError(taken[0])
        self._link.run_all(self._follows)
        reply = replies[0]
        if reply.code is Code.CREATED:
            self._is_new = True
            return True
        is_open, self.appended = reply.values
        return bool(is_open)

    def send(self, chunks: Iterator[list[bytes]], expected: int) -> Submission:
        """Appends what is not there yet, and seals. A small new job takes one round trip.

        Args:
            chunks: of inputs.
            expected: how many inputs there will be; 0 where that is not known.
        """
        calls: list[Call] = []
        offset = 0
        for chunk in chunks:
            if not offset:
                self._admit(chunk, max(expected, len(chunk)))
            elif calls and self._flush(calls) is Code.GONE:
                break
            calls += self._opening()
            if offset + len(chunk) > self.appended:
                calls.append(self._transitions.append(self._job, offset, chunk))
            offset += len(chunk)
        calls += self._opening()
        calls.append(self._transitions.seal(self._job, offset))
        self.confirm(calls)
        return Submission(self._job, self._is_new, offset)

    def wait_for_inputs(self, call: Call) -> Submission:
        """Lets a worker make the inputs; ``call`` says of what.

        Raises:
            UnknownJobError: they are of a job that is not there.
        """
        calls = [*self._opening(), call]
        replies = self.confirm(calls)
        if replies[len(calls) - 1].code is Code.NOTHING:
            self.withdraw()
            raise UnknownJobError(str(call.arguments[-1]))
        return Submission(self._job, self._is_new, 0)

    def withdraw(self) -> None:
        """Leaves nothing of a job that this submission began and cannot complete."""
        if self._is_new:
            self._remove(self._jobs)

    def cancel(self) -> None:
        """Ends the job and those that follow it, the last one first."""
        self._link.run_all([self._transitions.cancel(job) for job in reversed(self._jobs)])

    def _remove(self, jobs: Sequence[str]) -> None:
        ends = [(self._transitions.cancel(j), self._transitions.prune(j, 0.0)) for j in jobs]
        self._link.run_all([call for calls in reversed(ends) for call in calls])

    def _admit(self, first: list[bytes], expected: int) -> None:
        """Checks that there is room, judging the size of all inputs by that of the first ones."""
        if self._admission is not None:
            mean_bytes = sum(map(len, first)) / len(first)
            self._admission.admit(expected, round(mean_bytes * expected))

    def _opening(self) -> list[Call]:
        """Returns the calls that create the job and those behind it, the first time."""
        if not self._to_create:
            return []
        self._to_create = False
        self._is_new = True
        return [*self._creates, *self._follows]

    def confirm(self, calls: Sequence[Call] = ()) -> list[Reply]:
        """Sends the calls, the last of which seals the job, and confirms the job with them.

        Returns their replies.
        """
        confirmation = self._confirmation
        more = confirmation.calls if confirmation else ()
        replies = self._link.run_all([*calls, *more])
        if confirmation is None or not more:
            return replies
        what = f"job {self._job} was submitted"
        retry = f"invoke again with the same --id {self._job}"
        if calls and replies[len(calls) - 1].code is Code.GAP:
            raise UnconfirmedError(self._job, f"{what}, but Redis lost a part of it: {retry}")
        confirmation.check(replies[-len(more) :], what, retry)
        return replies

    def _flush(self, calls: list[Call]) -> Code:
        """Sends the calls, empties the list and returns the last one's code."""
        reply: Reply = self._link.run_all(calls)[-1]
        calls.clear()
        if self._admission is not None:
            self._admission.go_on()
        return reply.code


def _following(job: str, spec: JobSpec) -> Iterator[tuple[str, JobSpec]]:
    """Yields the names and descriptions of the jobs of a chain behind its first one."""
    before, number = job, 2
    while spec.then is not None:
        spec, name = spec.then.after(before), f"{job}.{number}"
        yield name, spec
        before, number = name, number + 1


def _record(spec: JobSpec, digest: str) -> JobRecord:
    header = spec.header()
    reduce = header.pop("reduce", {})
    policy = spec.on_failure
    return JobRecord(
        spec=orjson.dumps(header),
        reduce=wire.dumps(reduce),
        digest=digest,
        reducer=spec.reducer is not None,
        max_attempts=spec.retry.max_attempts,
        reduce_attempts=spec.retry_of("reduce").max_attempts,
        concurrency=spec.concurrency,
        policy="tolerate" if isinstance(policy, Tolerate) else policy,
        tolerance=policy.fraction if isinstance(policy, Tolerate) else 0.0,
        ttl_ms=max(1, round(spec.ttl_s * 1000)),
        deadline_ms=0 if spec.deadline_s is None else max(1, round(spec.deadline_s * 1000)),
        rate="" if spec.rate is None else spec.rate,
        branches="" if spec.reduce_tree is None else spec.reduce_tree,
        partitions=0 if spec.shuffle is None else spec.shuffle.partitions,
        backup=spec.backup and (spec.timeout_s is None or spec.timeout_s >= _BACKUP_FROM_S),
        skip_most="" if spec.skip_bad_records is None else spec.skip_bad_records,
    )


def _digest(spec: JobSpec) -> str:
    """Returns what tells two contents under one id apart; of a source, how it is described."""
    digest = hashlib.sha256(orjson.dumps(spec.header(), option=orjson.OPT_SORT_KEYS))
    inputs = () if isinstance(spec.inputs, Source) else spec.inputs
    for index, value in enumerate(inputs):
        digest.update(encode_input(index, value))
        digest.update(b"\n")
    return digest.hexdigest()


def new_job_id(spec: JobSpec) -> str:
    """Returns a new id that begins with the job's name, so that people can tell jobs apart."""
    slug = re.sub(r"[^a-z0-9]+", "-", spec.display_name.lower()).strip("-")[:40].strip("-")
    random = "".join(secrets.choice(_ID_LETTERS) for _ in range(8))
    return f"{slug or 'job'}-{random}"
