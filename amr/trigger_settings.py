"""amr.toml: the triggers set up in a directory, one ``[trigger.NAME]`` table each.

No password is ever stored in clear: in its place stands the environment variable that holds it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from amr.durations import parse_duration
from amr.errors import SettingsError
from amr.redis_url import MOST_STREAMS, is_reference, references, split_login
from amr.settings import resolve_target
from amr.suggest import did_you_mean

FILE_NAME = "amr.toml"

#: Variable that stands in for a password which no variable holds.
PASSWORD_VARIABLE = "REDIS_PASSWORD"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """One trigger of amr.toml; None stands for the default.

    Attributes:
        name: the trigger's name.
        source_uri: URL of the Redis and stream; may refer to environment variables.
        streams: number of streams that the URL means.
        functions: directory of the functions.
        processes: number of worker processes.
        concurrency: async and HTTP calls at a time in each worker.
        lease_s: seconds a worker's lease lasts.
        grace_s: seconds that running tasks get after SIGTERM.
    """

    name: str
    source_uri: str
    functions: str | None = None
    processes: int | None = None
    concurrency: int | None = None
    lease_s: float | None = None
    grace_s: float | None = None
    streams: int | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What :func:`save` did.

    Attributes:
        created: the trigger is new; False if one of this name was replaced.
        variables: environment variables that the stored URL refers to.
        unset: those of them that are not set to what the URL needs; tell the user to set them.
        settings: the settings as they are stored.
    """

    created: bool
    variables: tuple[str, ...]
    unset: tuple[str, ...]
    settings: TriggerSettings


def load(directory: Path | None = None) -> dict[str, TriggerSettings]:
    """Returns the triggers of ``directory``'s amr.toml by name; empty if there is no file.

    Raises:
        SettingsError: the file cannot be read, or a field of it is wrong.
    """
    return _parse(_read(_file(directory)))


def load_one(name: str, directory: Path | None = None) -> TriggerSettings:
    """Returns one trigger.

    Raises:
        SettingsError: the file is wrong, or has no trigger of this name.
    """
    triggers = load(directory)
    if name not in triggers:
        raise SettingsError(_unknown_trigger(name, triggers))
    return triggers[name]


def save(
    settings: TriggerSettings,
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Saved:
    """Stores a trigger; the file's other triggers and comments stay as they are.

    A password in the URL, as the shell leaves it of ``"redis://:$REDIS_PASSWORD@…"``, is replaced
    by the variable that holds it, or by ``$REDIS_PASSWORD`` if none does.

    Raises:
        SettingsError: the name or the URL is wrong, or amr.toml cannot be edited.
    """
    if not _NAME.fullmatch(settings.name):
        raise SettingsError(
            f"{settings.name[:100]!r} cannot name a trigger: use letters, digits, '-' and '_'"
        )
    environ = os.environ if environ is None else environ
    resolve_target(settings.source_uri, environ=environ, source="--source-uri")
    uri, stand_in = _without_password(settings.source_uri, environ)
    settings = replace(settings, source_uri=uri)
    variables = references(uri)
    unset = tuple(
        name
        for name in variables
        if name == stand_in or not (environ.get(name) or environ.get(f"{name}_FILE"))
    )
    file = _file(directory)
    text = _read(file)
    before = _parse(text)
    _write_checked(
        file, _replaced(text, settings.name, _table(settings)), before | {settings.name: settings}
    )
    return Saved(settings.name not in before, variables, unset, settings)


def remove(name: str, directory: Path | None = None) -> None:
    """Removes a trigger from amr.toml.

    Raises:
        SettingsError: there is no trigger of this name, or amr.toml cannot be edited.
    """
    file = _file(directory)
    text = _read(file)
    triggers = _parse(text)
    if name not in triggers:
        raise SettingsError(_unknown_trigger(name, triggers))
    rest = {other: settings for other, settings in triggers.items() if other != name}
    _write_checked(file, _replaced(text, name, ""), rest)


def _file(directory: Path | None) -> Path:
    return (directory or Path.cwd()) / FILE_NAME


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: it is not UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None


def _parse(text: str) -> dict[str, TriggerSettings]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{FILE_NAME}: {error}") from None
    for name in document:
        if name != "trigger":
            hint = did_you_mean(name, ("trigger",))
            raise SettingsError(
                f"{FILE_NAME}: unknown table {name!r}; tables are [trigger.NAME]{hint}"
            )
    tables = document.get("trigger", {})
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise SettingsError(f"{FILE_NAME}: a trigger is a table [trigger.NAME]")
    return {name: _trigger(name, table) for name, table in tables.items()}


def _trigger(name: str, table: Mapping[str, Any]) -> TriggerSettings:
    where = f"{FILE_NAME}: [trigger.{name}]"
    for key in table:
        if key not in _FIELDS:
            raise SettingsError(
                f"{where}: unknown field {key!r}; fields are {', '.join(_FIELDS)}"
                f"{did_you_mean(key, _FIELDS)}"
            )
    if "source_uri" not in table:
        raise SettingsError(f"{where}: source_uri is missing")
    return TriggerSettings(
        name,
        source_uri=_text(table["source_uri"], f"{where}: source_uri"),
        functions=_text(table["functions"], f"{where}: functions")
        if "functions" in table
        else None,
        processes=_count(table, "processes", where),
        concurrency=_count(table, "concurrency", where),
        lease_s=_duration(table, "lease", where),
        grace_s=_duration(table, "grace", where),
        streams=_count(table, "streams", where, MOST_STREAMS),
    )


_FIELDS = ("source_uri", "streams", "functions", "processes", "concurrency", "lease", "grace")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{where} must be text in quotes")
    return value


def _count(table: Mapping[str, Any], key: str, where: str, most: int | None = None) -> int | None:
    value = table.get(key)
    if value is not None and (type(value) is not int or not 1 <= value <= (most or value)):
        to = f" to {most}" if most else ""
        raise SettingsError(f"{where}: {key} must be a whole number from 1{to}")
    return value


def _duration(table: Mapping[str, Any], key: str, where: str) -> float | None:
    if key not in table:
        return None
    try:
        return parse_duration(table[key])
    except ValueError as error:
        raise SettingsError(f"{where}: {key} {error}") from None


def _without_password(uri: str, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Returns the URL with a variable in place of its password.

    The second value is that variable where it does not hold the password yet, else None.
    """
    start, login, rest = split_login(uri)
    if not start and not is_reference(uri):
        raise SettingsError("--source-uri: write its scheme out, as in redis://$REDIS_HOST")
    user, _, password = login.partition(":")
    if not password or is_reference(password):
        return uri, None
    plain = unquote(password)
    holders = [name for name in environ if environ[name] == plain and is_reference(f"${name}")]
    if holders:
        holder = PASSWORD_VARIABLE if PASSWORD_VARIABLE in holders else min(holders)
        return f"{start}{user}:${holder}@{rest}", None
    return f"{start}{user}:${PASSWORD_VARIABLE}@{rest}", PASSWORD_VARIABLE


def _table(settings: TriggerSettings) -> str:
    values: dict[str, str | int | None] = {
        "source_uri": settings.source_uri,
        "streams": settings.streams,
        "functions": settings.functions,
        "processes": settings.processes,
        "concurrency": settings.concurrency,
        "lease": None if settings.lease_s is None else f"{settings.lease_s:.12g}s",
        "grace": None if settings.grace_s is None else f"{settings.grace_s:.12g}s",
    }
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[trigger.{settings.name}]", *lines, ""])


def _toml(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    # A JSON string is a TOML string, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _replaced(text: str, name: str, table: str) -> str:
    """Returns ``text`` with ``table`` in place of the table of this trigger, or behind the rest."""
    header = re.compile(rf"[ \t]*\[[ \t]*trigger[ \t]*\.[ \t]*([\"']?){re.escape(name)}\1[ \t]*\]")
    lines = text.splitlines(keepends=True)
    first = next((at for at, line in enumerate(lines) if header.match(line)), None)
    if first is None:
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        return text + gap + table if table else text
    end = next(
        (at for at in range(first + 1, len(lines)) if lines[at].lstrip().startswith("[")),
        len(lines),
    )
    # Blank lines and comments right above the next table are that table's.
    while end > first + 1 and re.match(r"\s*(#|$)", lines[end - 1]) and end < len(lines):
        end -= 1
    return "".join(lines[:first]) + table + "".join(lines[end:])


def _write_checked(file: Path, text: str, wanted: dict[str, TriggerSettings]) -> None:
    """Writes ``text`` at once or not at all, if it says what is ``wanted``."""
    try:
        told = _parse(text)
    except SettingsError:
        told = {}
    if told != wanted:
        raise SettingsError(
            f"{file}: it is written in a form that only you can edit; edit it by hand"
        )
    file = file.resolve()
    try:
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
        descriptor, draft = tempfile.mkstemp(prefix=f".{FILE_NAME}.", dir=file.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as output:
                output.write(text)
                output.flush()
                os.fchmod(output.fileno(), mode)
                os.fsync(output.fileno())
            os.replace(draft, file)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(f"{file}: cannot be written: {error.strerror}") from None


def _unknown_trigger(name: str, triggers: Mapping[str, TriggerSettings]) -> str:
    known = f"there are {', '.join(sorted(triggers))}" if triggers else "there are none"
    return f"{FILE_NAME} has no trigger {name!r}; {known}{did_you_mean(name, triggers)}"
