"""How long to wait before the next attempt: exponential backoff with full jitter."""

from __future__ import annotations

import random

_MOST_DOUBLINGS = 60


def delay_s(
    attempt: int, backoff_s: float, max_backoff_s: float, rng: random.Random | None = None
) -> float:
    """Returns the seconds to wait after attempt number ``attempt``.

    Drawn evenly from 0 to ``backoff_s * 2 ** (attempt - 1)``, at most ``max_backoff_s``: full
    jitter, as in Marc Brooker's "Exponential Backoff and Jitter" (2015).
    """
    longest = min(max_backoff_s, backoff_s * 2 ** min(attempt - 1, _MOST_DOUBLINGS))
    return (rng or random).uniform(0.0, longest)
