"""Collects the pairs of one map task: combined, sorted, and cut into the runs of its partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from amr.errors import PermanentError
from amr.reducers import Reduce
from amr.shuffle.folds import Fold
from amr.shuffle.keys import Key, as_key, order_of
from amr.shuffle.runs import write_combined, write_groups

#: Pairs, or keys of a fold, that are held until they are written out as a run.
HELD_MOST = 500_000

_TAKEN_AT_ONCE = 50_000

#: Gives the partition of each of some keys.
PartitionsOf = Callable[[Sequence[Key]], Iterable[int]]

#: Blocks of one run: the first key and the bytes of each.
Run = list[tuple[Key, bytes]]

#: Some keys of each run, and how many keys one of them stands for.
Samples = list[tuple[int, list[Key]]]

_SAMPLES_A_RUN = 100


class PairError(PermanentError):
    """A mapper gave something that is no pair."""


class Collector:
    """Takes pairs and gives runs.

    Args:
        partitions: number of partitions.
        partitions_of: gives the partitions of keys.
        fold: takes pairs into one value a key, where the combiner has one.
        combine: the combiner, called with a key and its values; None without one.
        held_most: pairs or keys held at a time.
    """

    def __init__(
        self,
        partitions: int,
        partitions_of: PartitionsOf,
        *,
        fold: Fold | None = None,
        combine: Reduce | None = None,
        held_most: int = HELD_MOST,
    ) -> None:
        self._partitions_of = partitions_of
        self._fold = fold
        self._combine = combine
        self._held_most = held_most
        self._folded: dict[Key, Any] = {}
        self._pairs: list[Any] = []
        self._runs: list[list[Run]] = [[] for _ in range(partitions)]
        #: Samples of the keys in the runs, in order.
        self.samples: Samples = []

    def add(self, pairs: Iterable[Any]) -> None:
        """Takes pairs.

        Raises:
            TypeError, ValueError: something is no pair.
            KeyTypeError: a key is of a type that cannot be one.
        """
        rest = iter(pairs)
        if self._fold is not None:
            while self._fold(self._folded, rest, self._held_most):
                self._write_out()
            return
        while taken := list(islice(rest, _TAKEN_AT_ONCE)):
            self._pairs += taken
            if len(self._pairs) >= self._held_most:
                self._write_out()

    def runs(self) -> list[list[Run]]:
        """Returns the runs of each partition, after the last pair."""
        self._write_out()
        return self._runs

    def _write_out(self) -> None:
        held = self._take()
        in_order = sorted(held, key=order_of(held))
        by_partition: list[list[Key]] = [[] for _ in self._runs]
        for key, partition in zip(in_order, self._partitions_of(in_order), strict=True):
            by_partition[partition].append(key)
        is_combined = self._fold is not None or self._combine is not None
        write = write_combined if is_combined else write_groups
        for runs, keys in zip(self._runs, by_partition, strict=True):
            if keys:
                stride = max(1, len(keys) // _SAMPLES_A_RUN)
                self.samples.append((stride, keys[::stride]))
                runs.append(list(write(keys, [held[key] for key in keys])))

    def _take(self) -> dict[Key, Any]:
        """Takes out what is held: the keys with their values, or with their one value."""
        if self._fold is not None:
            folded, self._folded = self._folded, {}
            return folded
        pairs, self._pairs = self._pairs, []
        groups = _group(pairs)
        if self._combine is None:
            return groups
        return {key: self._combine(key, values) for key, values in groups.items()}


def _group(pairs: list[Any]) -> dict[Key, list[Any]]:
    """Brings the values of each key together, in the order in which they came."""
    groups: dict[Key, list[Any]] = {}
    for key, value in pairs:
        if type(key) is not str:
            key = as_key(key)
        if key in groups:
            groups[key].append(value)
        else:
            groups[key] = [value]
    return groups
