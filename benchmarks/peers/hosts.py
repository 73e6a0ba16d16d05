"""The runner's side of a host: starts it, asks it within a time limit, ends all it started."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.peers.interface import ROOT
from benchmarks.peers.processes import end_descendants

#: Seconds that a host has to end by itself.
_STOP_TIMEOUT_S = 10.0


class TimeLimitError(Exception):
    """A host did not answer in time."""


class PeerError(Exception):
    """A host answered with an error, or ended."""


class Host:
    """One process that runs one system, in a folder of its own.

    Args:
        command: the program and its arguments; the folder is added.
        environment: variables that it and all its processes get.
        spared: processes below this one that are not the host's.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], spared: set[int]
    ) -> None:
        self._spared = spared
        self._folder = Path(tempfile.mkdtemp(prefix="amr-peers-"))
        self._log = self._folder / "host.log"
        self.started_at = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    # Whatever they write, and no settings of this machine's user.
                    "TMPDIR": str(self._folder),
                    "HOME": str(self._folder),
                    **environment,
                },
                start_new_session=True,
            )

    @classmethod
    def of_peer(cls, name: str, environment: Mapping[str, str], spared: set[int]) -> Host:
        """Starts the host of the system ``name``."""
        command = [sys.executable, "-m", "benchmarks.peers.host", name]
        return cls(command, environment, spared)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def ask(self, request: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
        """Returns the host's answer.

        Raises:
            TimeLimitError: it took longer than ``limit_s`` seconds; the host is killed.
            PeerError: the answer is an error, or the host has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise PeerError(self._end_reason()) from None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(limit_s):
                self._process.kill()
                raise TimeLimitError
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(self._end_reason())
        answer: dict[str, Any] = json.loads(line)
        if error := answer.get("error"):
            raise PeerError(error)
        return answer

    def close(self) -> None:
        """Ends the host with all that it started, and deletes its folder."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        end_descendants(os.getpid(), self._spared)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end_reason(self) -> str:
        """Returns the last line that the host wrote before it ended."""
        lines = self._log.read_text(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"its process ended: {last[:300]}" if last else "its process ended"
