"""`amr run` and `amr up`: a private Redis and workers of one's own."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amr.cli import exits
from amr.cli.options import (
    FunctionsDirectory,
    OutputFile,
    Parameters,
    Processes,
    Streams,
    Verbose,
    load_registry,
    set_up_log,
)
from amr.cli.output import check_output, put_result, say

if TYPE_CHECKING:
    from amr.jobspec.job import JobSpec
    from amr.worker.order import Functions

JobFile = Annotated[str, typer.Argument(metavar="JOB", help="job.json, or - for standard input.")]


def run(
    job: JobFile,
    functions: FunctionsDirectory = None,
    processes: Processes = None,
    parameters: Parameters = None,
    output: OutputFile = None,
    sequential: Annotated[
        bool,
        typer.Option("--sequential", help="In this process alone: no Redis, a debugger works."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no log.")] = False,
    verbose: Verbose = False,
) -> None:
    """Run a job here and now, on a private Redis, and print its result."""
    from amr.cli.follow import wait_for_result
    from amr.client import Client
    from amr.jobspec.file import load_job
    from amr.jobspec.job import check_functions
    from amr.jobspec.parameters import read_parameters
    from amr.local_run import LocalInstance

    level = set_up_log(verbose)
    check_output(output)
    spec = load_job(job, read_parameters(parameters or ()))
    check_functions(spec, load_registry(functions).names(), job)
    if sequential:
        _run_sequentially(spec, functions, output)
        return
    exits.clean_up_on_any_signal()
    with (
        LocalInstance(served(functions), processes, log_level=level) as instance,
        Client(instance.target) as client,
    ):
        # Its Redis ends with the job: there is nothing to be durable for.
        submitted = client.invoke(spec, durability="memory")
        wait_for_result(submitted, timeout_s=None, output=output, quiet=quiet, check=instance.check)


def _run_sequentially(spec: JobSpec, functions: str | None, output: Path | None) -> None:
    from amr.cli.calling import tell_failure
    from amr.errors import UsageError
    from amr.sequential import SequentialRun

    try:
        result = SequentialRun(spec, load_registry(functions)).run()
    except UsageError:
        raise
    except Exception as error:
        raise tell_failure(error, spec.display_name) from None
    put_result(result, output)


def up(
    functions: FunctionsDirectory = None,
    processes: Processes = None,
    streams: Streams = None,
    verbose: Verbose = False,
) -> None:
    """Keep a private Redis and its trigger running in .amr/, until Ctrl-C."""
    from amr.local_run import LocalInstance, instance_directory
    from amr.settings import stream_count

    level = set_up_log(verbose)
    names = load_registry(functions).names()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    directory = instance_directory()
    _refuse_second(directory)
    with LocalInstance(
        served(functions),
        processes,
        directory=directory,
        log_level=level,
        streams=streams or stream_count(),
    ) as instance:
        say(f"amr is up in {directory}: {instance.workers} workers, functions: {', '.join(names)}")
        say("In this folder: amr invoke job.json, amr logs -f, amr status JOB. Ctrl-C ends it.")
        try:
            while not stopping.wait(1.0):
                instance.check()
        except exits.Interrupted:
            say("stopping; what was done is kept in .amr/")


def _refuse_second(directory: Path) -> None:
    """Refuses to start beside an instance that runs in this folder.

    Two that start at the same moment both pass; the lock in the directory stops the second.

    Raises:
        UsageError: one runs.
    """
    from amr.errors import SettingsError, UsageError
    from amr.settings import INSTANCE_URL_FILE, resolve_target

    if not (directory / INSTANCE_URL_FILE).exists():
        return
    try:
        running = resolve_target(None, environ={}, directory=directory.parent)
        here = (directory / INSTANCE_URL_FILE).read_text(encoding="utf-8").strip()
    except (SettingsError, OSError):
        return
    if running.url() == here:
        raise UsageError(
            f"an `amr up` is running in {directory.parent} already: use it, or end it first"
        )


def served(functions: str | None) -> Functions:
    """Returns what workers serve of the directory that the option or the environment names."""
    from amr.settings import functions_directory
    from amr.worker.order import Functions

    return Functions(str(functions_directory(functions).absolute()), {})
