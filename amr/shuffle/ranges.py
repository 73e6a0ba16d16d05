"""Partitions that are ranges of keys, so that all parts together are in order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from amr.shuffle.collect import Samples
from amr.shuffle.keys import rank
from amr.shuffle.mapped import Part
from amr.shuffle.runs import Block


class KeyRange(NamedTuple):
    """Keys from ``low`` to before ``high``, as ranks; None is no bound."""

    low: Any
    high: Any

    def parts(self, run: Sequence[Part]) -> Sequence[Part]:
        """Returns the parts of a run in which keys of this range may be."""
        ranks = [rank(part.key) for part in run]
        # The part before the first that begins in here may end in here.
        first = 0 if self.low is None else max(0, bisect_left(ranks, self.low) - 1)
        last = len(run) if self.high is None else bisect_left(ranks, self.high)
        return run[first:last]

    def cut(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yields what is in the range of the blocks of a run."""
        for keys, values in blocks:
            first = 0 if self.low is None else bisect_left(keys, self.low, key=rank)
            end = len(keys) if self.high is None else bisect_left(keys, self.high, key=rank)
            if first < end:
                yield Block(keys[first:end], values[first:end])
            if end < len(keys):
                return


def key_range(samples: Iterable[Samples], partitions: int, partition: int) -> KeyRange:
    """Returns the range of a partition: all have about as many keys, by the samples of all tasks.

    Who has the same samples gets the same ranges.
    """
    ranked = sorted(
        (rank(key), weight) for task in samples for weight, keys in task for key in keys
    )
    total = sum(weight for _, weight in ranked)
    bounds: list[Any] = []
    passed = 0
    for place, weight in ranked:
        while len(bounds) < partitions - 1 and passed >= total * (len(bounds) + 1) / partitions:
            bounds.append(place)
        passed += weight
    bounds += [(9,)] * (partitions - 1 - len(bounds))  # behind every key
    low = bounds[partition - 1] if partition else None
    high = bounds[partition] if partition < partitions - 1 else None
    return KeyRange(low, high)
