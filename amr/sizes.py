"""Sizes as people write them: ``16MB``, ``64KiB``."""

from __future__ import annotations

import re
from typing import Any

from amr.wording import found

_UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
}

SIZE_PATTERN = r"^\s*[0-9]+(\.[0-9]+)?\s*([KkMmGg][Ii]?)?[Bb]?\s*$"


#: What a size looks like, as JSON Schemas.
SIZE_FORMS = ({"type": "integer", "minimum": 1}, {"type": "string", "pattern": SIZE_PATTERN})


def parse_size(value: Any) -> int:
    """Returns the bytes that ``value`` means: ``"16MB"``, ``"64KiB"``, or a number of bytes.

    Raises:
        ValueError: it is no size.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        bytes_ = value
    else:
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", str(value))
        unit = match and _UNITS.get(match[2].upper())
        if not isinstance(value, str) or not match or not unit:
            raise ValueError(f'must be a size such as "16MB" or "64KiB", found {found(value)}')
        bytes_ = round(float(match[1]) * unit)
    if bytes_ < 1:
        raise ValueError(f"must be at least one byte, found {found(value)}")
    return bytes_
