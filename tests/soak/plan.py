"""What a soak does and when: a pure function of the seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from amr.states import JobState
from amr.task import count_nodes

_DEADLINE = "30m"
_RETRY = {"max_attempts": 60, "backoff": "50ms", "max_backoff": "500ms"}

#: Faults, how often they come beside each other, and the quiet seconds after each.
FAULTS = {
    "kill-worker": (6, 4.0),
    "kill-trigger": (2, 7.0),
    "stop-worker": (2, 6.0),
    "stop-trigger": (2, 6.0),
    "restart-redis": (2, 3.0),
    "kill-redis": (2, 3.0),
    "freeze-redis": (2, 3.0),
    "cut": (3, 1.0),
    "black-hole": (2, 4.0),
    "flush-scripts": (3, 0.5),
    "kill-clients": (3, 1.0),
}


#: Faults whose recovery is timed, and the quiet seconds that come before them for it.
TIMED = ("kill-worker", "kill-trigger")
QUIET_S = 4.0


@dataclass(frozen=True)
class PlannedFault:
    """One fault: at which second, what, and a number that chooses its victim and length."""

    at_s: float
    kind: str
    chance: float


@dataclass(frozen=True)
class PlannedJob:
    """One job: at which second, what, and how it must end.

    Attributes:
        tasks: map tasks, merges and reduce task.
        meant: executions beyond one a task that its functions mean to need.
        then: what is done to it after the submission: nothing, ``cancel``, ``pause`` (and resume),
            ``update`` or ``redrive``.
    """

    at_s: float
    id: str
    document: dict[str, Any]
    result: Any
    state: JobState
    tasks: int
    meant: int = 0
    then: str = ""


@dataclass
class Plan:
    """Everything that a soak does."""

    seed: int
    seconds: float
    folder: str
    jobs: list[PlannedJob] = field(default_factory=list)
    faults: list[PlannedFault] = field(default_factory=list)


def make_plan(seed: int, seconds: float, folder: str, jobs_per_s: float = 1.5) -> Plan:
    """Returns the plan of a seed.

    Args:
        seed: of every choice.
        seconds: for which jobs and faults come.
        folder: for files that the functions look at.
        jobs_per_s: jobs a second, on the average.
    """
    rng = random.Random(seed)
    plan = Plan(seed, seconds, folder)
    at_s = 0.0
    while (at_s := at_s + rng.expovariate(jobs_per_s)) < seconds:
        plan.jobs.append(_make_job(rng, at_s, f"soak-{len(plan.jobs)}", folder))
    at_s = 3.0
    kinds, weights = list(FAULTS), [weight for weight, _ in FAULTS.values()]
    while at_s < seconds:
        kind = rng.choices(kinds, weights)[0]
        if kind in TIMED:
            at_s += QUIET_S
        plan.faults.append(PlannedFault(at_s, kind, rng.random()))
        at_s += FAULTS[kind][1] + rng.uniform(0.0, 2.0)
    return plan


def _make_job(rng: random.Random, at_s: float, id: str, folder: str) -> PlannedJob:
    make: Callable[..., PlannedJob] = rng.choice(_KINDS)
    return make(rng, at_s, id, folder)


def _bodies(rng: random.Random, count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"number": n, "seconds": rng.uniform(0.0, 0.05), **more} for n in range(count)]


def _document(mapper: str, bodies: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"mapper": mapper, "inputs": bodies, "retry": _RETRY, "deadline": _DEADLINE, **more}


def _plain(rng: random.Random, at_s: float, id: str, _folder: str) -> PlannedJob:
    count = rng.randrange(0, 120)
    mapper = rng.choice(["soak.work", "soak.wait"])
    more: dict[str, Any] = {"reducer": "soak.total"} if rng.random() < 0.7 else {}
    if rng.random() < 0.3:
        more |= {"concurrency": rng.randrange(1, 8)}
    if rng.random() < 0.2:
        more |= {"rate": "200/s"}
    merges = 0
    if "reducer" in more and rng.random() < 0.5:
        branches = rng.randrange(2, 9)
        more |= {"reduce_tree": branches}
        merges = count_nodes(count, branches)
    outputs = [2 * n for n in range(count)]
    then = rng.choice(["", "", "pause", "update"])
    result = sum(outputs) if "reducer" in more else outputs
    document = _document(mapper, _bodies(rng, count), **more)
    tasks = count + merges + ("reducer" in more)
    return PlannedJob(at_s, id, document, result, JobState.SUCCEEDED, tasks, then=then)


def _retried(rng: random.Random, at_s: float, id: str, _folder: str) -> PlannedJob:
    bodies = _bodies(rng, rng.randrange(1, 30), fails=rng.randrange(1, 3))
    document = _document("soak.work", bodies, reducer="soak.total")
    result = sum(2 * n for n in range(len(bodies)))
    meant = sum(body["fails"] for body in bodies)
    return PlannedJob(at_s, id, document, result, JobState.SUCCEEDED, len(bodies) + 1, meant)


def _later(rng: random.Random, at_s: float, id: str, folder: str) -> PlannedJob:
    bodies = _bodies(rng, rng.randrange(1, 20), folder=folder)
    result = [2 * n for n in range(len(bodies))]
    count = len(bodies)
    document = _document("soak.later", bodies)
    return PlannedJob(at_s, id, document, result, JobState.SUCCEEDED, count, count)


def _collected(rng: random.Random, at_s: float, id: str, _folder: str) -> PlannedJob:
    bodies = _bodies(rng, 40)
    for body in bodies[::10]:
        body["dead"] = True
    policy: Any = rng.choice(["collect", {"tolerate": 0.2}])
    result = sum(2 * n for n in range(40) if n % 10)
    document = _document("soak.work", bodies, reducer="soak.total", on_failure=policy)
    return PlannedJob(at_s, id, document, result, JobState.SUCCEEDED, 41)


def _failing(rng: random.Random, at_s: float, id: str, _folder: str) -> PlannedJob:
    bodies = _bodies(rng, 30)
    bodies[rng.randrange(30)]["dead"] = True
    document = _document("soak.wait", bodies, reducer="soak.total")
    return PlannedJob(at_s, id, document, None, JobState.FAILED, 31)


def _redriven(rng: random.Random, at_s: float, id: str, folder: str) -> PlannedJob:
    bodies = _bodies(rng, 30)
    for body in bodies[::15]:
        body["until"] = f"{folder}/{id}.fixed"
    document = _document("soak.work", bodies, reducer="soak.total", on_failure={"tolerate": 0.03})
    result = sum(2 * n for n in range(30))
    return PlannedJob(at_s, id, document, result, JobState.SUCCEEDED, 31, 30, then="redrive")


def _cancelled(rng: random.Random, at_s: float, id: str, _folder: str) -> PlannedJob:
    bodies = [{"number": n, "seconds": 600.0} for n in range(4)]
    document = _document("soak.wait", bodies)
    return PlannedJob(at_s, id, document, None, JobState.CANCELLED, 4, then="cancel")


def _too_late(rng: random.Random, at_s: float, id: str, _folder: str) -> PlannedJob:
    bodies = [*_bodies(rng, 5), {"number": 5, "seconds": 600.0}]
    document = _document("soak.wait", bodies, deadline="4s")
    return PlannedJob(at_s, id, document, None, JobState.FAILED, 6)


_KINDS = (
    _plain,
    _plain,
    _plain,
    _retried,
    _later,
    _collected,
    _failing,
    _redriven,
    _cancelled,
    _too_late,
)
