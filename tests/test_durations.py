import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amr.durations import DURATION_PATTERN, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("700ms", 0.7),
        ("30s", 30),
        ("1.5s", 1.5),
        ("5m", 300),
        ("24h", 86_400),
        ("7d", 604_800),
        ("1h30m", 5400),
        ("2m05s", 125),
        (" 9s ", 9),
        ("45", 45),
        ("0.5", 0.5),
        (45, 45),
        (0, 0),
        (0.25, 0.25),
    ],
)
def test_durations_are_read_as_seconds(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "s",
        "5 m",
        "5M",
        "-5s",
        "+5s",
        "1e3",
        "1e3s",
        "5m5m",
        "5s1h",
        "10 minutes",
        "٣s",
        "nan",
        "inf",
        "9" * 500 + "s",
        -1,
        -0.001,
        math.nan,
        math.inf,
        10**400,
        True,
        None,
        [30],
        {"s": 30},
    ],
)
def test_anything_else_is_refused_and_told_what_is_allowed(value: object) -> None:
    with pytest.raises(ValueError, match=r"must be a duration such as .*found") as caught:
        parse_duration(value)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0004, "0.4ms"),
        (0.25, "250ms"),
        (0.9996, "1s"),
        (1.5, "1.5s"),
        (30, "30s"),
        (59.96, "1m"),
        (125, "2m05s"),
        (600, "10m"),
        (3599.6, "1h"),
        (11_400, "3h10m"),
        (86_399, "1d"),
        (187_200, "2d04h"),
        (-1.5, "-1.5s"),
        (math.inf, "unknown"),
    ],
)
def test_seconds_are_written_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, 1e9))
def test_what_is_written_can_be_read_and_is_near(seconds: float) -> None:
    text = format_duration(seconds)
    if seconds >= 0.001:
        assert re.fullmatch(DURATION_PATTERN, text)
        assert parse_duration(text) == pytest.approx(seconds, rel=0.05)


@given(st.text(alphabet="0123456789.dhms ", max_size=30))
def test_any_text_is_a_finite_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 <= seconds < math.inf
