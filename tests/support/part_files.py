"""The part files of a job whose outputs tell which execution made them."""

from __future__ import annotations

import glob
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PartFiles:
    """Stands for the result of a job: equal to one whose parts are all there, whole and alone.

    Attributes:
        folder: which has these parts and no other file that a pattern finds.
        count: of parts.
        values: of all parts, each without the tag of its execution, sorted.
        is_told: what the result tells of a part is of the execution that wrote it. That one may be
            another where the path is the same for every job: a late one replaces it.
    """

    folder: Path
    count: int
    values: list[Any]
    is_told: bool = True

    def __eq__(self, result: object) -> bool:
        assert isinstance(result, dict)
        parts = result["parts"]
        assert len(parts) == self.count
        found = sorted(glob.glob(f"{self.folder}/*"))
        assert found == sorted(part["path"] for part in parts), "a file that is no part"
        assert sorted(value for part in parts for value in self._values_of(part)) == self.values
        return True

    def left_aside(self) -> list[Path]:
        """Returns the files that were being written when their worker died."""
        return list(self.folder.glob(".*.tmp"))

    def _values_of(self, part: dict[str, Any]) -> list[Any]:
        """Returns the values of a part, all of which one execution has made."""
        data = Path(part["path"]).read_bytes()
        assert not self.is_told or len(data) == part["bytes"], f"{part} has {len(data)} bytes"
        text = gzip.decompress(data) if part["path"].endswith(".gz") else data
        rows = [json.loads(line) for line in text.splitlines()]
        assert len(rows) == part["outputs"], f"{part} has {len(rows)} outputs"
        assert len({tag for _, tag in rows}) <= 1, f"{part} is of several executions"
        return [value for value, _ in rows]
