"""A TCP proxy before a Redis that delays, cuts and swallows what passes."""

from __future__ import annotations

import contextlib
import socket
import threading
from enum import Enum
from types import TracebackType
from typing import Self

from amr.redis_url import RedisTarget

_CHUNK_BYTES = 65_536


class Way(Enum):
    """The two directions of a connection."""

    REQUESTS = "to Redis"
    REPLIES = "from Redis"


class Proxy:
    """Passes connections on to a Redis, and harms them when asked to; a context manager.

    Args:
        server: the Redis behind it, on TCP or a unix socket.

    Attributes:
        latency_s: every chunk waits so long, each way.
        target: how to reach the Redis through it, with the server's stream.
    """

    def __init__(self, server: RedisTarget) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._swallowed: set[Way] = set()
        self._refused = False
        self._cut_after: dict[Way, int] = {}
        self._closed = threading.Event()
        self.latency_s = 0.0
        port = self._listener.getsockname()[1]
        self.target = RedisTarget("redis", host="127.0.0.1", port=port, stream=server.stream)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        # A listener that is only closed would go on waiting in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> int:
        """Ends every connection at once, with a reset; returns how many."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        return len(pairs)

    def cut_after(self, way: Way, count_bytes: int) -> None:
        """Ends the connection over which the next ``count_bytes`` have passed that way; once."""
        with self._lock:
            self._cut_after[way] = count_bytes

    def cut_is_due(self) -> bool:
        """Whether a ``cut_after`` still waits for its bytes."""
        return bool(self._cut_after)

    def swallow(self, *ways: Way) -> None:
        """Takes what comes these ways and passes nothing on; no connection ends: a black hole.

        Connections that are made meanwhile are taken and see the same.
        """
        self._swallowed = set(ways)

    def refuse(self, refused: bool = True) -> None:
        """Ends new connections at once, as a host without the service does."""
        self._refused = refused

    def lead_to(self, server: RedisTarget) -> None:
        """New connections go to another server, as after a failover; open ones stay."""
        self._server = server

    def heal(self) -> None:
        """Passes on again; what was swallowed is gone, so the connections that it hit are stuck."""
        self._swallowed = set()
        self._refused = False
        self.latency_s = 0.0
        with self._lock:
            self._cut_after.clear()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refused:
                client.close()
                continue
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        """Passes on both ways until both have ended."""
        requests = threading.Thread(
            target=self._pass_on, args=(client, server, Way.REQUESTS), daemon=True
        )
        requests.start()
        self._pass_on(server, client, Way.REPLIES)
        requests.join()
        with self._lock:
            self._pairs = [pair for pair in self._pairs if pair[0] is not client]
        client.close()
        server.close()

    def _connect(self) -> socket.socket:
        if self._server.scheme == "unix":
            with contextlib.ExitStack() as unless_connected:
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                unless_connected.callback(server.close)
                server.connect(self._server.path)
                unless_connected.pop_all()
            return server
        return socket.create_connection((self._server.host, self._server.port))

    def _pass_on(self, source: socket.socket, sink: socket.socket, way: Way) -> None:
        cut = False
        with contextlib.suppress(OSError):
            while not cut and (chunk := source.recv(_CHUNK_BYTES)):
                if self.latency_s:
                    self._closed.wait(self.latency_s)
                if way not in self._swallowed:
                    kept, cut = self._before_cut(way, chunk)
                    sink.sendall(kept)
        if way in self._swallowed:
            return  # the other end does not hear of the end either: half-open
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _before_cut(self, way: Way, chunk: bytes) -> tuple[bytes, bool]:
        """Returns the part of the chunk that passes before a cut, and whether the cut is here."""
        with self._lock:
            left = self._cut_after.get(way)
            if left is None:
                return chunk, False
            if left > len(chunk):
                self._cut_after[way] = left - len(chunk)
                return chunk, False
            del self._cut_after[way]
            return chunk[:left], True
