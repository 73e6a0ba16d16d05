"""Merges sorted runs: one stream of keys, each with all its values."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heapreplace
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from amr.shuffle.folds import Fold, Pairs
from amr.shuffle.keys import Key, order_of, positions_in_order, rank
from amr.shuffle.runs import Block

#: For so many runs a stretch reads one block ahead: what it costs for each run is shared by more
#: keys.
_RUNS_A_BLOCK = 8


def merge(runs: Iterable[Iterable[Block]]) -> Iterator[tuple[Key, Iterator[Any]]]:
    """Yields each key, in order, with its values run by run.

    The values of a key are to be read before the next key; what is left of them is skipped.
    """
    for key, pairs in groupby(chain.from_iterable(_stretches(runs, _sorted)), itemgetter(0)):
        yield key, map(itemgetter(1), pairs)


def merge_folded(runs: Iterable[Iterable[Block]], fold: Fold) -> Iterator[tuple[Key, Any]]:
    """Yields each key, in order, with what ``fold`` makes of its values."""
    for pairs in _stretches(runs, _unsorted):
        found: dict[Key, Any] = {}
        fold(found, pairs, sys.maxsize)
        for key in sorted(found, key=order_of(found)):
            yield key, found[key]


def _stretches(
    runs: Iterable[Iterable[Block]], join: Callable[[list[Block]], Pairs]
) -> Iterator[Pairs]:
    """Yields the pairs of the keys of one stretch after the other; those of a key run by run.

    The keys before the last one at hand of every run are at hand in all of them: they are one
    stretch, whose blocks ``join`` brings together. That last key itself, which may have any number
    of pairs, is the next one; its pairs are read as they are asked for.
    """
    cursors = [_Cursor(run) for run in runs]
    while cursors := [cursor for cursor in cursors if cursor.is_open()]:
        first_to_end = _read_ahead(cursors)
        if first_to_end is None:
            yield join([cursor.take_before(None) for cursor in cursors])
            return
        last = first_to_end.last
        end = rank(last)
        yield join([cursor.take_before(end) for cursor in cursors])
        yield chain.from_iterable([cursor.take(last) for cursor in cursors])


def _unsorted(blocks: list[Block]) -> Pairs:
    return chain.from_iterable(zip(*block, strict=True) for block in blocks)


def _sorted(blocks: list[Block]) -> Pairs:
    """Yields the pairs of blocks in order; of one key in the order of the blocks."""
    keys = list(chain.from_iterable(block.keys for block in blocks))
    values = list(chain.from_iterable(block.values for block in blocks))
    positions = positions_in_order(keys)
    return zip(map(keys.__getitem__, positions), map(values.__getitem__, positions), strict=True)


class _Cursor:
    """Stands in a run, before a pair of it.

    Attributes:
        last: the last key at hand.
    """

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._blocks = iter(blocks)
        self._keys: list[Key] = []
        self._values: list[Any] = []
        self._at = 0
        self.last: Key = None

    def is_open(self) -> bool:
        """Whether there is another pair; if so, it is at hand."""
        return self._at < len(self._keys) or self.read_on()

    def read_on(self) -> bool:
        """Reads one more block, if there is one."""
        block = next(self._blocks, None)
        if block is None:
            return False
        self._keys = self._keys[self._at :] + block.keys
        self._values = self._values[self._at :] + block.values
        self._at = 0
        self.last = self._keys[-1]
        return True

    def take_before(self, end: Any) -> Block:
        """Takes the pairs at hand whose keys are before ``end``, a rank; all if it is None."""
        first = self._at
        self._at = len(self._keys)
        if end is not None:
            self._at = bisect_left(self._keys, end, lo=first, key=rank)
        return Block(self._keys[first : self._at], self._values[first : self._at])

    def take(self, key: Key) -> Iterator[tuple[Key, Any]]:
        """Yields the pairs of a key, before which the run stands if it has it."""
        while self.is_open() and self._keys[self._at] == key:
            self._at += 1
            yield key, self._values[self._at - 1]


def _read_ahead(cursors: Sequence[_Cursor]) -> _Cursor | None:
    """Reads some blocks of the runs whose keys at hand end first.

    Returns the run that is the next to end, of those that may have more; None if none has.
    """
    ends = [(rank(cursor.last), at) for at, cursor in enumerate(cursors)]
    heapify(ends)
    left = 1 + len(cursors) // _RUNS_A_BLOCK
    while ends and left:
        at = ends[0][1]
        if cursors[at].read_on():
            heapreplace(ends, (rank(cursors[at].last), at))
            left -= 1
        else:
            heappop(ends)
    return cursors[ends[0][1]] if ends else None
