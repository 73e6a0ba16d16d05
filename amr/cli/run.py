"""`amr run` and `amr up`: a private Redis and workers of one's own."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from amr.cli import exits
from amr.cli.options import FunctionsDirectory, OutputFile, Processes, load_registry
from amr.cli.output import say

if TYPE_CHECKING:
    from amr.worker.order import Functions

JobFile = Annotated[str, typer.Argument(metavar="JOB", help="job.json, or - for standard input.")]


def run(
    job: JobFile,
    functions: FunctionsDirectory = None,
    processes: Processes = None,
    output: OutputFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no log.")] = False,
) -> None:
    """Run a job here and now, on a private Redis, and print its result."""
    from amr.cli.follow import wait_for_result
    from amr.client import Client
    from amr.job import check_functions
    from amr.jobfile import load_job
    from amr.local_run import LocalInstance

    spec = load_job(job)
    check_functions(spec, load_registry(functions).names(), job)
    with (
        LocalInstance(_served(functions), processes) as instance,
        Client(instance.target) as client,
    ):
        wait_for_result(client.invoke(spec), timeout_s=None, output=output, quiet=quiet)


def up(functions: FunctionsDirectory = None, processes: Processes = None) -> None:
    """Keep a private Redis and its trigger running in .amr/, until Ctrl-C."""
    from amr.local_run import LocalInstance, instance_directory

    names = load_registry(functions).names()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    directory = instance_directory()
    with LocalInstance(_served(functions), processes, directory=directory) as instance:
        say(f"amr is up in {directory}: {instance.workers} workers, functions: {', '.join(names)}")
        say("In this folder: amr invoke job.json, amr logs -f, amr status JOB. Ctrl-C ends it.")
        try:
            while not stopping.wait(1.0):
                instance.check()
        except exits.Interrupted:
            say("stopping; what was done is kept in .amr/")


def _served(functions: str | None) -> Functions:
    from amr.settings import functions_directory
    from amr.worker.order import Functions

    return Functions(str(functions_directory(functions).absolute()), {})
