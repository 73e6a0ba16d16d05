"""Errors that are alike, told once: a million failed tasks have a handful of causes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from amr.store.status import FailedTask, SkippedRecord

_NAMED_MOST = 5
_TOLD = ("type", "where", "message")


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Failed tasks and skipped records whose errors are of one type and came from one place.

    Attributes:
        type: of the error, such as ``ValueError`` or ``HTTP 503``.
        where: file and line of the function, or its name; empty where it was not called.
        count: how many there are.
        message: that of the first one.
        places: the first ones, such as ``map[3]``.
    """

    type: str
    where: str
    count: int
    message: str
    places: tuple[str, ...]


def group_errors(failures: Iterable[FailedTask | SkippedRecord]) -> list[ErrorGroup]:
    """Returns the groups, the largest first; holds a few words of each, and no failure."""
    counts: Counter[tuple[str, str]] = Counter()
    first: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for failure in failures:
        kind, where, message = (str(failure.error.get(name, "")) for name in _TOLD)
        counts[kind, where] += 1
        if len(first[kind, where]) < _NAMED_MOST:
            first[kind, where].append((failure.place, message))
    return [
        ErrorGroup(*group, count, first[group][0][1], tuple(place for place, _ in first[group]))
        for group, count in counts.most_common()
    ]
