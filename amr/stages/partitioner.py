"""Which partition each key of a shuffled job goes to."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from amr.errors import PermanentError
from amr.invokers.registry import Registry
from amr.jobspec.shuffle import ShuffleSpec
from amr.shuffle.collect import PartitionsOf
from amr.shuffle.keys import Key, as_given, partitions_by_hash
from amr.stages.keyed import keyed_function

#: Keys whose partition by a user's function is remembered.
_REMEMBERED = 100_000


def choose_partitions(shuffle: ShuffleSpec, registry: Registry) -> PartitionsOf | None:
    """Returns what gives the partitions of keys on a map task; None where they are ranges of keys.

    Raises:
        PermanentError: the partitioner is not known here, or is called otherwise.
    """
    if shuffle.is_range:
        return None
    if shuffle.partitioner == "hash":
        return partial(partitions_by_hash, partitions=shuffle.partitions)
    function = keyed_function(registry, shuffle.partitioner, "partitions")
    # Keys come once for each pair; a function of a user may take its time.
    return partial(map, lru_cache(_REMEMBERED)(partial(_checked, function, shuffle)))


def _checked(function: Callable[[Any, int], Any], shuffle: ShuffleSpec, key: Key) -> int:
    partition = function(as_given(key), shuffle.partitions)
    if isinstance(partition, bool) or not isinstance(partition, int):
        kind = type(partition).__name__
        raise PermanentError(f"partitioner {shuffle.partitioner} returned a {kind}, not a number")
    return partition % shuffle.partitions
