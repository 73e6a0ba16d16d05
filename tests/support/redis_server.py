"""Real Redis servers for tests: started, stopped, killed and restarted at will."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from amr.redis_url import RedisTarget
from amr.store.embedded import available_servers, find_server

START_TIMEOUT_S = 20.0


@cache
def redis_binaries() -> tuple[Path, ...]:
    """Returns the server binaries of this machine, one of each version, the preferred one first."""
    named = (find_server(),) if os.environ.get("AMR_REDIS_SERVER") else ()
    by_version: dict[tuple[int, ...], Path] = {}
    for binary in (*named, *available_servers()):
        by_version.setdefault(redis_version(binary), binary)
    return tuple(by_version.values())


@cache
def redis_version(binary: Path) -> tuple[int, ...]:
    """Returns a binary's version, such as (7, 0, 15)."""
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\bv=(\d+)\.(\d+)\.(\d+)", told)
    assert found, told
    return tuple(map(int, found.groups()))


def free_port() -> int:
    """Returns a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """A server of its own directory; data and address outlive a restart.

    Args:
        directory: where it works; short enough for a socket's path.
        binary: which server; the preferred one if None.
        append_only: keep an append-only file, written out at every command.
        tcp: listen on a TCP port of 127.0.0.1, else on a unix socket.
        options: more options, such as ``["--requirepass", "secret"]``.
    """

    def __init__(
        self,
        directory: Path,
        *,
        binary: Path | None = None,
        append_only: bool = False,
        tcp: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.binary = binary or redis_binaries()[0]
        self.port = free_port() if tcp else 0
        self.socket = directory / "redis.sock"
        self._append_only = append_only
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def target(self) -> RedisTarget:
        """How to reach it."""
        if self.port:
            return RedisTarget("redis", host="127.0.0.1", port=self.port)
        return RedisTarget("unix", path=str(self.socket))

    @property
    def url(self) -> str:
        """Its URL, with the default stream."""
        return self.target.url()

    @property
    def version(self) -> tuple[int, ...]:
        """Its version, such as (6, 2, 14)."""
        return redis_version(self.binary)

    @property
    def pid(self) -> int:
        """Process id, to send it signals."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self, *, wait: bool = True) -> RedisServer:
        """Starts it; with ``wait`` returns once it has loaded its data and answers."""
        assert self._process is None, "the server is running"
        with open(self.directory / "redis.log", "ab") as log_file:
            self._process = subprocess.Popen(
                [str(self.binary), *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready()
        return self

    def stop(self) -> None:
        """Ends it as an operator would: SIGTERM, its data written out."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a crash would: SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self, *, kill: bool = False, wait: bool = True) -> None:
        """Ends it and starts it again with the same data and address."""
        self._end(signal.SIGKILL if kill else signal.SIGTERM)
        self.start(wait=wait)

    def wait_until_ready(self) -> None:
        """Returns once it answers; fails with its log when it does not."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self.directory / "redis.log").read_text(errors="replace")
                raise AssertionError(f"{self.binary} did not start:\n{text[-2000:]}")
            time.sleep(0.002)

    def _arguments(self) -> list[str]:
        listen = ["--port", str(self.port), "--bind", "127.0.0.1"]
        if not self.port:
            listen = ["--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        append = ["--appendonly", "yes", "--appendfsync", "always"] if self._append_only else []
        basics = ["--dir", str(self.directory), "--save", "", "--maxmemory-policy", "noeviction"]
        return [*listen, *basics, *append, *self._options]

    def _answers(self) -> bool:
        """Any reply but LOADING will do: a server with a password answers NOAUTH."""
        kind = socket.AF_INET if self.port else socket.AF_UNIX
        address = ("127.0.0.1", self.port) if self.port else str(self.socket)
        with socket.socket(kind, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(address)
                probe.sendall(b"PING\r\n")
                reply = probe.recv(64)
            except OSError:
                return False
            return reply.startswith((b"+PONG", b"-NOAUTH", b"-DENIED"))

    def _end(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(sign)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
