"""Writes files so that whoever finds one finds all of it: aside first, then under its name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from amr.errors import TaskError
from amr.sourcefields import is_url
from amr.storage.objects import put_object


class PublishError(TaskError):
    """A file cannot be written, at the moment."""


def publish(path: str, parts: Iterable[bytes], *, create_only: bool) -> int:
    """Writes a file or object and returns its bytes.

    Args:
        path: local path, whose folder is made, or URL.
        parts: what is in it.
        create_only: one that is there already stays, and what was written is dropped; else it is
            replaced.

    Raises:
        PublishError: it cannot be written.
    """
    try:
        if is_url(path):
            data = b"".join(parts)
            put_object(path, data, create_only=create_only)
            return len(data)
        return _publish_file(path, parts, create_only)
    except OSError as error:
        raise PublishError(f"{path} cannot be written: {error.strerror or error}") from None


def _publish_file(path: str, parts: Iterable[bytes], create_only: bool) -> int:
    folder, name = os.path.split(path)
    # Hidden: no pattern such as out/* takes what a killed process has left for a file.
    aside = Path(folder, f".{name}.{secrets.token_hex(6)}.tmp")
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            for part in parts:
                file.write(part)
            size = file.tell()
        _put_in_place(aside, path, create_only)
    finally:
        with suppress(OSError):
            aside.unlink()
    return size


def _put_in_place(aside: Path, path: str, create_only: bool) -> None:
    if not create_only:
        aside.replace(path)
        return
    with suppress(FileExistsError):
        os.link(aside, path)
