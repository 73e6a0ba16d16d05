"""Durations as people write them: ``250ms``, ``30s``, ``1h30m``, or plain seconds."""

from __future__ import annotations

import math
import re

from amr.wording import found

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"

#: What a duration with units looks like (or an empty string), in the syntax of JSON Schema too.
DURATION_PATTERN = "^" + "".join(f"(?:({_NUMBER}){u})?" for u in ("d", "h", "m", "s", "ms")) + "$"

_WITH_UNITS = re.compile(DURATION_PATTERN)
_PLAIN = re.compile(_NUMBER)

#: Milliseconds a unit, in the order of the pattern's groups.
_UNITS_MS = (86_400_000, 3_600_000, 60_000, 1000, 1)

_MOST_CHARACTERS = 100


def parse_duration(value: str | int | float) -> float:
    """Returns the seconds that ``value`` stands for.

    Args:
        value: a number of seconds, as a number or in a string, or a string with units: ``250ms``,
            ``30s``, ``5m``, ``24h``, ``7d``, or several from the greatest down: ``1h30m``.

    Raises:
        ValueError: it is anything else, negative or not finite; the message says what is allowed.
    """
    seconds = _seconds(value)
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        raise ValueError(
            'must be a duration such as "250ms", "30s", "5m", "24h" or "7d", '
            f"or a number of seconds from 0; found {found(value)}"
        )
    return seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return _seconds_of_text(value.strip())
    if not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _seconds_of_text(text: str) -> float | None:
    if len(text) > _MOST_CHARACTERS:
        return None
    if _PLAIN.fullmatch(text):
        return float(text)
    match = _WITH_UNITS.fullmatch(text)
    if match is None or not text:
        return None
    numbers = zip(match.groups(default="0"), _UNITS_MS, strict=True)
    return sum(float(number) * unit_ms for number, unit_ms in numbers) / 1000


def format_duration(seconds: float) -> str:
    """Returns ``seconds`` for people, in at most two units: ``1.5s``, ``2m05s``, ``3h10m``."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if 0 < seconds < 0.9995:
        return f"{seconds * 1000:.3g}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    if seconds < 3599.5:
        return _two_units(round(seconds), 60, "m", "s")
    if seconds < 86_370:
        return _two_units(round(seconds / 60), 60, "h", "m")
    return _two_units(round(seconds / 3600), 24, "d", "h")


def _two_units(small: int, per_great: int, great_unit: str, small_unit: str) -> str:
    great, rest = divmod(small, per_great)
    return f"{great}{great_unit}{rest:02d}{small_unit}" if rest else f"{great}{great_unit}"
