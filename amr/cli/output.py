"""What commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from amr.errors import SettingsError


def say(text: str) -> None:
    """Prints a line for people."""
    print(text, file=sys.stderr, flush=True)


def put(text: str) -> None:
    """Prints a line of the command's result."""
    print(text, flush=True)


def put_json(value: Any) -> None:
    """Prints a value as JSON, indented for a terminal."""
    import orjson

    option = orjson.OPT_INDENT_2 if sys.stdout.isatty() else None
    put(orjson.dumps(value, option=option).decode())


def put_result(result: bytes, file: Path | None) -> None:
    """Prints a job's result, or writes it to a file."""
    if file is None:
        sys.stdout.buffer.write(result + b"\n")
        sys.stdout.flush()
        return
    try:
        draft = file.with_name(file.name + ".part")
        draft.write_bytes(result + b"\n")
        draft.replace(file)
    except OSError as error:
        raise SettingsError(f"--output {file}: cannot be written: {error.strerror}") from None
    say(f"result written to {file}")
