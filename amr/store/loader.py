"""Loads the Lua scripts. The header of a script is its interface, and nothing repeats it.

``-- KEYS: stream job`` gives the script the locals ``stream_key`` and ``job_key``; those of the
files it includes are added. ``-- ARGV: entry field tasks...`` gives it the locals ``entry`` and
``field``, and in ``tasks`` the position of the first of the remaining arguments. ``-- Include:``
names files of ``includes/``, each put before the body once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

HEADER_FIELDS = ("Moves", "KEYS", "ARGV", "Returns", "Again", "Include")

_FILES = resources.files("amr.store") / "scripts"


@dataclass(frozen=True)
class Script:
    """One Lua script with what its header says.

    Attributes:
        name: the transition, also the file's name.
        keys: names of its keys (``amr.store.keys``), in the order of KEYS.
        arguments: names of its arguments, in the order of ARGV; a last one with ``...`` stands for
            all that follow.
        source: what Redis is sent.
    """

    name: str
    keys: tuple[str, ...]
    arguments: tuple[str, ...]
    source: str

    @cached_property
    def sha(self) -> bytes:
        """The digest by which Redis knows the script."""
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest().encode()


def read_header(text: str) -> dict[str, str]:
    """Returns the header of a Lua file: the value of each of HEADER_FIELDS that it has."""
    pattern = rf"^-- ({'|'.join(HEADER_FIELDS)}):[ ]*(.*)$"
    return {name: value.strip() for name, value in re.findall(pattern, text, re.MULTILINE)}


def load_scripts() -> dict[str, Script]:
    """Returns every script by its name."""
    names = sorted(file.name.removesuffix(".lua") for file in _FILES.iterdir() if _is_lua(file))
    return {name: _load(name) for name in names}


def _is_lua(file: resources.abc.Traversable) -> bool:
    return file.name.endswith(".lua")


def _load(name: str) -> Script:
    body = (_FILES / f"{name}.lua").read_text()
    header = read_header(body)
    includes = list(dict.fromkeys(_included(header)))
    parts = [_include_text(include) for include in includes]
    keys = list(header["KEYS"].split())
    for part in parts:
        keys += [key for key in read_header(part)["KEYS"].split() if key not in keys]
    arguments = tuple(header["ARGV"].split())
    prelude = [f"local {key}_key = KEYS[{at}]" for at, key in enumerate(keys, 1)]
    for at, argument in enumerate(arguments, 1):
        rest = argument.endswith("...")
        prelude.append(f"local {argument.removesuffix('...')} = {at if rest else f'ARGV[{at}]'}")
    source = "\n".join([*prelude, *parts, body])
    return Script(name, tuple(keys), arguments, source)


def _included(header: dict[str, str]) -> Iterator[str]:
    """Yields the names of all included files, each after those that it needs itself."""
    for include in header["Include"].split():
        yield from _included(read_header(_include_text(include)))
        yield include


def _include_text(name: str) -> str:
    return (_FILES / "includes" / f"{name}.lua").read_text()
