"""What commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from amr.cli.exits import ReaderGone
from amr.errors import SettingsError


def say(text: str) -> None:
    """Prints lines for people; control characters of users' text are made visible."""
    from amr.log import one_line

    try:
        print("\n".join(map(one_line, text.split("\n"))), file=sys.stderr, flush=True)
    except BrokenPipeError:
        raise ReaderGone from None


def put(text: str) -> None:
    """Prints a line of the command's result."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise ReaderGone from None


def put_json(value: Any) -> None:
    """Prints a value as JSON, indented for a terminal."""
    import orjson

    option = orjson.OPT_INDENT_2 if sys.stdout.isatty() else None
    put(orjson.dumps(value, option=option).decode())


def check_output(file: Path | None) -> None:
    """Checks that a result can be written to the file, before work is done for it.

    Raises:
        SettingsError: it is a directory, or stands where we cannot write.
    """
    if file is None or _is_special(file):
        return
    folder = file.resolve().parent
    if file.is_dir():
        raise SettingsError(f"--output {file}: it is a directory; name a file")
    if not folder.is_dir():
        raise SettingsError(f"--output {file}: there is no directory {folder}")
    if not os.access(folder, os.W_OK):
        raise SettingsError(f"--output {file}: you may not write in {folder}")


def put_result(result: bytes, file: Path | None) -> None:
    """Prints a job's result, or writes it to a file: all of it or nothing."""
    if file is None:
        try:
            sys.stdout.buffer.write(result + b"\n")
            sys.stdout.flush()
        except BrokenPipeError:
            raise ReaderGone from None
        return
    try:
        _write(file, result + b"\n")
    except OSError as error:
        raise SettingsError(f"--output {file}: cannot be written: {error.strerror}") from None
    say(f"result written to {file}")


def _write(file: Path, data: bytes) -> None:
    if _is_special(file):
        file.write_bytes(data)
        return
    # A link stays a link: what it points to is replaced.
    target = file.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(data)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _is_special(file: Path) -> bool:
    """Says if it is a device or a pipe, which is written to and never replaced."""
    return file.exists() and not file.is_file() and not file.is_dir()
