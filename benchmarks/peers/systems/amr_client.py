"""amr itself: ``amr trigger run`` and the Python client (docs/trigger.md)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from amr.client import Client
from benchmarks.peers.functions import ENDPOINT_VARIABLE
from benchmarks.peers.interface import ROOT, Peer, redis_url

_SOURCES = (ROOT / "benchmarks/functions/bench.py", ROOT / "benchmarks/peers/functions.py")
_MANIFEST = """
{names}

[fetch]
url = "{endpoint}"
private = true
concurrency = 600
"""


class Amr(Peer):
    """`amr trigger run` with 2 workers in its defaults; `fetch` is an HTTP function of
    functions.toml with a concurrency of 600 in each worker (with the extra `http`)."""

    libraries: ClassVar = ("amr", "redis")
    survives_client: ClassVar = True

    def start(self) -> None:
        folder = self._write_functions()
        size = ("--processes", str(self.place.workers))
        self.launch(
            "amr", "trigger", "run", "--redis-url", redis_url(), *size, "--functions", folder
        )
        self._client = Client(redis_url())

    def map_reduce(self, mapper: str, inputs: list[Any], reducer: str) -> Any:
        return self._client.invoke(
            {"mapper": mapper, "reducer": reducer, "inputs": inputs}
        ).result()

    def stop(self) -> None:
        self._client.close()
        super().stop()

    def _write_functions(self) -> str:
        """Makes a directory with the same functions, by the names that the others use."""
        folder = self.place.folder / "functions"
        folder.mkdir()
        names = {
            "bench": ("noop", "pi", "wait", "count"),
            "functions": ("whoami", "text", "words", "distinct", "length", "frequencies"),
        }
        for source in _SOURCES:
            Path(folder, source.name).symlink_to(source)
        lines = [f'{name} = "{file}:{name}"' for file, found in names.items() for name in found]
        manifest = _MANIFEST.format(names="\n".join(lines), endpoint=os.environ[ENDPOINT_VARIABLE])
        Path(folder, "functions.toml").write_text(manifest)
        return str(folder)
