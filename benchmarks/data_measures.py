"""Measures of jobs on data, run as ``amr run`` does: each at a size, and at ten times of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import orjson

from benchmarks import plain
from benchmarks.datasets import write_records, write_text
from benchmarks.figures import Bench, Figure, Took
from benchmarks.one_job import Ran, load_job, run_job

#: Sizes of the smaller run; --full makes both runs ten times as large.
_TEXT_MB = 10
_RECORDS = 100_000
_PAIRS = 100_000

#: Runs of the smaller size; the larger one runs once.
_SMALL_RUNS = 3

_SPLIT_BYTES = 16_000_000
_PAIRS_A_TASK = 100_000
_PAIRS_A_KEY = 10


class _Case(NamedTuple):
    """A job that is to be measured.

    Attributes:
        job: its description.
        functions: directory of its functions.
        against: name of the plain program that does the same, or None.
        check: compares a result with what is right; returns what the plain program took.
    """

    job: dict[str, Any]
    functions: str
    against: str | None
    check: Callable[[Any], Took]


def wordcount(bench: Bench) -> Iterator[Figure]:
    """Words of a text with a combiner, against a pool of processes with the same mapper."""
    return _measure(bench, _TEXT_MB, "MB", _word_count)


def sort(bench: Bench) -> Iterator[Figure]:
    """Records of 100 bytes in the order of their keys, against ``sort`` with 200 MB of memory."""
    return _measure(bench, _RECORDS, "records", _sort)


def shuffle(bench: Bench) -> Iterator[Figure]:
    """Pairs without a combiner, ten a key."""
    return _measure(bench, _PAIRS, "pairs", _shuffle)


def _measure(
    bench: Bench, size: int, unit: str, prepare: Callable[[Path, int, int], _Case]
) -> Iterator[Figure]:
    scale = 10 if bench.full else 1
    smaller = larger = Took(0, 0)
    for count, runs in ((size * scale, _SMALL_RUNS), (10 * size * scale, 1)):
        with tempfile.TemporaryDirectory(prefix="amr-bench-") as folder:
            case = prepare(Path(folder), count, bench.workers)
            found, others = [], []
            for _ in range(runs):
                ran = run_job(case.job, case.functions, bench.workers, Path(folder))
                others.append(case.check(ran.result))
                found.append(ran._replace(result=None))
        smaller, larger = larger, _middle([ran.job for ran in found])
        yield from _figures(f"{count:,} {unit}", count, unit, found)
        if case.against is not None:
            yield from _compare(case.against, [ran.whole for ran in found], others)
    yield Figure("ten times the data take", larger.elapsed_s / smaller.elapsed_s, "times")
    of_processors = larger.processor_s / smaller.processor_s
    yield Figure("    in processor time", of_processors, "times")


def _figures(name: str, count: int, unit: str, found: list[Ran]) -> Iterator[Figure]:
    took = _middle([ran.job for ran in found])
    yield Figure(name, took.elapsed_s, "s")
    yield Figure("    processor time of the workers", took.processor_s, "s")
    yield Figure("    a second", count / took.elapsed_s, f"{unit}/s")
    yield Figure("    largest worker at its peak", _most(found, "worker_bytes"), "MB")
    yield Figure("    client and supervisor at their peak", _most(found, "client_bytes"), "MB")
    yield Figure("    Redis at its peak", _most(found, "redis_bytes"), "MB")
    yield Figure("    to and from Redis", _most(found, "traffic_bytes"), "MB")
    yield Figure("    in the store", _most(found, "stored_bytes"), "MB")


def _compare(against: str, ours: list[Took], others: list[Took]) -> Iterator[Figure]:
    """Yields the ratios to a plain program, of pairs that ran one after the other."""
    rows = list(zip(ours, others, strict=True))
    elapsed = median(our.elapsed_s / other.elapsed_s for our, other in rows)
    of_processors = median(our.processor_s / other.processor_s for our, other in rows)
    yield Figure(f"    of {against}, start and end included", elapsed, "ratio")
    yield Figure("    the same in processor time", of_processors, "ratio")


def _middle(took: list[Took]) -> Took:
    return Took(median(each.elapsed_s for each in took), median(each.processor_s for each in took))


def _most(found: list[Ran], name: str) -> float:
    return max(getattr(ran, name) for ran in found) / 1e6


def _word_count(folder: Path, megabytes: int, workers: int) -> _Case:
    text = folder / "text.txt"
    _apart(write_text, text, megabytes * 1_000_000)

    def check(result: Any) -> Took:
        counts, took = plain.count_words(text, _SPLIT_BYTES, workers)
        assert dict(result) == counts
        return took

    inputs = {"lines": str(text), "split": _SPLIT_BYTES}
    job = load_job("word-count.json") | {"inputs": inputs}
    return _Case(job, "functions", "a plain pool of processes", check)


def _sort(folder: Path, records: int, workers: int) -> _Case:
    unsorted, in_order = folder / "records.txt", folder / "sorted.txt"
    _apart(write_records, unsorted, records)

    def check(result: Any) -> Took:
        took = plain.sort_lines(unsorted, in_order, workers)
        with in_order.open("rb") as lines:
            wanted = (b'"%b"\n' % line.rstrip(b"\n") for line in lines)
            assert all(mine == line for mine, line in zip(_lines(result), wanted, strict=True))
        return took

    job = load_job("sort.json") | {
        "inputs": {"lines": str(unsorted), "split": _SPLIT_BYTES},
        "output": str(folder / "{job}" / "{partition}.jsonl"),
    }
    return _Case(job, "functions", "sort -S 200M", check)


def _shuffle(folder: Path, pairs: int, _workers: int) -> _Case:
    keys = pairs // _PAIRS_A_KEY
    firsts = range(0, pairs, _PAIRS_A_TASK)
    job = {
        "mapper": "bench.pairs",
        "inputs": [
            {"first": first, "end": min(first + _PAIRS_A_TASK, pairs), "keys": keys}
            for first in firsts
        ],
        "reducer": "amr.sum",
        "shuffle": {},
        "output": str(folder / "{job}" / "{partition}.jsonl"),
    }

    def check(result: Any) -> Took:
        sums = [orjson.loads(line)[1] for line in _lines(result)]
        assert len(sums) == keys
        assert sum(sums) == pairs * (pairs - 1) // 2
        return Took(0, 0)

    return _Case(job, "benchmarks/functions", None, check)


def _apart(write: Callable[[Path, int], None], path: Path, size: int) -> None:
    """Writes data in another process, so that this one is no larger for it."""
    with get_context("fork").Pool(1) as pool:
        pool.apply(write, (path, size))


def _lines(result: dict[str, Any]) -> Iterator[bytes]:
    """Yields the lines of all part files, in order; each file is deleted behind them."""
    for part in result["parts"]:
        path = Path(part["path"])
        with path.open("rb") as lines:
            yield from lines
        path.unlink()
