"""The ``amr`` command: its commands, and what becomes of their errors."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from amr.cli import exits
from amr.cli.control import cancel, pause, prune, redrive, resume, update
from amr.cli.functions import functions
from amr.cli.info import doctor, schema, version
from amr.cli.invoke import invoke, spread
from amr.cli.jobs import failures, list_jobs, result, status
from amr.cli.logs import logs
from amr.cli.replay import replay
from amr.cli.run import run, up
from amr.cli.task import task
from amr.cli.trigger import trigger

app = typer.Typer(
    name="amr",
    help="Asynchronous MapReduce over Redis Streams.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.command()(run)
app.command()(up)
app.command()(invoke)
app.command()(logs)
app.command()(status)
app.command("list")(list_jobs)
app.command()(result)
app.command()(failures)
app.command()(task)
app.command()(redrive)
app.command()(replay)
app.command()(cancel)
app.command()(pause)
app.command()(resume)
app.command()(update)
app.command()(prune)
app.command()(schema)
app.command()(doctor)
app.command()(version)
app.add_typer(functions, name="functions")
app.add_typer(trigger, name="trigger")


def _show_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Asynchronous MapReduce over Redis Streams: fan work out over functions, and back in."""


def main() -> None:
    """Runs a command; every foreseen error is one clear message and its exit code."""
    signal.signal(signal.SIGINT, exits.interrupt)
    try:
        app(args=spread(sys.argv[1:]))
    except exits.Interrupted as signalled:
        sys.exit(signalled.code)
    except exits.ReaderGone:
        # What is still buffered would meet the closed pipe again when the interpreter ends.
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(exits.OK)
    except Exception as error:
        sys.exit(_tell(error))


def _tell(error: Exception) -> int:
    """Prints a foreseen error and returns its exit code; others are raised again."""
    from amr import errors
    from amr.cli.output import say

    codes = {
        errors.WaitTimeoutError: exits.WAIT_TIMED_OUT,
        errors.RedisUnavailableError: exits.UNREACHABLE,
        errors.UsageError: exits.USAGE,
        errors.AmrError: exits.FAILED,
    }
    for kind, code in codes.items():
        if isinstance(error, kind):
            say(f"amr: {error}")
            return code
    raise error


if __name__ == "__main__":
    main()
