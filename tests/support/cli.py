"""The command line as a person uses it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

AMR = [sys.executable, "-m", "amr.cli.app"]
ROOT = Path(__file__).parents[2]

#: Variables that would name a Redis or functions of the person who runs the tests.
_PRIVATE = ("AMR_", "REDIS_")


class Ended(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Returns the environment without what names a Redis, and with ``variables``."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(_PRIVATE)}
    return own | variables


def amr(
    *arguments: str, cwd: Path = ROOT, stdin: str = "", timeout_s: float = 60.0, **variables: str
) -> Ended:
    """Runs ``amr`` with arguments and environment variables; waits for its end."""
    done = subprocess.run(
        [*AMR, *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment(**variables),
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)
