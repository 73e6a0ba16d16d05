"""The text whose words are counted."""

from __future__ import annotations

import json
import os
import random
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.peers.functions import frequencies, words

#: Names the text; set for all hosts of a run.
CORPUS_VARIABLE = "AMR_PEERS_CORPUS"
#: Bytes of the part of the text that one task counts.
PART_SIZE = 4_000_000

_BLOCKS = 8
_BLOCK_WORDS = 130_000
_VOCABULARY = 20_000


class Corpus:
    """A text in a file, and beside it what the count of its words has to give.

    Args:
        path: of the text.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frequencies = path.with_suffix(".json")

    @classmethod
    def of_run(cls) -> Corpus:
        """Returns the one that the runner has written."""
        return cls(Path(os.environ[CORPUS_VARIABLE]))

    def write(self, megabytes: int) -> None:
        """Writes a text of lower-case words, of which a few are frequent and most are rare."""
        blocks = _blocks()
        left = megabytes * 1_000_000
        with self._path.open("wb") as file:
            at = 0
            while left > 0:
                left -= file.write(blocks[at % _BLOCKS][:left])
                at += 1
        found = frequencies({"inputs": [words(part) for part in self.parts()]})
        self._frequencies.write_text(json.dumps(found))

    def parts(self) -> list[dict[str, Any]]:
        """Returns the inputs of the tasks that count its words."""
        size = self._path.stat().st_size
        return [
            {"path": str(self._path), "first": first, "size": min(PART_SIZE, size - first)}
            for first in range(0, size, PART_SIZE)
        ]

    def frequencies(self) -> Any:
        """Returns the result of the reducer ``frequencies``, as one process found it."""
        return json.loads(self._frequencies.read_text())


def _blocks() -> list[bytes]:
    draw = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(draw.choices(letters, k=draw.randint(3, 11))) for _ in range(_VOCABULARY)]
    weights = list(accumulate(1 / rank for rank in range(1, _VOCABULARY + 1)))
    return [
        " ".join(draw.choices(vocabulary, cum_weights=weights, k=_BLOCK_WORDS)).encode() + b"\n"
        for _ in range(_BLOCKS)
    ]
