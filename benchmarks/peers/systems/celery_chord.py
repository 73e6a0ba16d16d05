"""Celery: https://docs.celeryq.dev/en/stable/userguide/canvas.html#chords"""

from __future__ import annotations

from typing import Any, ClassVar

from celery import Celery, chain, chord

from benchmarks.peers import functions
from benchmarks.peers.interface import (
    BLOCKING,
    WAITS_AT_A_TIME,
    Peer,
    by_workload,
    redis_url,
)

app = Celery(__name__, broker=redis_url("redis+socket"), backend=redis_url("redis+socket"))
app.conf.worker_prefetch_multiplier = by_workload(4, computing=1, waiting=1)


@app.task
def call(mapper: str, body: Any) -> Any:
    return getattr(functions, mapper)(body)


@app.task
def reduce_all(outputs: list[Any], reducer: str) -> Any:
    return functions.reduced(reducer, outputs)


@app.task
def reduce_one(output: Any, reducer: str) -> Any:
    return functions.reduced(reducer, [output])


class CeleryChord(Peer):
    """A chord, JSON, Redis as broker and result backend, the result with
    `get(follow_parents=False)`; a chord of one task is the chain that Celery makes of it. A prefork
    pool of 2 as the user guide advises for computation, with a prefetch multiplier of 1 for long
    tasks; for waits 2 workers with gevent pools, as it advises for I/O."""

    libraries: ClassVar = ("celery", "redis", "gevent")
    survives_client: ClassVar = True
    functions: ClassVar = BLOCKING

    def start(self) -> None:
        pools = by_workload(
            [("prefork", self.place.workers)],
            computing=[("prefork", self.place.workers)],
            waiting=[("gevent", WAITS_AT_A_TIME)] * self.place.workers,
        )
        for number, (pool, size) in enumerate(pools):
            options = ("-P", pool, "-c", str(size), "-n", f"worker{number}@%h")
            self.launch("celery", "-A", __name__, "worker", *options, "--loglevel", "warning")

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        calls = [call.s(mapper, body) for body in inputs]
        if len(calls) == 1:
            result = chain(calls[0], reduce_one.s(reducer)).apply_async()
        else:
            result = chord(calls)(reduce_all.s(reducer))
        return result.get(follow_parents=False)
