"""The floors of docs/architecture.md, kept by reading every import of the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "amr"

#: Floor of each part: a folder, a module at the top of the package, or one module of a folder that
#: stands lower than the rest of it. A top module that is not named here is on floor 1, whose
#: modules may import each other; other parts on one floor may not.
FLOORS = {
    "jobspec": 1.25,
    "storage": 1.5,
    "store": 2.0,
    "report": 2.25,
    "invokers": 2.0,
    "sources": 2.0,
    "shuffle": 2.0,
    "sinks": 2.0,
    "interrupt": 2.9,
    "attempt": 3.0,
    "worker": 3.1,
    "mapper_trigger": 3.2,
    "admission": 3.1,
    "inputs": 3.05,
    "stages": 3.06,
    "controller": 3.2,
    "trigger": 3.3,
    "sequential": 3.9,
    "session": 3.9,
    "job_control": 3.91,
    "result_stream": 3.91,
    "task_reader": 3.91,
    "job_handle": 3.92,
    "client": 4.0,
    "local_trigger": 4.0,
    "async_client": 4.1,
    "local_run": 4.1,
    "__init__": 4.2,
    "cli": 5.0,
    "web": 5.0,
    "__main__": 5.1,
}
LOWEST = 1.0

#: Libraries that only these parts may import.
OWNERS = {"redis": "amr/store/", "httpx": "amr/invokers/http.py", "aiohttp": "amr/invokers/http.py"}

MOST_LINES = 400


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def part_of(dotted: str) -> str:
    """Returns the part that a module (its name without ``amr.``) belongs to."""
    folder, _, rest = dotted.partition(".")
    module = f"{folder}.{rest.partition('.')[0]}"
    return module if module in FLOORS else folder


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yields line and full name of everything that ``file`` imports, wherever it does."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def imported_part(name: str) -> str | None:
    """Returns the part of amr that ``name`` belongs to, or None for a library."""
    package, _, rest = name.partition(".")
    if package != "amr" or rest == "__version__":
        return None
    top = rest.partition(".")[0]
    is_part = (PACKAGE / top).is_dir() or (PACKAGE / f"{top}.py").is_file()
    return part_of(rest) if rest and is_part else "__init__"


def floor(part: str) -> float:
    return FLOORS.get(part, LOWEST)


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_a_module_imports_only_from_lower_floors(file: Path) -> None:
    own = part_of(".".join(file.relative_to(PACKAGE).with_suffix("").parts))
    for line, name in imports(file):
        other = imported_part(name)
        if other is None or other == own:
            continue
        below = floor(other) < floor(own) or floor(other) == floor(own) == LOWEST
        assert below, (
            f"{name_of(file)}:{line} imports {name}: {own} is on floor {floor(own)}, "
            f"{other} on floor {floor(other)}"
        )


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_a_library_is_imported_only_by_the_part_that_owns_it(file: Path) -> None:
    for line, name in imports(file):
        owner = OWNERS.get(name.partition(".")[0])
        assert owner is None or name_of(file).startswith(owner), (
            f"{name_of(file)}:{line} imports {name}, which belongs to {owner}"
        )


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_imports_are_absolute_and_never_of_tests(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"line {node.lineno}"
    for line, name in imports(file):
        assert name.partition(".")[0] not in ("tests", "benchmarks"), f"line {line}: {name}"


def test_every_folder_has_a_floor() -> None:
    folders = {file.parent.name for file in PACKAGE.glob("*/*.py")}
    assert folders <= FLOORS.keys()


def test_no_file_is_longer_than_it_can_be_read() -> None:
    files = [
        file
        for folder in ("amr", "tests", "benchmarks", "functions")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".py", ".lua")
    ]
    assert files
    lengths = {name_of(file): len(file.read_text("utf-8").splitlines()) for file in files}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
