"""The README's commands are the Makefile's, and the first one works."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import environment

ROOT = Path(__file__).parents[1]


def test_the_readme_has_the_two_commands() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert [block.strip() for block in blocks[:2]] == ["make demo", "make test"]


@pytest.mark.skipif(
    Path(sys.prefix) != ROOT / ".venv", reason="`make demo` would set up .venv; `make test` has it"
)
def test_the_demo_runs_and_prints_the_estimate() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "demo"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "10/10 done" in done.stderr
    assert 2.9 < float(done.stdout.splitlines()[-1]) < 3.4
