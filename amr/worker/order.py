"""What a supervisor tells a new worker, on its standard input: the URL's password is in no list."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from amr.invokers.registry import Registry


@dataclass(frozen=True, slots=True)
class Functions:
    """Which functions workers serve.

    Attributes:
        directory: of functions, or None.
        targets: more functions by name, each as ``module:name``.
        import_paths: directories to import those modules from, before the usual ones.
    """

    directory: str | None
    targets: dict[str, str]
    import_paths: tuple[str, ...] = ()

    def load(self) -> Registry:
        """Returns the registry of these functions.

        Raises:
            FunctionsError: the directory is missing or its functions.toml is wrong.
        """
        directory = None if self.directory is None else Path(self.directory)
        return Registry.with_targets(directory, self.targets)


@dataclass(frozen=True, slots=True)
class WorkerOrder:
    """How one worker is to run.

    Attributes:
        url: the Redis and stream.
        worker: the worker's name.
        supervisor: process id of its supervisor; without it the worker ends.
        functions: what it serves.
        concurrency: most async and HTTP calls at a time.
        slots: workers of the trigger.
        slot: number of this one.
        slot_file: file number of the slots.
        log_level: of the logging module.
        store: folder or URL for what is too large for Redis, or None.
    """

    url: str
    worker: str
    supervisor: int
    functions: Functions
    concurrency: int
    slots: int
    slot: int
    slot_file: int
    log_level: int
    store: str | None = None

    def write(self) -> bytes:
        """Returns the order as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def read(cls, file: TextIO) -> WorkerOrder:
        """Returns the order that ``write`` wrote to ``file``."""
        fields = json.load(file)
        return cls(**(fields | {"functions": Functions(**fields["functions"])}))
