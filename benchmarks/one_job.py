"""One job on a Redis and workers of its own, as ``amr run`` has them, and what it used of them."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import redis

from amr.client import Client
from amr.local_run import LocalInstance
from amr.worker.order import Functions
from benchmarks.figures import Took, since, worker_pids

_ROOT = Path(__file__).parent.parent


class Ran(NamedTuple):
    """What a job gave and used.

    Attributes:
        result: of the job.
        job: what it took in the workers, from the submit call to the result.
        whole: what it took with the start and the end of Redis and workers.
        worker_bytes: resident memory of the largest worker at its peak.
        client_bytes: the same of this process, which submits the job and gets its result.
        redis_bytes: memory of Redis at its peak.
        traffic_bytes: what went to Redis and came from it.
        stored_bytes: of runs in files.
    """

    result: Any
    job: Took
    whole: Took
    worker_bytes: int
    client_bytes: int
    redis_bytes: int
    traffic_bytes: int
    stored_bytes: int


def load_job(name: str) -> dict[str, Any]:
    """Returns the description of one of the examples in ``jobs``."""
    job: dict[str, Any] = json.loads((_ROOT / "jobs" / name).read_text())
    return job


def run_job(job: dict[str, Any], functions: str, workers: int, folder: Path) -> Ran:
    """Runs a job of a shuffle.

    Args:
        job: its description.
        functions: directory of its functions, below the root of the repository.
        workers: processes.
        folder: below which the runs are kept that do not go into Redis.
    """
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    others = worker_pids()
    with tempfile.TemporaryDirectory(dir=folder) as store:
        job = job | {"shuffle": job["shuffle"] | {"store": store}}
        began = os.times()
        with (
            LocalInstance(Functions(str(_ROOT / functions), {}), workers) as instance,
            Client(instance.target) as client,
        ):
            raw = redis.Redis(unix_socket_path=instance.target.path)
            while raw.info("clients")["blocked_clients"] < workers:  # they wait for a first task
                time.sleep(0.01)
            own = set(worker_pids()).difference(others)
            submitted, used_s = time.perf_counter(), sum(map(_processor_s, own))
            result = client.invoke(job, durability="memory").result()
            elapsed_s = time.perf_counter() - submitted
            processor_s = sum(map(_processor_s, own)) - used_s
            worker_bytes = max(map(_peak_bytes, own))
            client_bytes = _peak_bytes(os.getpid())
            info = raw.info()
        return Ran(
            result,
            Took(elapsed_s, processor_s),
            since(began),
            worker_bytes,
            client_bytes,
            info["used_memory_peak"],
            info["total_net_input_bytes"] + info["total_net_output_bytes"],
            sum(file.stat().st_size for file in Path(store).rglob("*.runs")),
        )


def _processor_s(pid: int) -> float:
    """Returns the seconds of processors that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_bytes(pid: int) -> int:
    """Returns the most resident memory that a process has had."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])
