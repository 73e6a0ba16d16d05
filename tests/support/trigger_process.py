"""A real trigger as a process of its own, and a record of what its functions did."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.support.wait import wait_for

FUNCTIONS = Path(__file__).parents[1] / "functions"


def is_alive(pid: int) -> bool:
    """Whether there is such a process; one that has ended counts until its parent knows."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Call(NamedTuple):
    """One line of the record."""

    event: str
    stage: str
    index: int
    attempt: int
    tag: str
    job: str


class TriggerProcess:
    """Runs ``amr trigger run``; use it as a context manager.

    Args:
        url: the Redis and stream.
        directory: for the record and the log.
        options: of the command.
        processes: number of workers.
        functions: directory of the functions that it serves.
        environment: that it runs in.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        *options: str,
        processes: int = 2,
        functions: Path = FUNCTIONS,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.record_file = directory / "record.txt"
        self.log_file = directory / f"trigger-{id(self)}.log"
        self._command = [sys.executable, "-m", "amr.cli.app", "trigger", "run"]
        self._command += ["--redis-url", url, "--functions", str(functions)]
        self._command += ["--processes", str(processes), "--lease", "2s", *options]
        self.processes = processes
        self._environment = dict(environment) | {"RECORD": str(self.record_file)}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._start()
        wait_for(lambda: "trigger is up" in self.log(), what="the trigger's start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            # Its whole session: a stopped process would not hear of a gentler signal.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def _start(self) -> None:
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                self._command, stderr=log, stdout=log, env=self._environment, start_new_session=True
            )

    def lives(self) -> bool:
        """Whether the supervisor runs."""
        return self.process is not None and self.process.poll() is None

    def workers(self) -> list[int]:
        """Returns the process ids of the workers."""
        try:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except FileNotFoundError:
            return []
        return [int(pid) for pid in children.split()]

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the supervisor."""
        os.kill(self.pid, number)

    def signal_all(self, number: signal.Signals) -> None:
        """Sends a signal to the supervisor and to each worker, as one to the whole machine."""
        for pid in (self.pid, *self.workers()):
            os.kill(pid, number)

    def stop(self, timeout_s: float = 15.0) -> int:
        """Asks it to end and returns its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout_s)

    def log(self) -> str:
        """Returns what it logged."""
        return self.log_file.read_text() if self.log_file.exists() else ""

    def calls(self, event: str = "start") -> list[Call]:
        """Returns the calls that functions recorded."""
        if not self.record_file.exists():
            return []
        rows = [line.split() for line in self.record_file.read_text().splitlines()]
        calls = [Call(e, s, int(i), int(a), tag, job) for e, s, i, a, tag, job, *_ in rows]
        return [call for call in calls if call.event == event]


class KeptTrigger(TriggerProcess):
    """A trigger that is started again whenever it ends, as a process manager does."""

    def __enter__(self) -> Self:
        self._left = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._start()
        self._keeper.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._left.set()
        self._keeper.join()
        super().__exit__(kind, error, traceback)

    def _keep(self) -> None:
        while not self._left.wait(0.02):
            if not self.lives():
                assert self.process is not None
                self.process.wait()
                self._start()
