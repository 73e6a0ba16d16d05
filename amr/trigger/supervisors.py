"""A trigger of several streams: a supervisor for each, on a thread of its own.

Each is whole in itself, with its workers, leases and services: a stream whose Redis is away holds
up no other. They start together, and the end of one, for whatever reason, is the end of all.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from amr.partitions import shares
from amr.redis_url import RedisTarget
from amr.trigger.supervisor import Supervisor, TriggerOptions


class Supervisors:
    """Runs a trigger of several streams until it is stopped; used as ``Supervisor`` is.

    Args:
        targets: the streams.
        options: how to run; the processes are divided over the streams, at least one for each.
    """

    def __init__(self, targets: Sequence[RedisTarget], options: TriggerOptions) -> None:
        self._supervisors = [
            Supervisor(target, replace(options, processes=processes))
            for target, processes in zip(
                targets, shares(options.processes, len(targets)), strict=True
            )
        ]
        self._errors: list[BaseException] = []

    def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Runs until ``stop``; calls ``on_ready`` when the workers of all streams were started.

        Raises:
            RedisUnavailableError: as ``Supervisor.run`` does, of the first stream that raised it.
        """
        started = [threading.Event() for _ in self._supervisors]
        threads = [
            threading.Thread(target=self._run_one, args=(each, event), name=f"amr-stream-{number}")
            for number, (each, event) in enumerate(zip(self._supervisors, started, strict=True))
        ]
        for thread in threads:
            thread.start()
        for event in started:
            event.wait()
        if on_ready and not self._errors:
            on_ready()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def handle_signals(self) -> None:
        """Lets SIGTERM and SIGINT stop the trigger: gently at first, the second time at once.

        A worker's end wakes no supervisor here, for only the main thread hears signals: they see
        it at their next look, a tenth of a second later at most.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())

    def stop(self) -> None:
        """Takes nothing new, lets running tasks finish; called again, ends at once."""
        for supervisor in self._supervisors:
            supervisor.stop()

    def _run_one(self, supervisor: Supervisor, started: threading.Event) -> None:
        try:
            supervisor.run(started.set)
        except BaseException as error:
            # Raised again on the main thread, when the others have ended.
            self._errors.append(error)
            self.stop()
        finally:
            started.set()


def make_supervisor(
    targets: Sequence[RedisTarget], options: TriggerOptions
) -> Supervisor | Supervisors:
    """Returns what runs a trigger of these streams."""
    return Supervisor(targets[0], options) if len(targets) == 1 else Supervisors(targets, options)
