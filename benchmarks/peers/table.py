"""Makes Markdown tables of the figures: ``python -m benchmarks.peers.table FILE``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Line = Mapping[str, Any]


class _Column(NamedTuple):
    title: str
    workload: str
    figure: str
    unit: str = ""
    digits: int = 2


_GROUPS: dict[str, tuple[_Column, ...]] = {
    "No-op tasks, and jobs of one task": (
        _Column("{size:,} no-op, tasks/s", "noop", "tasks_per_s", digits=0),
        _Column("one task, p50", "latency", "p50", "ms", 1),
        _Column("one task, p95", "latency", "p95", "ms", 1),
    ),
    "Computation: of two ideal cores": (_Column("{task_ms:,} ms × {size:,}", "pi", "of_ideal"),),
    "Waits and data": (
        _Column("{size:,} waits of 100 ms", "wait", "seconds", "s"),
        _Column("{size:,} HTTP calls of 100 ms", "fetch", "seconds", "s"),
        _Column("{size:,} outputs of 100 kB", "outputs", "seconds", "s"),
        _Column("word count, {size:,} MB", "words", "seconds", "s"),
    ),
    "What it takes": (
        _Column("start to first result", "startup", "seconds", "s"),
        _Column(
            "Redis at the peak of {size:,} no-op, bytes/task", "memory", "redis_peak", digits=0
        ),
        _Column("Redis afterwards, bytes/task", "memory", "redis_left", digits=0),
        _Column("all its processes, idle", "memory", "system_before", "MiB", 0),
        _Column("at the peak", "memory", "system_peak", "MiB", 0),
    ),
}


def tables(lines: Iterable[Line]) -> str:
    """Returns the tables, the reasons of what is missing, and the set-ups.

    A figure is a median, with the lowest and the highest of its runs.
    """
    found = list(lines)
    parts = [_table(title, columns, found) for title, columns in _GROUPS.items()]
    return "\n\n".join(part for part in (*parts, _missing(found), _setups(found)) if part)


def _table(title: str, columns: Sequence[_Column], lines: Sequence[Line]) -> str:
    peers = _peers(line for line in lines if line.get("workload") in {c.workload for c in columns})
    if not peers:
        return ""
    heads, rows = ["system"], [[peer] for peer in peers]
    for column in columns:
        for key in _keys(column, lines):
            heads.append(column.title.format(**key))
            for peer, row in zip(peers, rows, strict=True):
                row.append(_cell(column, _of_peer(lines, peer, key)))
    return f"{title}:\n\n" + _markdown(heads, rows)


def _markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    whole = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in whole)


def _peers(lines: Iterable[Line]) -> list[str]:
    return list(dict.fromkeys(line["peer"] for line in lines))


def _keys(column: _Column, lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Returns the measures of a column, each of another size, in their order."""
    found = [
        (line["workload"], line["size"], line["task_ms"])
        for line in lines
        if line.get("workload") == column.workload
    ]
    names = ("workload", "size", "task_ms")
    return [dict(zip(names, values, strict=True)) for values in dict.fromkeys(found)]


def _of_peer(lines: Sequence[Line], peer: str, key: Mapping[str, Any]) -> list[Line]:
    return [line for line in lines if line["peer"] == peer and key.items() <= line.items()]


def _cell(column: _Column, lines: Sequence[Line]) -> str:
    for line in lines:
        if "failed" in line:
            return "failed"
        if "not_run" in line:
            return "not run"
        if line["figure"] == column.figure:
            median, low, high = (
                f"{line[of]:,.{column.digits}f}" for of in ("median", "low", "high")
            )
            return f"{median} {column.unit}".strip() + f" ({low}–{high})"
    return "–"


def _missing(lines: Sequence[Line]) -> str:
    """Returns what was not run or failed, each with its reason."""
    found = []
    for line in lines:
        for kind in ("not_run", "failed"):
            if kind in line:
                what = [
                    line["peer"],
                    line.get("workload"),
                    f"{line['size']:,}" if "size" in line else None,
                ]
                name = " ".join(word for word in what if word)
                task = f" of {line['task_ms']:,} ms" if line.get("task_ms") else ""
                found.append(f"- {name}{task}: {kind.replace('_', ' ')}: {line[kind]}")
    return "Without a figure:\n\n" + "\n".join(found) if found else ""


def _setups(lines: Sequence[Line]) -> str:
    rows = [
        [
            line["peer"],
            ", ".join(f"{name} {version}" for name, version in line["versions"].items()),
            "yes" if line["survives_client"] else "no",
            line["setup"],
        ]
        for line in lines
        if "setup" in line
    ]
    heads = ("system", "versions", "fan-in survives its client", "set-up")
    return "Set-ups:\n\n" + _markdown(heads, rows) if rows else ""


if __name__ == "__main__":
    print(tables(map(json.loads, Path(sys.argv[1]).read_text().splitlines())))
