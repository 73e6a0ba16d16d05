"""Which functions there are, and how each is called. Jobs can name nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from amr.errors import FunctionsError, PermanentError
from amr.invokers.base import Function, FunctionInfo
from amr.invokers.local import LocalInvoker, load_from_file, load_from_module
from amr.invokers.manifest import FILE, load_manifest
from amr.suggest import did_you_mean

_HANDLER = "handler"
_MOST_NAMES_LISTED = 10


class UnknownFunctionError(PermanentError):
    """No function has this name."""


class _Entry(NamedTuple):
    """One name of the registry."""

    info: FunctionInfo
    invoker: Function


class Registry:
    """The functions of a directory, or of given modules. Their code is read, not run, until used.

    In each ``.py`` file every public top-level function is ``file.name``, and one that is named
    ``handler`` is also ``file``. functions.toml gives more names.
    """

    def __init__(self, entries: Mapping[str, _Entry], broken: Mapping[str, str]) -> None:
        self._entries = dict(entries)
        self._broken = dict(broken)

    @classmethod
    def load(cls, directory: Path) -> Registry:
        """Returns the functions of a directory.

        Raises:
            FunctionsError: there is no such directory, or its functions.toml is wrong.
        """
        return cls.with_targets(directory, {})

    @classmethod
    def with_targets(cls, directory: Path | None, targets: Mapping[str, str]) -> Registry:
        """Returns the functions of a directory, if any, and those of ``targets``.

        Args:
            directory: with files of functions, or None.
            targets: more functions: name -> ``module:name`` of an importable module.

        Raises:
            FunctionsError: there is no such directory, or its functions.toml is wrong.
        """
        entries: dict[str, _Entry] = {}
        broken: dict[str, str] = {}
        if directory is not None:
            directory = directory.absolute()
            for path in _files(directory):
                try:
                    entries |= _read_file(directory, path)
                except (SyntaxError, ValueError) as error:
                    line = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
                    reason = error.msg if isinstance(error, SyntaxError) else str(error)
                    broken[path.stem] = f"{path.name}{line}: {reason}"
            entries |= _read_manifest(directory, entries, broken)
        for name, target in targets.items():
            info = FunctionInfo(name, "python", target)
            entries[name] = _Entry(info, LocalInvoker(name, partial(load_from_module, target)))
        return cls(entries, broken)

    def names(self) -> list[str]:
        """Returns the names of all functions, in order."""
        return sorted(self._entries)

    def describe(self) -> list[FunctionInfo]:
        """Returns what is known of each function, in the order of their names."""
        return [self._entries[name].info for name in self.names()]

    def find(self, name: str) -> Function:
        """Returns the function of a name.

        Raises:
            UnknownFunctionError: naming the nearest name and the known ones, or the file whose
                syntax is wrong.
        """
        entry = self._entries.get(name)
        if entry is not None:
            return entry.invoker
        broken = self._broken.get(name.partition(".")[0])
        if broken:
            raise UnknownFunctionError(f"function {name!r} cannot be found: {broken}")
        names = self.names()
        shown = ", ".join(names[:_MOST_NAMES_LISTED]) or "none"
        if len(names) > _MOST_NAMES_LISTED:
            shown += f" and {len(names) - _MOST_NAMES_LISTED} more"
        guess = did_you_mean(name, names)
        raise UnknownFunctionError(f"no function {name!r}{guess} (known functions: {shown})")

    def warm_up(self) -> None:
        """Loads what HTTP functions need now, where the first call would wait for it."""
        if any(entry.info.kind == "http" for entry in self._entries.values()):
            from amr.invokers.http import load_libraries

            load_libraries()

    async def aclose(self) -> None:
        """Ends the connections of HTTP functions, which belong to the loop that runs."""
        from amr.invokers.http import HttpInvoker

        for entry in self._entries.values():
            if isinstance(entry.invoker, HttpInvoker):
                await entry.invoker.aclose()

    def check(self) -> list[str]:
        """Imports everything and returns what is wrong: a line a problem, none when all is well."""
        problems = list(self._broken.values())
        for name in self.names():
            try:
                self._entries[name].invoker.prepare()
            except PermanentError as error:
                text = str(error)
                problems.append(text if name in text else f"{name}: {text}")
        return list(dict.fromkeys(problems))


def _files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise FunctionsError(
            f"there is no functions directory {directory}; make it, or name another with "
            "--functions or AMR_FUNCTIONS"
        )
    files = (path for path in directory.glob("*.py") if path.stem.isidentifier())
    return sorted(path for path in files if not path.name.startswith("_"))


def _read_file(directory: Path, path: Path) -> dict[str, _Entry]:
    """Returns the public functions of a file by the names they have."""
    entries = {}
    for node in _functions(ast.parse(path.read_bytes(), path.name)):
        names = [f"{path.stem}.{node.name}"]
        if node.name == _HANDLER:
            names.append(path.stem)
        for name in names:
            is_async = isinstance(node, ast.AsyncFunctionDef)
            info = FunctionInfo(
                name=name,
                kind="python",
                target=f"{path.name}:{node.name} line {node.lineno}",
                summary=(ast.get_docstring(node) or "").partition("\n")[0],
                is_async=is_async,
            )
            load = partial(load_from_file, directory, path.stem, node.name)
            entries[name] = _Entry(info, LocalInvoker(name, load, is_async))
    return entries


def _functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in module.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if not node.name.startswith("_"):
            yield node


def _read_manifest(
    directory: Path, entries: Mapping[str, _Entry], broken: Mapping[str, str]
) -> dict[str, _Entry]:
    """Returns the functions that functions.toml names."""
    from amr.invokers.http import HttpInvoker

    manifest = load_manifest(directory)
    named: dict[str, _Entry] = {}
    mistakes = []
    for alias in manifest.python:
        own_name = f"{alias.file}.{alias.function}"
        known = entries.get(own_name)
        if known is None and alias.file not in broken:
            guess = did_you_mean(own_name, entries)
            mistakes.append(f"{alias.name}: there is no {alias.file}:{alias.function}{guess}")
            continue
        load = partial(load_from_file, directory, alias.file, alias.function)
        is_async = known is not None and known.info.is_async
        invoker = LocalInvoker(alias.name, load, is_async)
        target = f"{alias.file}.py:{alias.function}"
        info = known.info if known else FunctionInfo(own_name, "python", target)
        named[alias.name] = _Entry(
            FunctionInfo(alias.name, "python", info.target, info.summary, is_async), invoker
        )
    for function in manifest.http:
        info = FunctionInfo(function.name, "http", function.shown_url, is_async=True)
        named[function.name] = _Entry(info, HttpInvoker(function))
    if mistakes:
        raise FunctionsError("\n".join(f"{directory / FILE}: {line}" for line in mistakes))
    return named
