"""The name of every Redis key. All keys of a stream share its hash tag: a script has one slot."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

PREFIX = "amr"

#: The consumer group of every task stream.
GROUP = "amr"

#: Keys that a stream has once. Name in the scripts' headers -> ending of the key, Redis type.
STREAM_KEYS = {
    "stream": ("", "STREAM"),  # one entry a task on its way to a worker
    "delayed": (":delayed", "ZSET"),  # retry -> the time it is due, in ms
    "workers": (":workers", "ZSET"),  # worker -> the end of its lease, in ms
    "triggers": (":triggers", "HASH"),  # trigger -> what it told of itself at its last heartbeat
    "jobs": (":jobs", "ZSET"),  # every job that has data -> its creation, in ms
    "active": (":active", "ZSET"),  # every job that has not ended -> its creation, in ms
    "epoch": (":epoch", "STRING"),  # counts what workers must know of jobs in their hands
    "quarantine": (":quarantine", "STREAM"),  # entries that are not ours to understand
}

#: Keys that each job has. Name in the scripts' headers -> ending of the key, Redis type.
JOB_KEYS = {
    "job": ("", "HASH"),  # spec, state, counts, times
    "inputs": (":inputs", "LIST"),  # every input; those at and behind the count `fed` wait
    "gathered": (":gathered", "LIST"),  # what the source task has made so far
    "inflight": (":inflight", "HASH"),  # task -> its entry, attempts and more
    "outputs": (":outputs", "HASH"),  # index -> output
    "runs": (":runs", "HASH"),  # "partition:index:n" -> sorted groups of keys and values
    "skipped": (":skipped", "HASH"),  # "index:record" -> the error of a record that was given up
    "failures": (":failures", "HASH"),  # index -> "attempts error"
    "redriven": (":redriven", "HASH"),  # "index version" -> the failure that version ended with
    "followers": (":followers", "SET"),  # jobs whose inputs are what this one gives
    "counters": (":counters", "HASH"),  # name -> what the functions counted
    "tree": (":tree", "HASH"),  # node -> how many of its children have an outcome
    "partials": (":partials", "HASH"),  # node -> what its children were merged to
    "events": (":events", "STREAM"),  # the job's life: created, progress, retries, failures, end
    "log": (":log", "STREAM"),  # lines that the functions printed or logged
    "results": (
        ":results",
        "HASH",
    ),  # version -> the reducer's output; a redrive makes the next one
}


#: Begins the name of a key of another job, in a script's header.
OTHER = "other_"


class Keys:
    """The keys of one stream, such as ``amr:{inputs}`` for the stream ``inputs``."""

    def __init__(self, stream: str) -> None:
        self.base = f"{PREFIX}:{{{stream}}}"
        self._stream_keys = {
            name: (self.base + ending).encode() for name, (ending, _) in STREAM_KEYS.items()
        }
        self.of_job = lru_cache(maxsize=4096)(self._of_job)

    def stream_key(self, name: str) -> bytes:
        """Returns the key that the stream has once under ``name`` of STREAM_KEYS."""
        return self._stream_keys[name]

    def job_key(self, name: str, job: str) -> bytes:
        """Returns the key that ``job`` has under ``name`` of JOB_KEYS."""
        return f"{self.base}:job:{job}{JOB_KEYS[name][0]}".encode()

    def _of_job(self, names: Sequence[str], job: str, other: str = "") -> tuple[bytes, ...]:
        """Returns the keys a script names in its header, in that order, for ``job``.

        Names that begin with ``other_`` are of another job.
        """
        return tuple(self._key(name, job, other) for name in names)

    def _key(self, name: str, job: str, other: str) -> bytes:
        if name in STREAM_KEYS:
            return self._stream_keys[name]
        if name.startswith(OTHER):
            return self.job_key(name.removeprefix(OTHER), other)
        return self.job_key(name, job)
