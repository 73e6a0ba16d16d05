"""What measures work with, and what they give."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

import redis

from amr.client import Client
from amr.local_run import LocalInstance


class Figure(NamedTuple):
    """One thing that was measured: its name, value and unit."""

    name: str
    value: float
    unit: str


class Took(NamedTuple):
    """What something took: seconds by the clock, and of processors, which is the same on a machine
    that others use as well.
    """

    elapsed_s: float
    processor_s: float


def since(before: os.times_result) -> Took:
    """Returns what it took from ``os.times()`` then, here and in processes that have ended."""
    now = os.times()
    return Took(now.elapsed - before.elapsed, sum(now[:4]) - sum(before[:4]))


class Bench(NamedTuple):
    """What a measure works with.

    Attributes:
        instance: a Redis and workers.
        client: of the instance.
        workers: how many processes there are.
        full: whether measures of data are to have their full size.
    """

    instance: LocalInstance
    client: Client
    workers: int
    full: bool

    def raw(self) -> redis.Redis:
        """Returns a plain client of the instance's Redis."""
        return redis.Redis(unix_socket_path=self.instance.target.path)


def worker_pids() -> list[int]:
    """Returns the process ids of the workers that this process has started."""
    command = ["pgrep", "-P", str(os.getpid()), "-f", "amr.mapper_trigger"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]
