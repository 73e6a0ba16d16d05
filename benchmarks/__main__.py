"""``python -m benchmarks [MEASURE…] [--full] [--json FILE]``: measures amr here, in one run."""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from pathlib import Path

import amr
from amr.client import Client
from amr.local_run import LocalInstance
from amr.store.embedded import find_server
from amr.worker.order import Functions
from benchmarks.figures import Bench
from benchmarks.measures import MEASURES

_WORKERS = 2


def main() -> None:
    """Runs the measures that are asked for, on a durable Redis reached over a unix socket."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=", ".join(MEASURES))
    parser.add_argument(
        "--full", action="store_true", help="wordcount, sort and shuffle at ten times their size"
    )
    parser.add_argument("--json", type=Path, help="append one JSON line a figure to this file")
    arguments = parser.parse_args()
    if unknown := set(arguments.measures) - set(MEASURES):
        parser.error(f"no measure {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    print(f"amr {amr.__version__}, Python {platform.python_version()}, {find_server()}")
    functions = Functions(str(Path(__file__).parent / "functions"), {})
    with tempfile.TemporaryDirectory() as folder:
        instance = LocalInstance(functions, _WORKERS, directory=Path(folder))
        with instance, Client(instance.target) as client:
            client.invoke({"mapper": "bench.noop", "inputs": list(range(100))}).wait()
            bench = Bench(instance, client, _WORKERS, arguments.full)
            for name in arguments.measures or MEASURES:
                _run(name, bench, arguments.json)


def _run(name: str, bench: Bench, file: Path | None) -> None:
    for figure in MEASURES[name](bench):
        print(f"{name:<11} {figure.name:<52} {figure.value:>12,.2f} {figure.unit}", flush=True)
        if file is not None:
            with file.open("a") as lines:
                lines.write(json.dumps({"measure": name, **figure._asdict()}) + "\n")


if __name__ == "__main__":
    main()
