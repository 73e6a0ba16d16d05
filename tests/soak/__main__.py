"""Runs a soak: ``SOAK_MINUTES`` (5) and ``SOAK_SEED`` (random) in the environment."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from amr.client import Client
from amr.errors import AmrError, UsageError
from amr.job_handle import Job
from amr.states import JobState
from tests.soak.plan import PlannedJob, make_plan
from tests.soak.report import count_executions, percentile, read_runs, recovery_times_s
from tests.soak.world import World
from tests.support.fault_case import FaultCase
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.trigger_process import KeptTrigger
from tests.support.wait import wait_for

FUNCTIONS = Path(__file__).parent / "functions"
LEASE_S = 2.0
TRIGGERS = 3
#: Seconds after its deadline in which a job has to end: no fault lasts as long.
LATE_S = 15.0
#: Seconds in which everything has to end once no more faults come.
DRAIN_S = 180.0


def main() -> int:
    """Returns the exit status: 0 when every promise was kept."""
    minutes = float(os.environ.get("SOAK_MINUTES", "5"))
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**6))
    print(
        f"seed {seed}, {minutes:g} minutes: SOAK_SEED={seed} SOAK_MINUTES={minutes:g}", flush=True
    )
    with tempfile.TemporaryDirectory(prefix="amr-soak-") as name, ExitStack() as stack:
        folder = Path(name)
        server = RedisServer(folder, append_only=True).start()
        stack.callback(server.kill)
        proxy = stack.enter_context(Proxy(server.target.with_stream("soak")))
        target = server.target.with_stream("soak")
        case = stack.enter_context(FaultCase(target, folder, FUNCTIONS, late_s=LATE_S))
        urls = [proxy.target.url(), *[target.url()] * (TRIGGERS - 1)]
        triggers = [case.trigger(url=url, kind=KeptTrigger) for url in urls]
        wait_for(lambda: len(case.client.fleet.live_workers()) == 2 * TRIGGERS, 30)
        plan = make_plan(seed, minutes * 60, name)
        world = World(server, proxy, list(triggers))
        _carry_out(plan.jobs, plan.faults, case, world)
        world.heal()
        violation = _check(case, plan.jobs)
        runs = read_runs(triggers[0].record_file)
        executions = count_executions(runs, plan.jobs, world.injected)
        _print_figures(plan.jobs, world, executions, recovery_times_s(runs, world.injected))
        if executions.extra > executions.allowed and not violation:
            violation = f"I6: {executions.extra} extra executions, {executions.allowed} allowed"
        print(f"violations: {int(bool(violation))}" + (f"\n{violation}" if violation else ""))
        if violation and (kept := os.environ.get("SOAK_KEEP")):
            os.system(f"cp -r {name} {kept}")
        return int(bool(violation))


def _carry_out(jobs, faults, case: FaultCase, world: World) -> None:  # type: ignore[no-untyped-def]
    """Does jobs and faults at their times."""
    started = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        handled = []
        for planned in sorted([*jobs, *faults], key=lambda each: each.at_s):
            time.sleep(max(0.0, started + planned.at_s - time.monotonic()))
            if isinstance(planned, PlannedJob):
                case.expect(case.client.job(planned.id), planned.result, state=planned.state)
                handled.append(pool.submit(_handle, planned, case))
            else:
                world.inject(planned)
        for each in handled:
            each.result()


def _handle(planned: PlannedJob, case: FaultCase) -> None:
    """Submits a job, again after an error, and does to it what is planned."""
    with Client(case.target) as client:
        for attempt in range(5):
            try:
                job = client.invoke(planned.document, id=planned.id)
                break
            except AmrError:
                if attempt == 4:
                    raise
        if planned.then:
            _control(planned, job)


def _control(planned: PlannedJob, job: Job) -> None:
    # It may have ended meanwhile; cancelled ones do not end by themselves.
    with suppress(UsageError):
        if planned.then == "pause":
            job.pause()
            time.sleep(0.5)
            job.resume()
        elif planned.then == "update":
            job.update(concurrency=3, rate=500)
        elif planned.then == "cancel":
            time.sleep(1.0)
            job.cancel()
    if planned.then == "redrive":
        wait_for(lambda: job.status().state is JobState.FAILED, DRAIN_S, "the failure")
        Path(planned.document["inputs"][0]["until"]).touch()
        job.redrive()


def _check(case: FaultCase, jobs: list[PlannedJob]) -> str:
    """Returns what was not as promised, or an empty string."""
    case.costs(sys.maxsize)  # executions are counted here, against what ran at each fault
    try:
        case.check(within_s=DRAIN_S)
    except (AssertionError, AmrError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _print_figures(jobs, world, executions, recovery) -> None:  # type: ignore[no-untyped-def]
    print(f"jobs {len(jobs)}, tasks {sum(job.tasks for job in jobs)}")
    counts = Counter(fault.kind for fault in world.injected)
    print(f"faults {len(world.injected)}: " + ", ".join(f"{k} {n}" for k, n in counts.items()))
    print(
        f"executions {executions.made}, extra {executions.extra} "
        f"({executions.allowed} calls ran when a fault hit their process)"
    )
    for kind, times in recovery.items():
        told = f"p50 {percentile(times, 50):.2f} s, p95 {percentile(times, 95):.2f} s"
        print(f"recovery after {kind}: {told} ({len(times)} tasks, lease {LEASE_S:g} s)")


if __name__ == "__main__":
    sys.exit(main())
