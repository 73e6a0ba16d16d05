"""`amr functions`: the registry, and calling one function to debug it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from amr.cli import exits
from amr.cli.calling import call_and_put
from amr.cli.options import AsJson, FunctionsDirectory, load_registry
from amr.cli.output import put_json, say

functions = typer.Typer(help="The functions of a directory.", no_args_is_help=True)


@functions.command("list")
def list_functions(directory: FunctionsDirectory = None, as_json: AsJson = False) -> None:
    """List the functions that jobs can name."""
    from amr.cli.tables import show_table

    found = load_registry(directory).describe()
    if as_json:
        put_json([asdict(info) for info in found])
        return
    rows = [(info.name, info.kind, info.target, info.summary) for info in found]
    show_table(("name", "kind", "where", "what"), rows)


@functions.command()
def check(directory: FunctionsDirectory = None) -> None:
    """Import every function and tell what is wrong."""
    registry = load_registry(directory)
    problems = registry.check()
    for problem in problems:
        say(f"amr: {problem}")
    if problems:
        raise typer.Exit(exits.FAILED)
    say(f"{len(registry.names())} functions, all well")


@functions.command("invoke")
def invoke_function(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Function.")],
    body: Annotated[
        str, typer.Option("--json", metavar="BODY", help="JSON body; @FILE or - to read it.")
    ] = "null",
    directory: FunctionsDirectory = None,
) -> None:
    """Call one function here, as a worker would, and print its output."""
    from amr.errors import PermanentError, UsageError
    from amr.jobspec.file import parse_json
    from amr.task import Task
    from amr.wire import dumps

    data = dumps(parse_json(_read_body(body), "--json"))
    registry = load_registry(directory)
    try:
        invoker = registry.find(name)
    except PermanentError as error:
        raise UsageError(str(error)) from None
    call_and_put(registry, invoker, Task(b"0-0", "local", "map", 0, 1, data), None)


def _read_body(text: str) -> bytes:
    from amr.errors import SettingsError

    if text == "-":
        return sys.stdin.buffer.read()
    if not text.startswith("@"):
        return text.encode(errors="surrogateescape")
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise SettingsError(f"--json {text}: cannot be read: {error.strerror}") from None
