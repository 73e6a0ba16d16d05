"""Files of data that are the same each time, and are written in seconds."""

from __future__ import annotations

import random
from pathlib import Path

#: Letters of words that are made up, and what keys of records are drawn from.
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
_KEY_LETTERS = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz" * 4

_COMMON_WORDS = 100_000
_RARE_WORDS = 2000
_WORDS_A_LINE = 12
_LINES_A_BLOCK = 100_000

_KEY_BYTES = 10
_RECORDS_AT_ONCE = 100_000
_FILLER = "0123456789ABCDEF"


def write_text(path: Path, size: int) -> None:
    """Writes lines of words whose frequencies are those of a language, by Zipf's law.

    The same lines come again and again, in another order each time and among words that are new:
    the vocabulary grows with the text.

    Args:
        path: the file.
        size: its bytes, or a few more.
    """
    draw = random.Random(1)
    words = [_word(draw) for _ in range(_COMMON_WORDS)]
    weights = [1 / (rank + 2.7) for rank in range(_COMMON_WORDS)]
    drawn = draw.choices(words, weights, k=_WORDS_A_LINE * _LINES_A_BLOCK)
    lines = [
        " ".join(drawn[at : at + _WORDS_A_LINE]) + "\n"
        for at in range(0, len(drawn), _WORDS_A_LINE)
    ]
    written = 0
    with path.open("wb") as file:
        while written < size:
            draw.shuffle(lines)
            rare = [_word(draw) + "\n" for _ in range(_RARE_WORDS)]
            block = "".join(rare + lines).encode()
            if written + len(block) > size:
                block = block[: block.index(b"\n", size - written - 1) + 1]
            written += file.write(block)


def write_records(path: Path, count: int) -> None:
    """Writes records of 100 bytes, each a line with a random key, its number and filler.

    Args:
        path: the file.
        count: of records.
    """
    draw = random.Random(2)
    with path.open("wb") as file:
        for first in range(0, count, _RECORDS_AT_ONCE):
            numbers = range(first, min(first + _RECORDS_AT_ONCE, count))
            keys = draw.randbytes(_KEY_BYTES * len(numbers)).translate(_KEY_LETTERS).decode()
            file.write("".join(map(_record, _cut(keys), numbers)).encode())


def _cut(keys: str) -> list[str]:
    return [keys[at : at + _KEY_BYTES] for at in range(0, len(keys), _KEY_BYTES)]


def _record(key: str, number: int) -> str:
    filler = _FILLER[number % 16] * 26 + _FILLER[number // 16 % 16] * 27
    return f"{key}  {number:032}  {filler}\n"


def _word(draw: random.Random) -> str:
    """Makes a word up, of some letters more often than of others."""
    count = min(14, 2 + int(draw.expovariate(0.25)))
    return "".join(_LETTERS[int(26 * draw.random() ** 2)] for _ in range(count))
