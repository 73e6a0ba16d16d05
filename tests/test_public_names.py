"""What amr exports: pinned, documented, and free until it is used."""

from __future__ import annotations

import subprocess
import sys

import amr
from amr import errors


def test_exported_names_are_these() -> None:
    assert sorted(amr.__all__) == sorted(amr._HOME_OF)


def test_every_exported_name_is_documented() -> None:
    assert [name for name in amr.__all__ if not getattr(amr, name).__doc__] == []


def test_every_error_is_exported() -> None:
    own = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert {name for name in own if issubclass(getattr(errors, name), errors.AmrError)} <= set(
        amr.__all__
    )


def test_the_picture_of_the_errors_is_the_tree() -> None:
    picture = errors.__doc__ or ""
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.AmrError):
            assert name in picture


def test_importing_amr_imports_nothing_heavy() -> None:
    code = "import sys, amr; print([m for m in ('redis', 'pydantic', 'httpx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
