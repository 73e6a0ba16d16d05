"""The processes of a soak, and the faults that are done to them."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import redis

from amr.store.connection import connect
from tests.soak.plan import PlannedFault
from tests.support.proxy import Proxy, Way
from tests.support.redis_server import RedisServer
from tests.support.trigger_process import TriggerProcess


@dataclass
class Injected:
    """A fault that was done.

    Attributes:
        kind: of the plan.
        at: time, in seconds since the epoch.
        pids: workers that it killed or stopped.
    """

    kind: str
    at: float
    pids: list[int] = field(default_factory=list)


class World:
    """Does the plan's faults.

    Args:
        server: the Redis.
        proxy: through which some of the triggers reach it.
        triggers: that are started again when they end.
    """

    def __init__(self, server: RedisServer, proxy: Proxy, triggers: list[TriggerProcess]) -> None:
        self.injected: list[Injected] = []
        self._server = server
        self._proxy = proxy
        self._triggers = triggers
        self._lasting: list[threading.Thread] = []

    def inject(self, fault: PlannedFault) -> None:
        """Does one fault; one that lasts goes on beside the soak."""
        rng = random.Random(fault.chance)
        done = Injected(fault.kind, time.time())
        getattr(self, "_" + fault.kind.replace("-", "_"))(rng, done)
        self.injected.append(done)

    def heal(self) -> None:
        """Waits for the end of all that lasts."""
        for thread in self._lasting:
            thread.join()
        self._proxy.heal()

    def _kill_worker(self, rng: random.Random, done: Injected) -> None:
        if workers := rng.choice(self._triggers).workers():
            done.pids = [rng.choice(workers)]
            _signal(signal.SIGKILL, done.pids)

    def _kill_trigger(self, rng: random.Random, done: Injected) -> None:
        """Supervisor and workers at once, as when their machine dies."""
        trigger = rng.choice(self._triggers)
        done.pids = trigger.workers()
        _signal(signal.SIGKILL, [*done.pids, trigger.pid])

    def _stop_worker(self, rng: random.Random, done: Injected) -> None:
        if workers := rng.choice(self._triggers).workers():
            done.pids = [rng.choice(workers)]
            self._stop(done.pids, rng.uniform(0.5, 4.0))

    def _stop_trigger(self, rng: random.Random, done: Injected) -> None:
        trigger = rng.choice(self._triggers)
        done.pids = trigger.workers()
        self._stop([trigger.pid, *done.pids], rng.uniform(0.5, 5.0))

    def _restart_redis(self, rng: random.Random, done: Injected) -> None:
        self._server.restart()

    def _kill_redis(self, rng: random.Random, done: Injected) -> None:
        self._server.kill()
        time.sleep(rng.uniform(0.0, 1.0))
        self._server.start()

    def _freeze_redis(self, rng: random.Random, done: Injected) -> None:
        # On this thread: a frozen Redis could not be restarted.
        pid = self._server.pid
        _signal(signal.SIGSTOP, [pid])
        time.sleep(rng.uniform(0.2, 3.0))
        _signal(signal.SIGCONT, [pid])

    def _cut(self, rng: random.Random, done: Injected) -> None:
        if rng.random() < 0.5:
            self._proxy.cut()
        else:
            self._proxy.cut_after(rng.choice(list(Way)), rng.randrange(1, 3000))

    def _black_hole(self, rng: random.Random, done: Injected) -> None:
        self._proxy.swallow(*rng.choice([[Way.REQUESTS], [Way.REPLIES], list(Way)]))
        time.sleep(rng.uniform(0.2, 3.0))
        self._proxy.heal()
        self._proxy.cut()

    def _flush_scripts(self, rng: random.Random, done: Injected) -> None:
        self._command("SCRIPT", "FLUSH")

    def _kill_clients(self, rng: random.Random, done: Injected) -> None:
        self._command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def _command(self, *words: str) -> None:
        with suppress(redis.RedisError), connect(self._server.target) as client:
            client.execute_command(*words)

    def _stop(self, pids: list[int], seconds: float) -> None:
        _signal(signal.SIGSTOP, pids)
        self._last(lambda: (time.sleep(seconds), _signal(signal.SIGCONT, pids)))

    def _last(self, body: Callable[[], object]) -> None:
        thread = threading.Thread(target=body, daemon=True)
        self._lasting.append(thread)
        thread.start()


def _signal(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
