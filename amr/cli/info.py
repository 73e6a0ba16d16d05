"""`amr schema`, `amr doctor` and `amr version`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from amr.cli import exits
from amr.cli.options import (
    AsJson,
    FunctionsDirectory,
    RedisUrl,
    Streams,
    load_registry,
    open_client,
)
from amr.cli.output import put, put_json

if TYPE_CHECKING:
    from amr.session import Session
    from amr.store.health import ServerReport

Finding = tuple[str, str, str]


def schema() -> None:
    """Print the JSON Schema of job.json."""
    from amr.jobspec.job import json_schema

    put_json(json_schema())


def version() -> None:
    """Print the version."""
    from amr import __version__

    put(f"amr {__version__}")


def doctor(
    redis_url: RedisUrl = None,
    streams: Streams = None,
    functions: FunctionsDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Check Redis, the triggers and the functions; exit 1 when something is wrong."""
    with open_client(redis_url, streams=streams) as client:
        findings = [finding for stream in client.streams for finding in _check_stream(stream)]
    findings += _check_functions(functions)
    if as_json:
        put_json([dict(zip(("level", "what", "finding"), row, strict=True)) for row in findings])
    else:
        for level, what, finding in findings:
            put(f"{level:<5} {what:<10} {finding}")
    if any(level == "fail" for level, _, _ in findings):
        raise typer.Exit(exits.FAILED)


def _check_stream(session: Session) -> list[Finding]:
    """Checks one stream: its Redis, and who works on it."""
    from amr.store.connection import connect, redis_errors
    from amr.store.health import check_server

    with redis_errors(session.target), connect(session.target) as connection:
        report = check_server(connection)
        triggers = session.fleet.live_triggers()
    findings = _check_redis(report, session.target.masked)
    served = ", ".join(sorted({name for t in triggers for name in t.facts["functions"]}))
    if triggers:
        workers = sum(len(t.facts["workers"]) for t in triggers)
        said = f"{len(triggers)} up with {workers} workers; they serve: {served or 'nothing'}"
        findings.append(("ok", "triggers", said))
    else:
        findings.append(("warn", "triggers", "none is up: amr trigger run"))
    return findings


def _check_redis(report: ServerReport, shown_url: str) -> list[Finding]:
    durable = "append-only file" if report.appendonly else report.snapshots or "no persistence"
    policy = report.policy or "unknown policy"
    said = f"{report.flavour} {report.version_text} at {shown_url}, {policy}, {durable}"
    findings: list[Finding] = [("ok", "redis", said)]
    findings += [("fail", "redis", obstacle) for obstacle in report.obstacles()]
    findings += [("warn", "redis", warning) for warning in report.warnings()]
    if report.memory_used_bytes is not None:
        limit = (
            f"of {_megabytes(report.memory_max_bytes)}" if report.memory_max_bytes else "no limit"
        )
        findings.append(("ok", "memory", f"{_megabytes(report.memory_used_bytes)} used, {limit}"))
    if report.clock_difference_s is not None:
        findings.append(("ok", "clock", f"{report.clock_difference_s:+.3f} s from this machine's"))
    return findings


def _megabytes(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"


def _check_functions(functions: str | None) -> list[Finding]:
    from amr.errors import FunctionsError
    from amr.settings import functions_directory

    directory = functions_directory(functions)
    if functions is None and not directory.is_dir():
        return [("ok", "functions", f"no {directory}/ here to check")]
    try:
        registry = load_registry(functions)
    except FunctionsError as error:
        return [("fail", "functions", str(error))]
    problems = registry.check()
    if not problems:
        return [("ok", "functions", f"{len(registry.names())} in {directory}/")]
    return [("fail", "functions", problem) for problem in problems]
