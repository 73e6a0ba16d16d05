"""A task, a context and a functions directory for tests of functions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amr.invokers.context import Context, LogSink
from amr.invokers.local import PACKAGE
from amr.invokers.registry import Registry
from amr.task import Task

TASK = Task(b"1-0", "job-1", "map", 37, 2, b"null")


@pytest.fixture
def sink() -> LogSink:
    return LogSink()


@pytest.fixture
def context(sink: LogSink) -> Context:
    return Context(TASK, None, {}, sink)


@pytest.fixture
def registry_of(tmp_path: Path) -> Iterator[Callable[..., Registry]]:
    """Makes a registry of files given as ``name=text``; ``toml=`` is functions.toml."""

    def make(toml: str = "", **files: str) -> Registry:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        if toml:
            (tmp_path / "functions.toml").write_text(toml)
        return Registry.load(tmp_path)

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    if str(tmp_path) in sys.path:
        sys.path.remove(str(tmp_path))
