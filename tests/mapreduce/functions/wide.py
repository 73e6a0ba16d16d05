"""A group that no worker could hold: each that imports this file has 64 MB left to take."""

import random
import resource
from pathlib import Path

_MEGABYTE = 1 << 20
_VALUE = _MEGABYTE // 16
_HELD = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()

resource.setrlimit(resource.RLIMIT_DATA, (_HELD + 64 * _MEGABYTE,) * 2)


def alike(number):
    """Yields five megabytes that are packed to almost nothing."""
    for _ in range(80):
        yield "k", "x" * _VALUE


def unlike(number):
    """Yields five megabytes that cannot be packed well."""
    draw = random.Random(number)
    for _ in range(80):
        yield "k", draw.randbytes(_VALUE // 2).hex()


def megabytes(key, values):
    """Returns how many megabytes the values of a key have."""
    return sum(len(value) for value in values) // _MEGABYTE
