"""The ``amr`` command: its commands, and what becomes of their errors."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from amr import __version__
from amr.cli import exits
from amr.cli.functions import functions
from amr.cli.info import doctor, schema
from amr.cli.invoke import invoke, spread_wait
from amr.cli.jobs import cancel, failures, list_jobs, result, status
from amr.cli.logs import logs
from amr.cli.run import run, up
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
app.command()(cancel)
app.command()(schema)
app.command()(doctor)
app.add_typer(functions, name="functions")
app.add_typer(trigger, name="trigger")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"amr {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Asynchronous MapReduce over Redis Streams: fan work out over functions, and back in."""


def main() -> None:
    """Runs a command; every foreseen error is one clear message and its exit code."""
    signal.signal(signal.SIGINT, exits.interrupt)
    try:
        app(args=spread_wait(sys.argv[1:]))
    except exits.Interrupted:
        sys.exit(exits.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exits.OK)
    except Exception as error:
        sys.exit(_tell(error))


def _tell(error: Exception) -> int:
    """Prints a foreseen error and returns its exit code; others are raised again."""
    from amr import errors

    codes = {
        errors.WaitTimeoutError: exits.WAIT_TIMED_OUT,
        errors.RedisUnavailableError: exits.UNREACHABLE,
        errors.UsageError: exits.USAGE,
        errors.AmrError: exits.FAILED,
    }
    for kind, code in codes.items():
        if isinstance(error, kind):
            print(f"amr: {error}", file=sys.stderr)
            return code
    raise error


if __name__ == "__main__":
    main()
