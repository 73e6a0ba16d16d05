"""Rates as people write them."""

from __future__ import annotations

import pytest

from amr.rates import MAX_RATE, parse_rate


@pytest.mark.parametrize(
    ("text", "a_second"),
    [("100/s", 100), ("6000/m", 100), ("3600/h", 1), ("1/d", 1 / 86_400), (" 2.5/s ", 2.5), (7, 7)],
)
def test_a_rate_is_a_number_a_second(text: str | float, a_second: float) -> None:
    assert parse_rate(text) == pytest.approx(a_second)


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "100", "100/", "/s", "100/x", "1e3/s", "-1/s", "0/s", "٣/s", "1/s" * 100, "0.5/d"),
        *(0, -1, True, None, [], 10**400, float("nan"), float("inf"), MAX_RATE + 1),
    ],
)
def test_anything_else_is_refused_with_an_example(wrong: object) -> None:
    with pytest.raises(ValueError, match=r'must be a rate such as "100/s"'):
        parse_rate(wrong)  # type: ignore[arg-type]
