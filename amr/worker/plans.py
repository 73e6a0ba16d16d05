"""What a worker knows of the jobs whose tasks it meets."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import orjson

from amr.errors import PermanentError
from amr.invokers.base import Invoker
from amr.invokers.registry import Registry
from amr.jobspec.job import JobSpec
from amr.jobspec.sources import FunctionSource, OutputsSource
from amr.stages.reducer import make_reducer
from amr.stages.shuffle_mapper import make_map_invoker
from amr.stages.source_caller import Follower, Gather, SourceCaller
from amr.stages.spilling import Spilling
from amr.stages.written import Written
from amr.storage.files import join_path
from amr.store.inspect import Inspector
from amr.task import REDUCING, Stage, store_folder_of
from amr.worker.pace import Pace

_MOST_JOBS = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """How the tasks of one stage of a job are run.

    Attributes:
        invoker: calls the function.
        timeout_s: seconds an attempt may take, or None.
    """

    invoker: Invoker
    timeout_s: float | None


@dataclass(slots=True)
class JobPlan:
    """One job as its tasks need it.

    Attributes:
        spec: its description.
        reduce: the reducer's body without inputs, as JSON.
        live: False once the job is known to have ended.
        paused: nothing of the job is to begin.
        redriven: it had ended, and goes on since a redrive.
        created_ms: tells it from an earlier job with the same id.
        folder: of the job's files in a store.
        steps: how the tasks of its stages are run, as far as they were met.
    """

    spec: JobSpec
    reduce: bytes
    live: bool
    paused: bool
    redriven: bool
    created_ms: int
    folder: str
    steps: dict[Stage, Step] = field(default_factory=dict)


class Plans:
    """The jobs that this worker has met, each read from the store once.

    Args:
        inspector: reads the store.
        registry: the functions this worker serves.
        pace: is told of each job that is met.
        gather: keeps what a source task has made.
        store: folder or URL for what is too large for Redis, where a job names none.
    """

    def __init__(
        self,
        inspector: Inspector,
        registry: Registry,
        pace: Pace,
        gather: Gather,
        store: str | None = None,
    ) -> None:
        self._gather = gather
        self._store = store
        self._pace = pace
        self._inspector = inspector
        self._registry = registry
        self._plans: OrderedDict[str, JobPlan] = OrderedDict()

    def find(self, job: str) -> JobPlan | None:
        """Returns the plan of a job, or None when there is no such job."""
        plan = self._plans.get(job)
        if plan is not None:
            return plan
        source = self._inspector.source(job)
        if source is None:
            return None
        spec = JobSpec.from_header(orjson.loads(source.spec))
        task_s = None if source.task_us is None else source.task_us / 1e6
        standing = source.standing
        folder = store_folder_of(job, standing.created_ms)
        flags = (standing.live, standing.paused, standing.redriven)
        plan = JobPlan(spec, source.reduce, *flags, standing.created_ms, folder)
        self._pace.met(task_s, source.remaining)
        self._plans[job] = plan
        while len(self._plans) > _MOST_JOBS:
            self._plans.popitem(last=False)
        return plan

    def step(self, plan: JobPlan, stage: Stage) -> Step:
        """Returns how to run the tasks of a stage; imports the function at the first call.

        Raises:
            PermanentError: the function is not known here, or cannot be imported.
        """
        step = plan.steps.get(stage)
        if step is None:
            step = plan.steps[stage] = self._make_step(plan, stage)
        return step

    def ended(self, job: str) -> None:
        """The job is known to have ended."""
        if job in self._plans:
            self._plans[job].live = False

    def refresh(self) -> None:
        """Asks the store which jobs have ended, were paused, or live again after a redrive."""
        plans = list(self._plans.items())
        standings = self._inspector.standings([job for job, _ in plans])
        for (job, plan), standing in zip(plans, standings, strict=True):
            if standing is None:
                plan.live = False
            elif standing.created_ms != plan.created_ms:
                self._plans.pop(job, None)  # another job has the id now
            else:
                plan.live, plan.paused = standing.live, standing.paused
                plan.redriven = standing.redriven

    def has_ended(self, job: str) -> bool:
        """Whether a job that was met is known to have ended."""
        plan = self._plans.get(job)
        return plan is not None and not plan.live

    def limit_s(self, job: str, stage: Stage) -> float | None:
        """Returns the seconds an attempt may take, of a job that was met; None for no limit."""
        plan = self._plans.get(job)
        step = plan.steps.get(stage) if plan else None
        return step.timeout_s if step else None

    def _make_step(self, plan: JobPlan, stage: Stage) -> Step:
        spec = plan.spec
        reducer = self._reducer
        make = {"source": self._source, "map": self._mapper, "merge": reducer, "reduce": reducer}
        invoker = make[stage](plan)
        is_last = stage == "reduce" or (stage == "map" and plan.spec.reducer is None)
        if plan.spec.output is not None and plan.spec.shuffle is None and is_last:
            invoker = Written(invoker, plan.spec)
        elif self._store is not None and _gives_outputs(spec, stage):
            folder = join_path(self._store, plan.folder)
            invoker = Spilling(invoker, spec.spill_bytes, folder)
        invoker.prepare()
        timeouts = (spec.timeout_of(stage), invoker.timeout_s)
        limits = [limit for limit in timeouts if limit is not None]
        return Step(invoker, min(limits, default=None))

    def _source(self, plan: JobPlan) -> Invoker:
        source = plan.spec.inputs
        if isinstance(source, OutputsSource):
            return Follower(plan.spec, source.job, self._inspector, self._gather)
        if not isinstance(source, FunctionSource):
            raise PermanentError("the job has no function that makes its inputs")
        function = self._registry.find(source.function)
        return SourceCaller(plan.spec, source, function, self._gather)

    def _mapper(self, plan: JobPlan) -> Invoker:
        return make_map_invoker(
            plan.spec, plan.folder, self._registry, self._inspector.skipped_of, self._store
        )

    def _reducer(self, plan: JobPlan) -> Invoker:
        return make_reducer(plan.spec, plan.reduce, self._registry, self._inspector)


def _gives_outputs(spec: JobSpec, stage: Stage) -> bool:
    """Whether tasks of a stage give values of functions, and not inputs or runs of pairs."""
    return stage in REDUCING or (stage == "map" and spec.shuffle is None)
