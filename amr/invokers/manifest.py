"""functions.toml: more names for Python functions, and HTTP functions."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from amr.durations import parse_duration
from amr.errors import FunctionsError, PermanentError
from amr.invokers.addresses import PrivateAddressError, check_host
from amr.suggest import did_you_mean

FILE = "functions.toml"

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_TARGET = re.compile(r"([A-Za-z_]\w*):([A-Za-z_][\w.]*)")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_RESERVED = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_KEYS = ("url", "timeout", "headers", "concurrency", "private")


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """Another name for a function of this directory: ``file`` without its ending, and the name."""

    name: str
    file: str
    function: str


@dataclass(frozen=True, slots=True)
class HttpFunction:
    """An endpoint that is POSTed each body.

    Attributes:
        name: in the registry.
        url: where it is.
        timeout_s: seconds a call may take, or None.
        headers: sent with each call; a value may hold ``$NAME`` or ``${NAME}``.
        concurrency: most calls at a time in one worker, or None.
        private: it may have an address that is not one of the open internet.
    """

    name: str
    url: str
    timeout_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    concurrency: int | None = None
    private: bool = False

    @property
    def shown_url(self) -> str:
        """The URL without its query, which may hold a secret."""
        return urlsplit(self.url)._replace(query="", fragment="").geturl()

    def missing_variables(self) -> list[str]:
        """Returns the environment variables that the headers name and that are not set."""
        names = [a or b for value in self.headers.values() for a, b in _REFERENCE.findall(value)]
        return [name for name in dict.fromkeys(names) if name not in os.environ]

    def read_headers(self) -> dict[str, str]:
        """Returns the headers with the variables' values in them.

        Raises:
            PermanentError: a variable is not set, or its value cannot stand in a header.
        """
        if missing := self.missing_variables():
            raise PermanentError(
                f"{self.name}: its headers need the environment variable(s) {', '.join(missing)}, "
                "which the worker does not have"
            )
        headers = {
            name: _REFERENCE.sub(lambda m: os.environ[m[1] or m[2]], value)
            for name, value in self.headers.items()
        }
        for name, value in headers.items():
            if not value.isascii() or any(letter in value for letter in "\r\n\0"):
                raise PermanentError(f"{self.name}: header {name}: its value is not one ASCII line")
        return headers


@dataclass(frozen=True, slots=True)
class Manifest:
    """What functions.toml says."""

    python: tuple[PythonFunction, ...] = ()
    http: tuple[HttpFunction, ...] = ()


def load_manifest(directory: Path) -> Manifest:
    """Returns what the directory's functions.toml says; nothing when there is none.

    Raises:
        FunctionsError: with every mistake in it, each with its place.
    """
    path = directory / FILE
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Manifest()
    except (OSError, UnicodeDecodeError) as error:
        raise FunctionsError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise FunctionsError(f"{path}: is not TOML: {error}") from None
    reader = _Reader()
    for name, value in document.items():
        reader.read(name, value)
    if reader.mistakes:
        raise FunctionsError("\n".join(f"{path}: {mistake}" for mistake in reader.mistakes))
    return Manifest(tuple(reader.python), tuple(reader.http))


class _Reader:
    """Reads the entries one by one and collects what is wrong with them."""

    def __init__(self) -> None:
        self.python: list[PythonFunction] = []
        self.http: list[HttpFunction] = []
        self.mistakes: list[str] = []

    def read(self, name: str, value: Any) -> None:
        """Reads one entry."""
        if not _NAME.fullmatch(name):
            self.mistakes.append(f"{name!r}: a name has 1 to 200 letters, digits, '_', '.' and '-'")
        elif isinstance(value, str):
            self._read_python(name, value)
        elif isinstance(value, dict):
            self._read_http(name, value)
        else:
            self.mistakes.append(
                f'{name}: must be "file:function", or a table with a url, '
                f"found {type(value).__name__}"
            )

    def _read_python(self, name: str, value: str) -> None:
        match = _TARGET.fullmatch(value)
        if match:
            self.python.append(PythonFunction(name, match[1], match[2]))
        else:
            self.mistakes.append(
                f'{name}: must be "file:function" of this directory, found {value!r}'
            )

    def _read_http(self, name: str, table: dict[str, Any]) -> None:
        before = len(self.mistakes)
        for key in table:
            if key not in _KEYS:
                guess = did_you_mean(key, _KEYS) or f"; the keys are {', '.join(_KEYS)}"
                self.mistakes.append(f"{name}.{key}: is not a known key{guess}")
        url = self._checked(f"{name}.url", table.get("url"), _check_url)
        headers = self._checked(f"{name}.headers", table.get("headers", {}), _check_headers)
        timeout_s = self._checked(f"{name}.timeout", table.get("timeout"), _check_timeout)
        limit = self._checked(f"{name}.concurrency", table.get("concurrency"), _check_concurrency)
        private = self._checked(f"{name}.private", table.get("private", False), _check_private)
        if url is not None and not private:
            self._checked(f"{name}.url", url, _check_public)
        if len(self.mistakes) == before:
            self.http.append(HttpFunction(name, url, timeout_s, headers, limit, private))

    def _checked(self, place: str, value: Any, check: Callable[[Any], Any]) -> Any:
        try:
            return check(value)
        except ValueError as error:
            self.mistakes.append(f"{place}: {error}")
            return None


def _check_url(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError('is required: the endpoint, such as "https://host/function"')
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"must begin with http:// or https://, found {parts.scheme or value!r}")
    if "@" in parts.netloc:
        raise ValueError("must hold no user or password; put them into headers, from a variable")
    if not parts.hostname or not value.isascii() or any(c.isspace() for c in value):
        raise ValueError("is not a URL with a host")
    return value


def _check_private(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, found {value!r}")
    return value


def _check_public(url: str) -> None:
    try:
        check_host(urlsplit(url).hostname or "")
    except PrivateAddressError as error:
        raise ValueError(f"{error}: allow it with private = true") from None


def _check_headers(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"must be a table of names and values, found {type(value).__name__}")
    for name, text in value.items():
        if not _HEADER.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if name.lower() in _RESERVED:
            raise ValueError(f"{name} is set by the connection itself")
        if not isinstance(text, str) or any(letter in text for letter in "\r\n\0"):
            raise ValueError(f"{name} must be one line of text")
    return value


def _check_timeout(value: Any) -> float | None:
    if value is None:
        return None
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError("must be longer than nothing")
    return seconds


def _check_concurrency(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
        raise ValueError(f"must be a whole number from 1 to 100,000, found {value!r}")
    return value
