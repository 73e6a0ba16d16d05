"""Plain programs that do what jobs do, to compare with: no queue, no retries, nothing shared."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.figures import Took, since
from functions.text import words

_SORT_MEMORY = "200M"


def count_words(path: Path, split: int, processes: int) -> tuple[dict[str, int], Took]:
    """Counts the words of a text with a pool of processes; returns the counts, and what it took.

    Args:
        path: the text.
        split: bytes that are read at a time.
        processes: how many.
    """
    splits = [(path, start, split) for start in range(0, path.stat().st_size, split)]
    began = os.times()
    totals: dict[str, int] = {}
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for counts in pool.imap_unordered(_count_words, splits):
            for word, count in counts.items():
                totals[word] = totals.get(word, 0) + count
        pool.close()
        pool.join()
    return totals, since(began)


def _count_words(where: tuple[Path, int, int]) -> dict[str, int]:
    path, start, size = where
    with path.open("rb") as file:
        file.seek(max(0, start - 1))
        if start:
            file.readline()
        text = file.read(max(0, start + size - file.tell())) + file.readline()
    counts: dict[str, int] = {}
    for line in text.decode().split("\n"):
        for word, one in words(line):
            counts[word] = counts.get(word, 0) + one
    return counts


def sort_lines(path: Path, sorted_path: Path, processes: int) -> Took:
    """Sorts a file with ``sort``; returns what it took."""
    command: list[Any] = ["sort", "-S", _SORT_MEMORY, f"--parallel={processes}"]
    began = os.times()
    subprocess.run(
        [*command, "-T", path.parent, "-o", sorted_path, path],
        check=True,
        env=os.environ | {"LC_ALL": "C"},
    )
    return since(began)
