"""The wait before an attempt: exponential, jittered, bounded."""

from __future__ import annotations

import random

import pytest

from amr.invokers.retry import delay_s


@pytest.mark.parametrize(("attempt", "longest"), [(1, 1.0), (2, 2.0), (4, 8.0), (9, 60.0)])
def test_the_longest_wait_doubles_up_to_its_bound(attempt: int, longest: float) -> None:
    rng = random.Random(7)
    waits = [delay_s(attempt, 1.0, 60.0, rng) for _ in range(2000)]
    assert 0 <= min(waits) < 0.01 * longest
    assert 0.99 * longest < max(waits) <= longest


def test_any_number_of_attempts_is_bounded() -> None:
    assert delay_s(10_000, 1.0, 60.0) <= 60.0
