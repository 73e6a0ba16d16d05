"""RQ: https://python-rq.org/docs/ (job dependencies) and https://python-rq.org/docs/workers/"""

from __future__ import annotations

from typing import Any, ClassVar

import redis
from rq import Queue, get_current_job

from benchmarks.peers import functions
from benchmarks.peers.interface import BLOCKING, Peer, redis_url

_TIMEOUT_S = 3600


def call(mapper: str, body: Any) -> Any:
    return getattr(functions, mapper)(body)


def reduce_all(reducer: str) -> Any:
    job = get_current_job()
    assert job is not None
    outputs = [dependency.return_value() for dependency in job.fetch_dependencies()]
    return functions.reduced(reducer, outputs)


class Rq(Peer):
    """A job that depends on all others and reads their results; they are enqueued with
    `enqueue_many`. A worker pool of 2 workers of the default class, which forks for each job."""

    libraries: ClassVar = ("rq", "redis")
    survives_client: ClassVar = True
    functions: ClassVar = BLOCKING
    worker_class: ClassVar = "rq.worker.Worker"

    def start(self) -> None:
        options = ("--worker-class", self.worker_class, "--logging-level", "WARNING")
        size = ("--num-workers", str(self.place.workers))
        self.launch("rq", "worker-pool", "--url", redis_url(), *size, *options)
        # The client blocks for the result; redis-py 8 would end that after some seconds.
        self._queue = Queue(connection=redis.from_url(redis_url(), socket_timeout=None))

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        data = [Queue.prepare_data(call, (mapper, body), timeout=_TIMEOUT_S) for body in inputs]
        jobs = self._queue.enqueue_many(data)
        last = self._queue.enqueue(reduce_all, reducer, depends_on=jobs, job_timeout=_TIMEOUT_S)
        result = last.latest_result(timeout=_TIMEOUT_S)
        if result is None or result.type is not result.Type.SUCCESSFUL:
            raise RuntimeError(f"the reducer ended with {result and result.exc_string}")
        return result.return_value


class RqSimple(Rq):
    """The same with SimpleWorker, which runs jobs in its own process."""

    worker_class: ClassVar = "rq.worker.SimpleWorker"
