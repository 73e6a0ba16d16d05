"""Combiners of our own as folds: pairs into a dict of one value a key, as fast as a plain loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from amr.reducers import PREFIX
from amr.shuffle.keys import as_key

Pairs = Iterable[tuple[Any, Any]]

#: Takes pairs until there are so many keys; tells whether it stopped before the last pair.
Fold = Callable[[dict[Any, Any], Pairs, int], bool]


def find_fold(combiner: str) -> Fold | None:
    """Returns the fold of a combiner's name, or None where it has none."""
    return _FOLDS.get(combiner)


def find_last_fold(reducer: str, combiner: str | None) -> Fold | None:
    """Returns the fold that does what a reducer of ours does after a combiner, or None."""
    if reducer == combiner == PREFIX + "count":
        return _fold_sum
    return _FOLDS.get(reducer)


def _fold_sum(found: dict[Any, Any], pairs: Pairs, most: int) -> bool:
    # Python's equality is that of keys: only a new one, and a list, has to be put in its one form.
    for key, value in pairs:
        try:
            found[key] += value
        except KeyError:
            found[key if type(key) is str else as_key(key)] = value
            if len(found) >= most:
                return True
        except TypeError:
            if not isinstance(key, list):
                raise
            key = as_key(key)
            found[key] = found[key] + value if key in found else value
    return False


def _fold_min(found: dict[Any, Any], pairs: Pairs, most: int) -> bool:
    return _fold_best(found, pairs, most, min)


def _fold_max(found: dict[Any, Any], pairs: Pairs, most: int) -> bool:
    return _fold_best(found, pairs, most, max)


def _fold_best(
    found: dict[Any, Any], pairs: Pairs, most: int, better: Callable[[Any, Any], Any]
) -> bool:
    for key, value in pairs:
        if type(key) is not str:
            key = as_key(key)
        if key in found:
            found[key] = better(found[key], value)
        else:
            found[key] = value
            if len(found) >= most:
                return True
    return False


def _fold_first(found: dict[Any, Any], pairs: Pairs, most: int) -> bool:
    for key, value in pairs:
        found.setdefault(key if type(key) is str else as_key(key), value)
        if len(found) >= most:
            return True
    return False


def _fold_count(found: dict[Any, Any], pairs: Pairs, most: int) -> bool:
    return _fold_sum(found, ((key, 1) for key, _ in pairs), most)


_FOLDS: dict[str, Fold] = {
    PREFIX + "sum": _fold_sum,
    PREFIX + "count": _fold_count,
    PREFIX + "min": _fold_min,
    PREFIX + "max": _fold_max,
    PREFIX + "first": _fold_first,
}
