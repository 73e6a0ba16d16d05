"""The same machine with no set-up: a private Redis, a trigger beside it, and a job on both."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from amr.client import Client
from amr.errors import FunctionsError
from amr.jobspec.file import JobLike, read_spec
from amr.jobspec.job import JobSpec, check_functions
from amr.local_trigger import LocalTrigger
from amr.redis_url import RedisTarget
from amr.settings import INSTANCE_DIRECTORY, store_folder
from amr.store.embedded import EmbeddedRedis
from amr.worker.order import Functions


class LocalInstance:
    """A private embedded Redis and a trigger, for as long as the context lasts.

    Args:
        functions: what the workers serve.
        processes: number of workers; the cores of this machine by default.
        directory: keeps the instance's data there, for an ``amr up``; None keeps nothing.
        log_level: of the trigger and its workers.
        streams: number of streams.
    """

    def __init__(
        self,
        functions: Functions,
        processes: int | None = None,
        *,
        directory: Path | None = None,
        log_level: int = logging.WARNING,
        streams: int = 1,
    ) -> None:
        self._redis = EmbeddedRedis(directory, durable=directory is not None, streams=streams)
        self._functions = functions
        self._processes = processes
        self._log_level = log_level
        self._trigger: LocalTrigger | None = None
        self._directory = directory
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @property
    def target(self) -> RedisTarget:
        """The private Redis and its stream."""
        return self._redis.target

    @property
    def workers(self) -> int:
        """Number of workers."""
        return self._trigger.workers if self._trigger is not None else 0

    def check(self) -> None:
        """Raises the error with which the trigger has ended, if it has.

        Raises:
            AmrError: the trigger ended by itself.
        """
        if self._trigger is not None:
            self._trigger.check()

    def start(self) -> None:
        """Starts both; returns when the workers have been started.

        Raises:
            RedisUnavailableError: there is no server binary, or it does not start.
            FunctionsError: the functions cannot be loaded.
        """
        self._redis.start()
        try:
            self._trigger = LocalTrigger(
                self.target,
                self._functions,
                self._processes,
                log_level=self._log_level,
                store=self._store_folder(),
            )
            self._trigger.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the workers and the Redis; a lasting instance keeps its data."""
        if self._trigger is not None:
            self._trigger.stop()
        self._redis.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _store_folder(self) -> str:
        """Returns the folder for what is too large for Redis: AMR_STORE's, or one of its own."""
        folder = store_folder()
        if folder is None and self._directory is not None:
            folder = str((self._directory / "store").absolute())
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="amr-store-")
            folder = self._temporary.name
        return folder

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def run(
    job: JobLike,
    *,
    functions: str | os.PathLike[str] | Iterable[Callable[..., Any]] | None = None,
    inputs: Iterable[Any] | None = None,
    processes: int | None = None,
    timeout: float | None = None,
    params: Mapping[str, Any] | None = None,
) -> Any:
    """Runs a job on a private Redis and its own workers, and returns its result.

    Args:
        job: as for ``Client.invoke``. In a mapping, ``mapper`` and ``reducer`` may be plain
            functions in place of names; they must be importable by module and name, for the
            workers are other processes.
        functions: a directory of functions, or functions whose ``__name__`` the job names.
        inputs: takes the place of the description's inputs.
        processes: number of workers; the cores of this machine by default.
        timeout: seconds to wait at most.
        params: values of the description's parameters.

    Raises:
        JobSpecError: the description is wrong.
        JobFailedError: the job failed.
        WaitTimeoutError: it had not ended after ``timeout`` seconds; it is given up.
        FunctionsError: a function cannot be imported by other processes.
    """
    spec, served = _resolve(job, functions, inputs is not None, params)
    check_functions(spec, served.load().names())
    with LocalInstance(served, processes) as instance, Client(instance.target) as client:
        # Its Redis ends with the job: there is nothing to be durable for.
        return client.invoke(spec, inputs=inputs, durability="memory").last().result(timeout)


def instance_directory() -> Path:
    """Returns the directory of the instance that an ``amr up`` here makes."""
    return Path.cwd() / INSTANCE_DIRECTORY


def _resolve(
    job: JobLike,
    functions: str | os.PathLike[str] | Iterable[Callable[..., Any]] | None,
    has_inputs: bool,
    params: Mapping[str, Any] | None,
) -> tuple[JobSpec, Functions]:
    """Returns the spec with names in place of functions, and what serves them."""
    targets: dict[str, str] = {}
    directory = None
    if isinstance(functions, (str, os.PathLike)):
        directory = str(Path(functions).absolute())
    else:
        targets = {function.__name__: _target(function) for function in functions or ()}
    if isinstance(job, (str, os.PathLike, JobSpec)):
        spec = read_spec(job, parameters=params)
    else:
        document = dict(job)
        for role in ("mapper", "reducer"):
            if role in document:
                document[role] = _named(document[role], targets)
        spec = read_spec(document, has_inputs=has_inputs, parameters=params)
    if directory is None and not targets and Path("functions").is_dir():
        directory = str(Path("functions").absolute())
    paths = tuple(path or os.getcwd() for path in sys.path)
    return spec, Functions(directory, targets, paths)


def _named(functions: Any, targets: dict[str, str]) -> Any:
    """Returns names in place of functions, one or a list of them; adds those to ``targets``."""
    if isinstance(functions, (list, tuple)):
        return [_named(each, targets) for each in functions]
    if not callable(functions):
        return functions
    targets[functions.__name__] = _target(functions)
    return functions.__name__


def _target(function: Callable[..., Any]) -> str:
    """Returns ``module:name`` of a function that another process can import.

    Raises:
        FunctionsError: it is local, a lambda, or of a script that only this process runs.
    """
    name = getattr(function, "__qualname__", "")
    module = inspect.getmodule(function)
    if module is None or not name or "<" in name:
        raise FunctionsError(
            f"{name or function!r} cannot be imported by the workers: define it with `def` at the "
            "top level of a module"
        )
    if module.__name__ == "__main__":
        file = getattr(module, "__file__", None)
        if file is None:
            raise FunctionsError(f"{name} was typed in: put it into a module and import it")
        return f"{Path(file).stem}:{name}"
    return f"{module.__name__}:{name}"
