"""What is known of a file before it is read, and what is wrong with one that cannot be."""

from __future__ import annotations

from typing import NamedTuple

from amr.errors import PermanentError

#: Endings of compressed files. They cannot be entered in the middle: each is one split.
COMPRESSED = (".gz", ".zst")


class SourceError(PermanentError):
    """A source cannot be read as it is described; reading it again is pointless."""


class FileInfo(NamedTuple):
    """A file of a source: its absolute path or URL, and its size in bytes."""

    path: str
    size: int

    @property
    def is_compressed(self) -> bool:
        """Whether it has to be read from its start."""
        return self.path.endswith(COMPRESSED)
