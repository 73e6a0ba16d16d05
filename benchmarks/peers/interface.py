"""What a system has to offer to be measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

from benchmarks.peers.orders import WORKLOADS

ROOT = Path(__file__).parents[2]
#: Names the unix socket of the private Redis; set for all processes of a run.
SOCKET_VARIABLE = "AMR_PEERS_SOCKET"
#: Names the workload that a system is started for; set for all processes of a run.
WORKLOAD_VARIABLE = "AMR_PEERS_WORKLOAD"
#: Waits at a time in one worker, where a system has to be told: more than two workers need.
WAITS_AT_A_TIME = 600
#: Seconds that a process of a system has to end once it is told to.
STOP_TIMEOUT_S = 5.0
#: For systems that wait in threads or greenlets: which functions take the place of async ones.
BLOCKING = {"wait": "wait_blocking", "fetch": "fetch_blocking"}
_COMPUTING = frozenset({"pi", "words"})
_WAITING = frozenset({"wait", "fetch"})

T = TypeVar("T")


class Place(NamedTuple):
    """Where a system is measured.

    Attributes:
        folder: for its files; deleted after the measure.
        workers: number of worker processes.
    """

    folder: Path
    workers: int


class Peer(ABC):
    """One system in one set-up. The docstring of a subclass states that set-up.

    Attributes:
        libraries: distributions whose versions are told with each figure.
        survives_client: whether the fan-in goes on when the client has died.
        needs_warming: whether its workers outlive a job, and have to take part in one beforehand.
        workloads: those that this set-up is meant for.
        functions: which functions it calls in place of others, by name.
    """

    libraries: ClassVar[tuple[str, ...]]
    survives_client: ClassVar[bool]
    needs_warming: ClassVar[bool] = True
    workloads: ClassVar[frozenset[str]] = frozenset(WORKLOADS)
    functions: ClassVar[Mapping[str, str]] = {}

    def __init__(self, place: Place) -> None:
        self.place = place
        self._commands: list[subprocess.Popen[bytes]] = []

    @abstractmethod
    def start(self) -> None:
        """Starts the workers; they need not be ready when it returns."""

    @abstractmethod
    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        """Calls a mapper with each input and a reducer with all outputs; returns its result."""

    def timed_map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> tuple[float, Any]:
        """Returns the seconds that ``map_reduce`` takes, and its result."""
        started = time.perf_counter()
        result = self.map_reduce(mapper, inputs, reducer)
        return time.perf_counter() - started, result

    def stop(self) -> None:
        """Ends what ``start`` has started."""
        for command in self._commands:
            command.send_signal(signal.SIGTERM)
        for command in self._commands:
            try:
                command.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                command.kill()
                command.wait()

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Returns the versions of its libraries."""
        return {library: version(library) for library in cls.libraries}

    @classmethod
    def setup(cls) -> str:
        """Returns its set-up in one line of prose."""
        return " ".join((cls.__doc__ or "").split())

    def launch(self, *words: str, environment: Mapping[str, str] | None = None) -> None:
        """Starts a command of the virtual environment, such as ``celery``, until ``stop``."""
        program = Path(sys.executable).with_name(words[0])
        self._commands.append(
            subprocess.Popen(
                [str(program), *words[1:]],
                cwd=self.place.folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
            )
        )


def redis_url(scheme: str = "unix") -> str:
    """Returns the URL of the private Redis, for modules that workers import too."""
    return f"{scheme}://{os.environ[SOCKET_VARIABLE]}"


def by_workload(usual: T, *, computing: T, waiting: T) -> T:
    """Returns the setting for the workload that a system is started for."""
    workload = os.environ[WORKLOAD_VARIABLE]
    if workload in _COMPUTING:
        return computing
    return waiting if workload in _WAITING else usual
