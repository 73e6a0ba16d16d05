"""An address that leads to a server, to another one later, and can lose what passes.

It stands for what a test machine lacks: a service address that moves at a failover, and a network
that swallows what is sent while both ends think that they are connected.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_BLOCK = 65536


class Relay:
    """Passes TCP connections on to a port of this machine; use it as a context manager.

    Args:
        upstream: the port to which connections lead.
    """

    def __init__(self, upstream: int) -> None:
        #: Where new connections lead; those that are open stay where they are.
        self.upstream = upstream
        self._swallowing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # It wakes the thread that accepts, which closing alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in list(self._open):
            _shut(end)
        for thread in self._threads:
            thread.join(10)

    def swallow(self) -> None:
        """Loses, from here on, all that is sent either way; connections stay open."""
        self._swallowing.set()

    def _run(self, body: object, *arguments: object) -> None:
        thread = threading.Thread(target=body, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                near.close()
                continue
            self._open |= {near, far}
            self._run(self._pump, near, far)
            self._run(self._pump, far, near)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(_BLOCK):
                if not self._swallowing.is_set():
                    target.sendall(data)
        except OSError:
            pass
        if not self._swallowing.is_set():
            _shut(target)
        self._open.discard(source)
        source.close()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
