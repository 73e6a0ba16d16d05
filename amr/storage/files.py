"""Finds and opens the files of a source: local paths, patterns, compressed files, URLs."""

from __future__ import annotations

import glob
import gzip
import io
import os
from importlib import import_module
from typing import IO, cast

from amr.errors import SettingsError
from amr.jobspec.source_fields import is_url
from amr.storage.info import FileInfo, SourceError
from amr.storage.objects import find_objects, open_object

_BUFFER_BYTES = 1 << 20


def find_files(patterns: tuple[str, ...]) -> list[FileInfo]:
    """Returns the files of paths, patterns and URLs; those of one pattern in the order of names.

    Raises:
        SourceError: a path is not there, or a pattern matches nothing.
    """
    return [info for pattern in patterns for info in _find(pattern)]


def open_file(path: str, start: int = 0) -> IO[bytes]:
    """Opens a file at byte ``start``; of a compressed one, what is in it.

    Raises:
        SourceError: it cannot be opened.
    """
    if is_url(path):
        return _unpacked(path, open_object(path), start)
    try:
        file = open(path, "rb", buffering=_BUFFER_BYTES)  # noqa: SIM115 - the caller closes it
    except FileNotFoundError:
        raise SourceError(
            f"{path} is not on {os.uname().nodename}: local files need a folder that the workers "
            "share, under the same path; or put them into an object store"
        ) from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    return _unpacked(path, file, start)


def join_path(folder: str, name: str) -> str:
    """Returns the path or URL of what is below a folder."""
    return f"{folder.rstrip('/')}/{name}"


def _find(pattern: str) -> list[FileInfo]:
    if is_url(pattern):
        return find_objects(pattern)
    if os.path.isfile(pattern):
        return [FileInfo(pattern, os.path.getsize(pattern))]
    paths = sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))
    if not paths:
        is_pattern = glob.has_magic(pattern)
        reason = "matches no file" if is_pattern else "there is no such file"
        if os.path.isdir(pattern):
            reason = f"is a directory: name its files, as {os.path.join(pattern, '*')}"
        raise SourceError(f"{pattern}: {reason}")
    return [FileInfo(path, os.path.getsize(path)) for path in paths]


class _Unpacked(io.BufferedReader):
    """What is in a compressed file; closes the file as well."""

    def __init__(self, unpacking: io.RawIOBase, file: IO[bytes]) -> None:
        super().__init__(unpacking, _BUFFER_BYTES)
        self._file = file

    def close(self) -> None:
        super().close()
        self._file.close()


def _unpacked(path: str, file: IO[bytes], start: int) -> IO[bytes]:
    if path.endswith(".gz"):
        return _Unpacked(cast(io.RawIOBase, gzip.GzipFile(fileobj=file)), file)
    if path.endswith(".zst"):
        return _Unpacked(_unpacked_zstd(file), file)
    if start:
        file.seek(start)
    return file


def _unpacked_zstd(file: IO[bytes]) -> io.RawIOBase:
    try:
        zstandard = import_module("zstandard")
    except ImportError:
        raise SettingsError("zst files need the extra zst: pip install 'amr[zst]'") from None
    unpacking = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return cast(io.RawIOBase, unpacking)
