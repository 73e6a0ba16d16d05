"""Scripts with one guard taken out, and what the store's tests say to them.

A guard keeps a transition from what must not happen. The scripts mark theirs:

``if A or B then … -- guard``   no alternative of the condition is needless: a mutant for each of
                                them has ``false`` in its place
``… -- guard: EXPRESSION``      the mutant has ``true`` in place of the expression

As a plugin of pytest (``-p tests.support.mutants``) this module puts the scripts of the folder that
``MUTANT_SCRIPTS`` names in place of amr's own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from amr.store import link, loader
from tests.support import redis_server

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "amr" / "store" / "scripts"

_MARK = re.compile(r" -- guard(?:: (.+))?$")
_CONDITION = re.compile(r"^(\s*(?:else)?if )(.+?)( then\b.*)$")
_STORE_TESTS = ["tests/store/test_scripts_*.py", "tests/store/test_invariant_machine.py"]
_TIMEOUT_S = 180.0


class Mutant(NamedTuple):
    """One script with one guard taken out.

    Attributes:
        script: path below the folder of the scripts.
        line: number of the guard's line.
        text: the line as it is in the mutant.
    """

    script: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.script}:{self.line}: {self.text.strip()}"


def find_mutants() -> list[Mutant]:
    """Returns a mutant for each guard that the scripts mark."""
    mutants = []
    for file in sorted(SCRIPTS.rglob("*.lua")):
        name = str(file.relative_to(SCRIPTS))
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if _MARK.search(line):
                mutants += [Mutant(name, number, text) for text in _without_guard(line)]
    return mutants


def survives(mutant: Mutant) -> bool:
    """Whether all tests of the store pass with the mutant in place of its script."""
    with tempfile.TemporaryDirectory() as directory:
        scripts = Path(directory) / "scripts"
        shutil.copytree(SCRIPTS, scripts)
        lines = (scripts / mutant.script).read_text().splitlines()
        lines[mutant.line - 1] = mutant.text
        (scripts / mutant.script).write_text("\n".join(lines) + "\n")
        tests = [str(f) for pattern in _STORE_TESTS for f in sorted(ROOT.glob(pattern))]
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "tests.support.mutants"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=ROOT,
            env=os.environ | {"MUTANT_SCRIPTS": str(scripts)},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode == 0


def _without_guard(line: str) -> Iterator[str]:
    """Yields the line without one of its guards, for each that it has."""
    mark = _MARK.search(line)
    assert mark
    code = line[: mark.start()]
    if expression := mark[1]:
        assert code.count(expression) == 1, f"{expression!r} must stand once in {code!r}"
        yield code.replace(expression, "true")
        return
    condition = _CONDITION.match(code)
    assert condition, f"a guard is an if: {line}"
    before, tests, behind = condition.groups()
    alternatives = _alternatives(tests)
    for at in range(len(alternatives)):
        kept = [*alternatives[:at], "false", *alternatives[at + 1 :]]
        yield before + " or ".join(kept) + behind


def _alternatives(condition: str) -> list[str]:
    """Splits a condition at each ``or`` that stands in no parenthesis."""
    parts, depth = [""], 0
    for word in re.split(r"( or |[()])", condition):
        depth += (word == "(") - (word == ")")
        if word == " or " and not depth:
            parts.append("")
        else:
            parts[-1] += word
    return parts


if folder := os.environ.get("MUTANT_SCRIPTS"):
    loader._FILES = Path(folder)
    link.SCRIPTS.update(loader.load_scripts())
    # One version of Redis is enough to tell a script from another.
    ONE_REDIS = redis_server.redis_binaries()[:1]
    redis_server.redis_binaries = lambda: ONE_REDIS  # type: ignore[assignment]
