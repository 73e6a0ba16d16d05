"""A trigger: one supervisor, its worker processes, and the services that keep a stream healthy.

Each service has a thread and a connection of its own, so that a slow sweep never delays a
heartbeat. The main thread starts, reaps and replaces workers.
"""

from __future__ import annotations

import logging
import os
import secrets
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from amr.log import RateLimited
from amr.redis_url import RedisTarget
from amr.service import PeriodicService
from amr.settings import CONCURRENCY, GRACE_S, LEASE_S
from amr.store.connection import RedisError, connect, redis_errors
from amr.store.fleet import Fleet
from amr.store.health import require_suitable
from amr.store.inspect import Inspector
from amr.store.keys import Keys
from amr.store.link import Link
from amr.store.stream import ensure_group
from amr.store.transitions import Transitions
from amr.trigger.backups import BackupStarter
from amr.trigger.canceller import Canceller
from amr.trigger.children import Children, Death
from amr.trigger.forwarder import Forwarder
from amr.trigger.heartbeat import Heartbeat
from amr.trigger.janitor import Janitor
from amr.trigger.recoverer import Recoverer
from amr.trigger.running import RunningTasks
from amr.trigger.store_cleaner import StoreCleaner
from amr.trigger.sweeper import Sweeper
from amr.worker.order import Functions, WorkerOrder

log = logging.getLogger("amr.trigger")
log.addFilter(RateLimited())

_TICK_S = 0.1
_RECOVER_EVERY_S = 1.0
_SWEEP_EVERY_S = 5.0
_CLEAN_EVERY_S = 1.0
_BACK_UP_EVERY_S = 1.0
_CLEAN_STORE_EVERY_S = 30.0
_CANCEL_EVERY_S = 1.0

#: Seconds Redis has to answer the main thread, which must also hear signals and see deaths.
_RECOVERY_ANSWER_S = 1.5

#: Seconds a service has to end what it is doing when the trigger stops.
_SERVICE_STOP_S = 0.1


@dataclass(frozen=True, slots=True)
class TriggerOptions:
    """How a trigger runs.

    Attributes:
        functions: what its workers serve.
        processes: number of workers.
        concurrency: most async and HTTP calls at a time in each worker.
        lease_s: seconds without a heartbeat after which a worker's tasks go to others.
        grace_s: seconds that running tasks have to finish after a stop.
        name: of the trigger, for lists.
        log_level: of the logging module.
        store: folder that all workers share, or URL, for what is too large for Redis; None is none.
    """

    functions: Functions
    processes: int
    concurrency: int = CONCURRENCY
    lease_s: float = LEASE_S
    grace_s: float = GRACE_S
    name: str = ""
    log_level: int = logging.INFO
    store: str | None = None


class Supervisor:
    """Runs a trigger until it is stopped.

    Args:
        target: the Redis and stream.
        options: how to run.
    """

    def __init__(self, target: RedisTarget, options: TriggerOptions) -> None:
        self._target = target
        self._options = options
        self._keys = Keys(target.stream)
        self._transitions = Transitions(self._keys)
        self._links: list[Link] = []
        self._link = self._open_link(timeout_s=_RECOVERY_ANSWER_S)
        self._fleet = Fleet(self._link, self._keys)
        self._recoverer = Recoverer(self._link, self._fleet, self._transitions)
        order = WorkerOrder(
            url=target.url(),
            worker="",
            supervisor=os.getpid(),
            functions=options.functions,
            concurrency=options.concurrency,
            slots=0,
            slot=0,
            slot_file=-1,
            log_level=options.log_level,
            store=options.store,
        )
        self._children = Children(order, options.processes)
        self._running = RunningTasks(self._children.doings)
        host = socket.gethostname().partition(".")[0]
        self._trigger = f"{host}-{os.getpid()}-{secrets.token_hex(3)}"
        self._heartbeat = self._make_heartbeat()
        self._deaths: list[Death] = []
        self._stops = 0
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Runs until ``stop``; calls ``on_ready`` when the workers have been started.

        Raises:
            RedisUnavailableError: Redis cannot be reached or is not fit for use, at the start;
                later the trigger waits until it can be.
        """
        try:
            with redis_errors(self._target), connect(self._target) as client:
                require_suitable(client)
                ensure_group(self._link, self._keys)
            self._run_services(on_ready)
        finally:
            self._close()

    def handle_signals(self) -> None:
        """Lets SIGTERM and SIGINT stop the trigger: gently at first, the second time at once."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())

    def stop(self) -> None:
        """Takes nothing new, lets running tasks finish; called again, ends at once."""
        self._stops += 1

    def _run_services(self, on_ready: Callable[[], None] | None) -> None:
        """Keeps workers and services running; leases are renewed until the last worker ends."""
        services = self._make_services()
        self._start_workers()
        for service in services:
            service.start()
        if on_ready:
            on_ready()
        while not self._stops:
            self._tend()
            self._pause()
        self._stop_workers()
        for service in services:
            service.stop(_SERVICE_STOP_S)

    def _close(self) -> None:
        """Gives back what the trigger held open."""
        self._children.close()
        for link in self._links:
            link.close()
        for end in (self._wake_read, self._wake_write):
            os.close(end)

    def _open_link(self, timeout_s: float = 10.0) -> Link:
        """Returns a connection that is closed with the trigger."""
        self._links.append(Link(self._target, timeout_s))
        return self._links[-1]

    def _tend(self) -> None:
        """Replaces dead workers, recovers what they held, and ends overdue tasks."""
        self._running.look()
        self._children.kill_overdue()
        self._deaths += self._children.reap()
        try:
            while self._deaths:
                self._recoverer.recover_own(self._deaths[0])
                del self._deaths[0]
            self._start_workers()
        except RedisError as error:
            log.warning("Redis: %s; trying again", error)

    def _start_workers(self) -> None:
        """Starts what is missing. A lease comes first: a consumer without one counts as dead."""
        starting = self._children.names_to_start()
        if not starting:
            return
        self._heartbeat.beat_for([*self._children.names(), *starting.values()])
        for slot, worker in starting.items():
            self._children.start(slot, worker)

    def _stop_workers(self) -> None:
        """Asks, waits for the grace period or a second stop, then kills."""
        self._children.ask_to_stop()
        give_up_at = time.monotonic() + self._options.grace_s
        while self._children.names():
            if self._stops > 1 or time.monotonic() > give_up_at:
                self._children.kill()
            self._running.look()
            self._children.kill_overdue()
            self._deaths += self._children.reap()
            self._pause()
        try:
            # One try: what is not said now is found out when the leases end.
            for death in self._deaths:
                self._recoverer.recover_own(death)
            self._link.run(self._fleet.forget_trigger(self._trigger))
        except RedisError as error:
            log.warning("Redis: %s", error)

    def _pause(self) -> None:
        """Waits a moment, less when a signal comes, such as that of a child's end."""
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        if poll.poll(_TICK_S * 1000):
            os.read(self._wake_read, 4096)

    def _make_heartbeat(self) -> Heartbeat:
        options = self._options
        facts = {
            "name": options.name,
            "processes": options.processes,
            "concurrency": options.concurrency,
            "functions": options.functions.load().names(),
        }
        return Heartbeat(
            self._open_link(),
            self._transitions,
            self._trigger,
            options.lease_s,
            self._children.names,
            self._running.told,
            facts,
        )

    def _make_services(self) -> list[PeriodicService]:
        """Returns the services, each on a connection of its own."""
        transitions, keys = self._transitions, self._keys

        def readers() -> tuple[Link, Fleet, Inspector]:
            link = self._open_link()
            return link, Fleet(link, keys), Inspector(link, keys)

        link, fleet, _ = readers()
        recoverer = Recoverer(link, fleet, transitions, grace_s=self._options.lease_s / 2)
        link, fleet, _ = readers()
        forwarder = Forwarder(link, fleet, transitions)
        link, _, inspector = readers()
        sweeper = Sweeper(link, keys, inspector, transitions)
        link, fleet, inspector = readers()
        canceller = Canceller(fleet, inspector, self._children.doings, self._children.kill_one)
        link, _, inspector = readers()
        backups = BackupStarter(link, inspector, transitions)
        _, _, inspector = readers()
        cleaner = StoreCleaner(self._options.store, inspector)
        link, fleet, inspector = readers()
        janitor = Janitor(link, fleet, inspector, transitions)
        return [
            PeriodicService("heartbeat", self._heartbeat.beat, self._options.lease_s / 3),
            PeriodicService("recoverer", recoverer.look, _RECOVER_EVERY_S),
            PeriodicService("forwarder", forwarder.forward, 0.25),
            PeriodicService("sweeper", sweeper.sweep, _SWEEP_EVERY_S),
            PeriodicService("backups", backups.look, _BACK_UP_EVERY_S),
            PeriodicService("store cleaner", cleaner.look, _CLEAN_STORE_EVERY_S),
            PeriodicService("canceller", canceller.look, _CANCEL_EVERY_S),
            PeriodicService("janitor", janitor.clean, _CLEAN_EVERY_S),
        ]
