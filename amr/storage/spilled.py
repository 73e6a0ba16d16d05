"""Outputs that are too large for Redis: a file in the store, and a reference in its place."""

from __future__ import annotations

import secrets

import orjson

from amr.storage.files import join_path, open_file
from amr.storage.publish import publish

#: What neither JSON nor a table of runs begins with.
_MARK = b"\x03"


def spill(output: bytes, folder: str, name: str) -> bytes:
    """Writes an output to a file of its own; returns the reference that stands for it.

    Args:
        output: as JSON.
        folder: path or URL of the job's folder in a store.
        name: what the file's name begins with.

    Raises:
        PublishError: it cannot be written.
    """
    path = join_path(folder, f"{name}-{secrets.token_hex(6)}.json")
    publish(path, (output,), create_only=True)
    return _MARK + orjson.dumps({"file": path, "bytes": len(output)})


def load_spilled(output: bytes) -> bytes:
    """Returns the output that a reference stands for; any other output as it is.

    Raises:
        SourceError: the file cannot be read here.
    """
    path = spilled_path(output)
    if path is None:
        return output
    with open_file(path) as file:
        return file.read()


def spilled_path(output: bytes) -> str | None:
    """Returns path or URL of the file that a reference stands for; None of any other output."""
    if output[:1] != _MARK:
        return None
    path: str = orjson.loads(output[1:])["file"]
    return path


def shown_start(output: bytes, most: int) -> bytes:
    """Returns the start of an output for people; of a reference, what it says."""
    return output.removeprefix(_MARK)[:most]
