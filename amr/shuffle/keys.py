"""Keys of the shuffle: which are one key, how they are ordered, and which partition they go to.

A key is null, a number, a string, or a list of keys. Two numbers of one value are one key, and so
are 1 and true. The order is: null, numbers by value, strings by code point, lists element by
element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from zlib import crc32

import orjson

from amr.errors import PermanentError

#: A key as a dict takes it: a list has become a tuple, a whole float an int.
Key = Any


class KeyTypeError(PermanentError):
    """A mapper gave a key that cannot be one."""


def as_key(value: Any) -> Key:
    """Returns the key that a mapper gave, in the one form that equal keys have.

    Raises:
        KeyTypeError: it is of a type that cannot be a key.
    """
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if kind is bool:
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise KeyTypeError(f"a key must not be {value}")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, (list, tuple)):
        return tuple(as_key(each) for each in value)
    if isinstance(value, (str, int)):
        return as_key(kind.__mro__[-2](value))
    raise KeyTypeError(
        f"a key is null, a number, a string or a list of these, not of type {kind.__name__}"
    )


def as_given(key: Key) -> Any:
    """Returns a key as functions get it: a tuple is a list again."""
    return [as_given(each) for each in key] if isinstance(key, tuple) else key


def rank(key: Key) -> tuple[Any, ...]:
    """Returns what sorts keys of all types."""
    if isinstance(key, str):
        return (2, key)
    if key is None:
        return (0,)
    if isinstance(key, (tuple, list)):
        return (3, tuple(rank(each) for each in key))
    return (1, key)


def order_of(keys: Iterable[Key]) -> Callable[[Key], Any] | None:
    """Returns what sorts just these keys: None where they sort by themselves."""
    kinds = set(map(type, keys))
    if kinds <= {str} or kinds <= {int, float}:
        return None
    return rank


def positions_in_order(keys: Sequence[Key]) -> list[int]:
    """Returns where keys stand, in their order; of equal ones in the order in which they stand.

    They sort more than the keys: to the garbage collector, numbers are less work than pairs.
    """
    order = order_of(keys)
    places = keys if order is None else list(map(order, keys))
    return sorted(range(len(keys)), key=places.__getitem__)


def partitions_by_hash(keys: Iterable[Key], partitions: int) -> list[int]:
    """Returns the partitions of keys: the CRC-32 of their JSON, the same everywhere and always."""
    dumps = orjson.dumps
    return [crc32(dumps(key)) % partitions for key in keys]
