"""`amr trigger`: deploy the workers of a stream."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from amr.cli.options import (
    AsJson,
    FunctionsDirectory,
    Processes,
    RedisUrl,
    Streams,
    Verbose,
    duration,
    load_registry,
    set_up_log,
)
from amr.cli.output import put_json, say

if TYPE_CHECKING:
    from amr.redis_url import RedisTarget
    from amr.trigger_settings import TriggerSettings

trigger = typer.Typer(help="Triggers: the workers of a stream.", no_args_is_help=True)

Concurrency = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=100_000, help="Async and HTTP calls at a time a worker."),
]
Lease = Annotated[
    float | None,
    typer.Option(metavar="TIME", parser=duration, help="A silent worker's tasks move after this."),
]
Grace = Annotated[
    float | None,
    typer.Option(metavar="TIME", parser=duration, help="Time that running tasks have at a stop."),
]
_SHORTEST_LEASE_S = 1.0
_LOOKS_AT_A_TIME = 16

#: Keys of a listed trigger, and the heads of their columns.
_COLUMNS = {
    "name": "name",
    "url": "url",
    "stream": "stream",
    "workers": "workers",
    "lag": "lag",
    "pending": "pending",
    "rate": "tasks/s",
    "problem": "problem",
}

Value = TypeVar("Value")


@trigger.command()
def run(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Of amr.toml.")] = None,
    redis_url: RedisUrl = None,
    streams: Streams = None,
    functions: FunctionsDirectory = None,
    processes: Processes = None,
    concurrency: Concurrency = None,
    lease: Lease = None,
    grace: Grace = None,
    verbose: Verbose = False,
) -> None:
    """Run a trigger until SIGTERM or Ctrl-C."""
    import logging

    from amr.settings import CONCURRENCY, GRACE_S, LEASE_S, functions_directory, store_folder
    from amr.trigger.supervisor import TriggerOptions
    from amr.trigger.supervisors import make_supervisor
    from amr.worker.order import Functions

    saved = _saved(name)
    targets = _targets(saved, redis_url, streams)
    directory = functions_directory(functions or saved.functions)
    names = load_registry(str(directory)).names()
    lease_s = _checked_lease(_first(lease, saved.lease_s, LEASE_S))
    options = TriggerOptions(
        functions=Functions(str(directory.absolute()), {}),
        processes=_enough(_first(processes, saved.processes, os.cpu_count() or 1), targets),
        concurrency=_first(concurrency, saved.concurrency, CONCURRENCY),
        lease_s=lease_s,
        grace_s=_first(grace, saved.grace_s, GRACE_S),
        name=name or "",
        log_level=set_up_log(verbose, logging.INFO),
        store=store_folder(),
    )
    supervisor = make_supervisor(targets, options)
    supervisor.handle_signals()
    supervisor.run(
        lambda: say(
            f"trigger is up: {_streams_in_words(targets)}, "
            f"{options.processes} workers, functions: {', '.join(names) or 'none'}"
        )
    )


@trigger.command()
def setup(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    source_uri: Annotated[
        str,
        typer.Option(metavar="URI", help="redis[+tls]://[[USER]:PASSWORD@]HOST[:PORT][/DB]#STREAM"),
    ],
    streams: Streams = None,
    functions: FunctionsDirectory = None,
    processes: Processes = None,
    concurrency: Concurrency = None,
    lease: Lease = None,
    grace: Grace = None,
) -> None:
    """Check a Redis, make its streams ready, and keep the settings in amr.toml."""
    from amr.settings import resolve_targets
    from amr.store.connection import connect, redis_errors
    from amr.store.health import require_suitable
    from amr.store.keys import Keys
    from amr.store.link import Link
    from amr.store.stream import ensure_group
    from amr.trigger_settings import TriggerSettings, save

    if lease is not None:
        _checked_lease(lease)
    targets = resolve_targets(source_uri, streams, source="--source-uri")
    for target in targets:
        with redis_errors(target), connect(target) as connection:
            require_suitable(connection)
    # Saved first: a name that is refused must leave nothing behind in Redis.
    saved = save(
        TriggerSettings(name, source_uri, functions, processes, concurrency, lease, grace, streams)
    )
    for target in targets:
        link = Link(target)
        try:
            with redis_errors(target):
                ensure_group(link, Keys(target.stream))
        finally:
            link.close()
    say(f"trigger {name} {'created' if saved.created else 'updated'}: amr trigger run {name}")
    if saved.unset:
        say(f"the password is not kept: set {', '.join(saved.unset)} where the trigger runs")


@trigger.command("list")
def list_triggers(
    redis_url: RedisUrl = None, streams: Streams = None, as_json: AsJson = False
) -> None:
    """List the triggers of amr.toml, and who works on their streams."""
    from amr.cli.tables import show_table
    from amr.trigger_settings import load

    saved = load()
    rows = [row for one in saved.values() for row in _look_saved(one)]
    if redis_url or not saved:
        rows += _look_at_all("", _targets(None, redis_url, streams))
    if as_json:
        put_json(rows)
        return
    cells = [["" if row[key] is None else str(row[key]) for key in _COLUMNS] for row in rows]
    show_table(tuple(_COLUMNS.values()), cells)


@trigger.command()
def workers(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Of amr.toml.")] = None,
    redis_url: RedisUrl = None,
    streams: Streams = None,
    as_json: AsJson = False,
) -> None:
    """List the workers of the streams, and what each of them runs."""
    from dataclasses import asdict

    from amr.cli.status_tables import show_workers
    from amr.client import Client

    with Client(_targets(_saved(name), redis_url, streams)) as client:
        found = client.workers()
    if as_json:
        put_json([asdict(worker) for worker in found])
    else:
        show_workers(found)


@trigger.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Take a trigger out of amr.toml; what runs goes on."""
    from amr.trigger_settings import remove as remove_settings

    remove_settings(name)
    say(f"trigger {name} deleted")


def _look_saved(saved: TriggerSettings) -> list[dict[str, Any]]:
    """The same of a trigger of amr.toml; settings that are wrong do not hide the other rows."""
    from amr.errors import SettingsError

    try:
        return _look_at_all(saved.name, _targets(saved, None, None))
    except SettingsError as error:
        return [dict.fromkeys(_COLUMNS) | {"name": saved.name, "problem": str(error)}]


def _look_at_all(name: str, targets: Sequence[RedisTarget]) -> list[dict[str, Any]]:
    """Returns a row a stream. All are looked at together, for each look takes its time."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_LOOKS_AT_A_TIME) as looks:
        return list(looks.map(lambda target: _look(name, target), targets))


def _look(name: str, target: RedisTarget) -> dict[str, Any]:
    """Returns what is to be told of one stream; a Redis that does not answer is told as well."""
    from amr.client import Client
    from amr.errors import RedisUnavailableError

    row: dict[str, Any] = dict.fromkeys(_COLUMNS)
    row |= {"name": name, "url": target.masked, "stream": target.stream}
    try:
        with Client(target) as client:
            view = client.stream_view()
    except RedisUnavailableError as error:
        return row | {"problem": str(error)}
    return row | {
        "workers": view.workers,
        "lag": view.lag,
        "pending": view.pending,
        "rate": view.rate,
    }


def _saved(name: str | None) -> TriggerSettings:
    from amr.trigger_settings import TriggerSettings, load_one

    return TriggerSettings("", "") if name is None else load_one(name)


def _targets(
    saved: TriggerSettings | None, redis_url: list[str] | None, streams: int | None
) -> tuple[RedisTarget, ...]:
    from amr.settings import resolve_targets

    if not redis_url and saved is not None and saved.source_uri:
        source = f"trigger {saved.name} in amr.toml"
        return resolve_targets(saved.source_uri, streams or saved.streams, source=source)
    return resolve_targets(redis_url, streams)


def _enough(processes: int, targets: Sequence[RedisTarget]) -> int:
    """Returns the number of processes, raised where it is less than one a stream."""
    if processes >= len(targets):
        return processes
    say(f"{len(targets)} workers in place of {processes}: each stream needs one")
    return len(targets)


def _streams_in_words(targets: Sequence[RedisTarget]) -> str:
    first, last = targets[0], targets[-1]
    if len(targets) == 1:
        return f"stream {first.stream} of {first.masked}"
    return f"{len(targets)} streams, {first.stream} of {first.masked} to {last.masked}"


def _first(option: Value | None, saved: Value | None, default: Value) -> Value:
    """Returns the option, else what is saved, else the default."""
    given = saved if option is None else option
    return default if given is None else given


def _checked_lease(lease_s: float) -> float:
    if lease_s < _SHORTEST_LEASE_S:
        raise typer.BadParameter(
            f"a lease of {lease_s:g} s is too short: three heartbeats have to fit; at least 1s"
        )
    return lease_s
