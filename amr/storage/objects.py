"""Objects of s3://, gs://, az:// and https:// stores; the extra ``s3`` reads and writes them."""

from __future__ import annotations

import fnmatch
import io
from functools import lru_cache
from importlib import import_module
from typing import IO, Any, cast

from amr.errors import SettingsError
from amr.storage.info import FileInfo, SourceError

_BUFFER_BYTES = 1 << 20


def find_objects(url: str) -> list[FileInfo]:
    """Returns the objects that a URL, whose path may be a pattern, names."""
    store, base, path = _place(url)
    obstore = _library()
    try:
        if not _is_pattern(path):
            return [FileInfo(url, obstore.head(store, path)["size"])]
        prefix = path[: min(path.index(sign) for sign in "*?[" if sign in path)].rpartition("/")[0]
        found = [
            FileInfo(f"{base}/{each['path']}", each["size"])
            for page in obstore.list(store, prefix or None)
            for each in page
            if fnmatch.fnmatchcase(each["path"], path)
        ]
    except Exception as error:
        raise SourceError(f"{url} cannot be read: {_reason(error)}") from None
    if not found:
        raise SourceError(f"{url}: matches no object")
    return sorted(found)


def open_object(url: str) -> IO[bytes]:
    """Opens an object; it is read as it is needed, and may be entered anywhere."""
    store, _, path = _place(url)
    try:
        reader = _library().open_reader(store, path, buffer_size=_BUFFER_BYTES)
    except Exception as error:
        raise SourceError(f"{url} cannot be read: {_reason(error)}") from None
    return cast(IO[bytes], io.BufferedReader(_Reader(reader), _BUFFER_BYTES))


def put_object(url: str, data: bytes, *, create_only: bool) -> bool:
    """Writes an object; False when ``create_only`` and there is one of this name already.

    Raises:
        OSError: it cannot be written.
    """
    store, _, path = _place(url)
    obstore = _library()
    try:
        obstore.put(store, path, data, mode="create" if create_only else "overwrite")
    except import_module("obstore.exceptions").AlreadyExistsError:
        return False
    except Exception as error:
        raise OSError(_reason(error)) from None
    return True


def object_size(url: str) -> int:
    """Returns the bytes of an object.

    Raises:
        OSError: it cannot be read.
    """
    store, _, path = _place(url)
    try:
        return int(_library().head(store, path)["size"])
    except Exception as error:
        raise OSError(_reason(error)) from None


class _Reader(io.RawIOBase):
    """An object as a raw file."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._reader.seek(offset, whence)
        return int(self._reader.tell())

    def tell(self) -> int:
        return int(self._reader.tell())

    def readinto(self, buffer: Any) -> int:
        data = memoryview(self._reader.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)


def _place(url: str) -> tuple[Any, str, str]:
    """Returns the store, its own URL, and the path in it."""
    scheme, _, rest = url.partition("://")
    bucket, _, path = rest.partition("/")
    base = f"{scheme}://{bucket}"
    return _store(base), base, path


@lru_cache(maxsize=64)
def _store(base: str) -> Any:
    """Makes the store of a bucket or host; its credentials are those of the environment."""
    _library()
    make = import_module("obstore.store").from_url
    try:
        if base.startswith("http://"):
            return make(base, client_options={"allow_http": True})
        return make(base)
    except Exception as error:
        raise SourceError(f"{base} cannot be reached: {_reason(error)}") from None


def _library() -> Any:
    try:
        return import_module("obstore")
    except ImportError:
        raise SettingsError("object stores need the extra s3: pip install 'amr[s3]'") from None


def _is_pattern(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
