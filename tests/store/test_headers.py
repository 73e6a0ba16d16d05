"""A script's header is its interface: it must say all there is, and nothing else."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from amr.store import loader
from amr.store.keys import JOB_KEYS, OTHER, STREAM_KEYS
from amr.store.loader import HEADER_FIELDS, load_scripts, read_header
from amr.store.replies import Code
from amr.store.transitions import Transitions

FOLDER = Path(inspect.getfile(loader)).parent / "scripts"
SCRIPTS = sorted(FOLDER.glob("*.lua"))
INCLUDES = sorted((FOLDER / "includes").glob("*.lua"))
LOADED = load_scripts()


def body_of(path: Path) -> str:
    """Returns a file without its comments."""
    return re.sub(r"--[^\n]*", "", path.read_text())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_has_every_line_of_the_header(path: Path) -> None:
    assert tuple(read_header(path.read_text())) == HEADER_FIELDS
    assert path.read_text().startswith(f"-- {path.stem}: ")


@pytest.mark.parametrize("path", INCLUDES, ids=lambda path: path.stem)
def test_an_include_says_what_it_needs(path: Path) -> None:
    assert tuple(read_header(path.read_text())) == ("KEYS", "Include")
    assert path.read_text().startswith(f"-- {path.stem}: ")


@pytest.mark.parametrize("script", LOADED.values(), ids=lambda script: script.name)
def test_keys_and_arguments_are_named_and_used(script: loader.Script) -> None:
    body = re.sub(r"--[^\n]*", "", script.source)
    for key in script.keys:
        assert key.removeprefix(OTHER) in {**STREAM_KEYS, **JOB_KEYS}
        assert len(re.findall(rf"\b{key}_key\b", body)) > 1, f"{key} is declared and not used"
    for argument in script.arguments:
        name = argument.removesuffix("...")
        assert len(re.findall(rf"\b{name}\b", body)) > 1, f"{name} is declared and not used"
    assert "KEYS[" not in body_of(FOLDER / f"{script.name}.lua")


@pytest.mark.parametrize("path", SCRIPTS + INCLUDES, ids=lambda path: path.stem)
def test_a_file_uses_only_keys_that_its_header_names(path: Path) -> None:
    header = read_header(path.read_text())
    declared = set(header["KEYS"].split())
    for include in header["Include"].split():
        declared |= set(_keys_of_include(include))
    used = set(re.findall(r"\b([a-z]+)_key\b", body_of(path)))
    assert used <= declared
    assert "amr:" not in body_of(path)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_codes_of_header_and_body_are_the_same(path: Path) -> None:
    told = set(re.findall(r"\b[A-Z]{2,}\b", read_header(path.read_text())["Returns"]))
    returned = set(re.findall(r"\{ *'([A-Z]+)'", body_of(path)))
    returned |= set(re.findall(r"and '([A-Z]+)' or '([A-Z]+)'", body_of(path))[0:1] or [])
    flat = {code for item in returned for code in ([item] if isinstance(item, str) else item)}
    assert flat == told
    assert flat <= set(Code)


def test_each_script_has_one_method() -> None:
    methods = {name for name in vars(Transitions) if not name.startswith("_")}
    assert methods == set(LOADED)


def _keys_of_include(name: str) -> list[str]:
    header = read_header((FOLDER / "includes" / f"{name}.lua").read_text())
    keys = header["KEYS"].split()
    for include in header["Include"].split():
        keys += _keys_of_include(include)
    return keys
