"""Merges sorted runs: one stream of keys, each with all its values."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from amr.shuffle.keys import Key, order_of, rank
from amr.shuffle.runs import Group


def merge_in_memory(runs: Sequence[Iterable[Group]]) -> Iterator[tuple[Key, Iterator[Any]]]:
    """Yields each key, in order, with its values run by run; holds all of them."""
    groups: dict[Key, list[Any]] = {}
    for run in runs:
        for key, values in run:
            if key in groups:
                groups[key] += values
            else:
                groups[key] = values
    for key in sorted(groups, key=order_of(groups)):
        yield key, iter(groups.pop(key))


def merge_streams(runs: Sequence[Iterable[Group]]) -> Iterator[tuple[Key, Iterator[Any]]]:
    """Yields the same, and holds no more than a block of each run.

    The values of a key are to be read before the next key; what is left of them is skipped.
    """
    streams = [((rank(key), key, values) for key, values in run) for run in runs]
    merged = heapq.merge(*streams, key=itemgetter(0))
    for _, same in groupby(merged, key=itemgetter(0)):
        yield _one_key(same)


def _one_key(same: Iterator[tuple[Any, Key, list[Any]]]) -> tuple[Key, Iterator[Any]]:
    _, key, values = next(same)
    return key, chain(values, chain.from_iterable(more for _, _, more in same))
