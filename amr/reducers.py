"""Reducers and combiners by name, such as ``amr.sum``: called with a key and its values.

A combiner of ours gives partial results. Those of ``sum``, ``min``, ``max`` and ``first`` are like
the mapper's values, so that any reducer may follow; ``count`` gives numbers to be added; those of
``mean``, ``list`` and ``top`` are understood by the reducer of the same name only.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import Any

Reduce = Callable[[Any, Iterable[Any]], Any]

#: What the names begin with; no function of a user is called so.
PREFIX = "amr."

#: Combiners whose partial results only the reducer of the same name understands.
_OPAQUE = ("mean", "list", "top")


def _sum(_key: Any, values: Iterable[Any]) -> Any:
    return sum(values)


def _count(_key: Any, values: Iterable[Any]) -> int:
    return sum(1 for _ in values)


def _min(_key: Any, values: Iterable[Any]) -> Any:
    return min(values)


def _max(_key: Any, values: Iterable[Any]) -> Any:
    return max(values)


def _total_and_count(_key: Any, values: Iterable[Any]) -> list[Any]:
    count, total = 0, 0
    for value in values:
        count += 1
        total += value
    return [total, count]


def _mean(key: Any, values: Iterable[Any]) -> float:
    total, count = _total_and_count(key, values)
    return float(total / count)


def _mean_of_parts(_key: Any, parts: Iterable[Any]) -> float:
    totals, counts = zip(*parts, strict=True)
    return float(sum(totals) / sum(counts))


def _total_and_count_of_parts(_key: Any, parts: Iterable[Any]) -> list[Any]:
    totals, counts = zip(*parts, strict=True)
    return [sum(totals), sum(counts)]


def _list(_key: Any, values: Iterable[Any]) -> list[Any]:
    return list(values)


def _joined(_key: Any, parts: Iterable[Any]) -> list[Any]:
    return list(chain.from_iterable(parts))


def _first(_key: Any, values: Iterable[Any]) -> Any:
    return next(iter(values))


def _top(most: int, _key: Any, values: Iterable[Any]) -> list[Any]:
    return heapq.nlargest(most, values)


def _top_of_parts(most: int, key: Any, parts: Iterable[Any]) -> list[Any]:
    return _top(most, key, chain.from_iterable(parts))


_REDUCERS: dict[str, Reduce] = {
    "sum": _sum,
    "count": _count,
    "min": _min,
    "max": _max,
    "mean": _mean,
    "list": _list,
    "first": _first,
}
_COMBINERS = _REDUCERS | {"mean": _total_and_count}
_OF_PARTS = _REDUCERS | {"count": _sum, "mean": _mean_of_parts, "list": _joined}
_MERGERS = _OF_PARTS | {"mean": _total_and_count_of_parts}
_TOP = re.compile(r"top\(([1-9][0-9]{0,5})\)")

#: Every name, for messages.
NAMES = (*(PREFIX + name for name in _REDUCERS), "amr.top(10)")


def is_builtin(name: str | None) -> bool:
    """Whether a name is one of ours and not of a user's function."""
    return name is not None and name.startswith(PREFIX)


def is_known(name: str) -> bool:
    """Whether there is a reducer of ours with this name."""
    return _find(name, _REDUCERS, _top) is not None


def builtin_reducer(name: str, combiner: str | None = None) -> Reduce:
    """Returns the reducer of ours, as it is called after the combiner of that name."""
    found = _find(name, _OF_PARTS, _top_of_parts) if name == combiner else None
    found = found or _find(name, _REDUCERS, _top)
    assert found is not None, name
    return found


def builtin_combiner(name: str) -> Reduce:
    """Returns the combiner of ours."""
    found = _find(name, _COMBINERS, _top)
    assert found is not None, name
    return found


def builtin_merger(name: str) -> Reduce:
    """Returns what makes one partial result of several that the combiner of ours has given."""
    found = _find(name, _MERGERS, _top_of_parts)
    assert found is not None, name
    return found


def is_opaque(combiner: str) -> bool:
    """Whether only the reducer of the same name understands what a combiner of ours gives."""
    return is_builtin(combiner) and combiner.removeprefix(PREFIX).partition("(")[0] in _OPAQUE


def _find(name: str, named: dict[str, Reduce], top: Callable[..., Any]) -> Reduce | None:
    short = name.removeprefix(PREFIX)
    if found := _TOP.fullmatch(short):
        return partial(top, int(found[1]))
    return named.get(short)
