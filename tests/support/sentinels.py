"""A primary, its replica and the three sentinels that watch them, on ports of this machine."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from redis.exceptions import ResponseError

from amr.redis_url import RedisTarget
from tests.support.redis_server import RedisServer, free_port
from tests.support.wait import wait_for

SERVICE = "amr-test"
SENTINELS = 3

_SETTINGS = f"""
bind 127.0.0.1
sentinel monitor {SERVICE} 127.0.0.1 {{primary}} 2
sentinel down-after-milliseconds {SERVICE} 400
sentinel failover-timeout {SERVICE} 2000
"""

#: How often sentinels look and talk, in ms; Redis 6.2 has no way to change it, and is slower.
_FASTER = ("info-period", 200, "publish-period", 200, "ping-period", 100, "ask-period", 100)


class Sentinels:
    """Three sentinels that watch one primary; use it as a context manager.

    Args:
        directory: for their files.
        primary: whom they watch; it has one replica.
    """

    def __init__(self, directory: Path, primary: RedisServer) -> None:
        self._directory = directory
        self._primary = primary
        self.ports = [free_port() for _ in range(SENTINELS)]
        self._processes: list[subprocess.Popen[bytes]] = []
        self._clients = [redis.Redis(port=port, decode_responses=True) for port in self.ports]

    def __enter__(self) -> Self:
        for port in self.ports:
            self._start(port)
        for client in self._clients:
            wait_for(lambda client=client: self._answers(client), what="a sentinel's start")
        for client in self._clients:
            wait_for(lambda client=client: self._knows_all(client), what="the sentinels' meeting")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in self._clients:
            client.close()
        for process in self._processes:
            process.kill()
            process.wait()

    @property
    def target(self) -> RedisTarget:
        """The way to the primary, whoever that is."""
        sentinels = tuple(("127.0.0.1", port) for port in self.ports)
        return RedisTarget("redis+sentinel", sentinels=sentinels, service=SERVICE)

    def primary_port(self) -> int:
        """Returns the port of the primary, as the first sentinel knows it."""
        _, port = self._clients[0].sentinel_get_master_addr_by_name(SERVICE)
        return int(port)

    def _start(self, port: int) -> None:
        file = self._directory / f"sentinel-{port}.conf"
        file.write_text(f"port {port}\n" + _SETTINGS.format(primary=self._primary.port))
        with open(self._directory / f"sentinel-{port}.log", "ab") as log:
            process = subprocess.Popen(
                [str(self._primary.binary), str(file), "--sentinel"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)

    def _answers(self, client: redis.Redis) -> bool:
        try:
            client.ping()
        except redis.ConnectionError:
            return False
        with suppress(ResponseError):
            client.execute_command("SENTINEL DEBUG", *_FASTER)
        return True

    def _knows_all(self, client: redis.Redis) -> bool:
        facts: Any = client.sentinel_master(SERVICE)
        counts = (int(facts["num-slaves"]), int(facts["num-other-sentinels"]))
        return counts == (1, SENTINELS - 1)
