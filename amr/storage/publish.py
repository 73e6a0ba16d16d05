"""Writes files so that whoever finds one finds all of it: aside first, then under its name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from amr.errors import TaskError
from amr.jobspec.source_fields import is_url
from amr.storage.objects import object_size, put_object

_BUFFER_BYTES = 1 << 20


class PublishError(TaskError):
    """A file cannot be written, at the moment."""


class Published(NamedTuple):
    """What stands under a name after ``publish``.

    Attributes:
        size: its bytes.
        is_ours: it is what was to be written, and not what was there already.
    """

    size: int
    is_ours: bool


def publish(path: str, parts: Iterable[bytes], *, create_only: bool) -> Published:
    """Writes a file or object, and returns what stands under its name then.

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
            is_ours = put_object(path, data, create_only=create_only)
            return Published(len(data) if is_ours else object_size(path), is_ours)
        return _publish_file(path, parts, create_only)
    except OSError as error:
        raise PublishError(f"{path} cannot be written: {error.strerror or error}") from None


def _publish_file(path: str, parts: Iterable[bytes], create_only: bool) -> Published:
    folder, name = os.path.split(path)
    # Hidden: no pattern such as out/* takes what a killed process has left for a file.
    aside = Path(folder, f".{name}.{secrets.token_hex(6)}.tmp")
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb", buffering=_BUFFER_BYTES) as file:
            file.writelines(parts)
            size = file.tell()
        is_ours = _put_in_place(aside, path, create_only)
        return Published(size if is_ours else os.path.getsize(path), is_ours)
    finally:
        with suppress(OSError):
            aside.unlink()


def _put_in_place(aside: Path, path: str, create_only: bool) -> bool:
    """Gives a file its name; False when there is one of this name that stays."""
    if not create_only:
        aside.replace(path)
        return True
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    return True
