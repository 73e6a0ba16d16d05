"""Collects the pairs of one map task: combined, sorted, and cut into the runs of its partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from amr.errors import PermanentError
from amr.reducers import Reduce
from amr.shuffle.folds import Fold
from amr.shuffle.keys import Key, as_key, positions_in_order
from amr.shuffle.runs import write_blocks

#: Pairs, or keys of a fold, that are held until they are written out as a run.
HELD_MOST = 500_000

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
        partitions_of: gives the partitions of keys; None if there is only one.
        fold: takes pairs into one value a key, where the combiner has one.
        combine: the combiner, called with a key and its values; None without one.
        held_most: pairs or keys held at a time.
    """

    def __init__(
        self,
        partitions: int,
        partitions_of: PartitionsOf | None,
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
        self._keys: list[Key] = []
        self._values: list[Any] = []
        self._runs: list[list[Run]] = [[] for _ in range(partitions)]
        #: Samples of the keys in the runs, in order.
        self.samples: Samples = []

    def add(self, pairs: Iterable[Any]) -> None:
        """Takes pairs.

        Raises:
            TypeError, ValueError: something is no pair.
            KeyTypeError: a key is of a type that cannot be one.
        """
        if self._fold is not None:
            rest = iter(pairs)
            while self._fold(self._folded, rest, self._held_most):
                self._write_out()
            return
        keys, values = self._keys, self._values
        for key, value in pairs:
            keys.append(key if type(key) is str else as_key(key))
            values.append(value)
            if len(keys) >= self._held_most:
                self._write_out()
                keys, values = self._keys, self._values

    def runs(self) -> list[list[Run]]:
        """Returns the runs of each partition, after the last pair."""
        self._write_out()
        return self._runs

    def _write_out(self) -> None:
        for runs, (keys, values) in zip(self._runs, self._divide(*self._take()), strict=True):
            if keys:
                positions = positions_in_order(keys)
                stride = max(1, len(positions) // _SAMPLES_A_RUN)
                self.samples.append((stride, [keys[at] for at in positions[::stride]]))
                in_order = [keys[at] for at in positions], [values[at] for at in positions]
                runs.append(list(write_blocks(*in_order)))

    def _take(self) -> tuple[list[Key], list[Any]]:
        """Takes out the keys that are held, and as many values, combined."""
        if self._fold is not None:
            folded, self._folded = self._folded, {}
            return list(folded), list(folded.values())
        keys, self._keys = self._keys, []
        values, self._values = self._values, []
        if self._combine is None:
            return keys, values
        groups: dict[Key, list[Any]] = {}
        for key, value in zip(keys, values, strict=True):
            groups.setdefault(key, []).append(value)
        return list(groups), [self._combine(key, some) for key, some in groups.items()]

    def _divide(self, keys: list[Key], values: list[Any]) -> list[tuple[list[Key], list[Any]]]:
        """Returns the keys and the values of each partition."""
        if self._partitions_of is None:
            return [(keys, values)]
        divided: list[tuple[list[Key], list[Any]]] = [([], []) for _ in self._runs]
        partitions = self._partitions_of(keys)
        for partition, key, value in zip(partitions, keys, values, strict=True):
            keys_there, values_there = divided[partition]
            keys_there.append(key)
            values_there.append(value)
        return divided
