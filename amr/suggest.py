"""Did you mean ...? The nearest known name to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

#: Longer names are not compared: difflib takes time in the square of the length.
_MOST_CHARACTERS = 200


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the one of ``known`` that ``name`` was most likely meant to be, or None.

    Capitals make no difference.
    """
    if len(name) > _MOST_CHARACTERS:
        return None
    by_lower_case = {one.lower(): one for one in known}
    close = get_close_matches(name.lower(), by_lower_case, n=1)
    return by_lower_case[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns ``; did you mean "x"?`` to end a message with, or an empty string."""
    guess = nearest(name, known)
    return f'; did you mean "{guess}"?' if guess is not None else ""
