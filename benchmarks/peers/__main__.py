"""``python -m benchmarks.peers``: measures amr and its peers on this machine, and prints tables."""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from amr.store.embedded import find_server
from benchmarks.peers.corpus import CORPUS_VARIABLE, Corpus
from benchmarks.peers.orders import SCALES, WORKLOADS, Order
from benchmarks.peers.processes import adopt_orphans
from benchmarks.peers.registry import NAMES
from benchmarks.peers.runner import Runner, local_endpoint
from benchmarks.peers.table import tables

_LIMIT_S = 90.0


def main() -> None:
    """Measures systems that do what amr does, each in its best documented set-up."""
    arguments = _arguments()
    orders = [order for order in SCALES[arguments.scale] if order.workload in arguments.workloads]
    adopt_orphans()
    lines = []
    with tempfile.TemporaryDirectory(prefix="amr-peers-") as folder, local_endpoint() as endpoint:
        server, environment = endpoint
        corpus = Path(folder) / "corpus.txt"
        _write_corpus(corpus, orders)
        environment = {**environment, CORPUS_VARIABLE: str(corpus)}
        runner = Runner(environment, arguments.limit, {server})
        for peer in arguments.peers:
            for line in runner.lines(peer, orders):
                lines.append(line)
                _write(json.dumps(line), arguments.json)
    print(f"\nPython {platform.python_version()}, {find_server().name}\n")
    print(tables(lines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=main.__doc__)
    parser.add_argument("--peers", type=_choice(NAMES), default=NAMES, help=",".join(NAMES))
    parser.add_argument(
        "--workloads", type=_choice(WORKLOADS), default=WORKLOADS, help=",".join(WORKLOADS)
    )
    parser.add_argument("--scale", choices=SCALES, default="full", help="small is to try it out")
    parser.add_argument(
        "--limit", type=float, default=_LIMIT_S, help="seconds that one run of a measure may take"
    )
    parser.add_argument("--json", type=Path, help="append one JSON line a figure to this file")
    return parser.parse_args()


def _choice(names: Sequence[str]) -> Callable[[str], list[str]]:
    def chosen(given: str) -> list[str]:
        found = given.split(",")
        if unknown := set(found) - set(names):
            wrong = ", ".join(sorted(unknown))
            raise argparse.ArgumentTypeError(f"no {wrong}; there are {', '.join(names)}")
        return found

    return chosen


def _write_corpus(corpus: Path, orders: Sequence[Order]) -> None:
    for order in orders:
        if order.workload == "words":
            Corpus(corpus).write(order.size)


def _write(line: str, file: Path | None) -> None:
    print(line, flush=True)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as lines:
            lines.write(line + "\n")


if __name__ == "__main__":
    main()
