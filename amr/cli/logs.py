"""`amr logs`: what happens in a job, and what its functions print."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Annotated

import typer

from amr.cli.options import AsJson, RedisUrl, Streams, find_job, open_client
from amr.cli.output import put
from amr.durations import parse_duration
from amr.wording import quoted

_EPOCH_MS = re.compile(r"[0-9]{12,15}")


def since_ms(text: str) -> int:
    """Returns the time that ``--since`` means, in milliseconds since the epoch.

    ISO-8601 (local time without an offset), milliseconds since the epoch, or a time ago such as
    ``9s``, ``15m``, ``13h``, ``3d``.
    """
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    try:
        if text.endswith(("s", "m", "h", "d")):
            return max(0, round((time.time() - parse_duration(text)) * 1000))
        return max(0, round(datetime.fromisoformat(text).timestamp() * 1000))
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{quoted(text)} is no time: give 9s, 15m, 13h or 3d ago, ISO-8601 such as "
            "2026-11-20T22:13:05, or milliseconds since 1970"
        ) from None


def logs(
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="Job id; the newest job.")
    ] = None,
    tail: Annotated[
        bool, typer.Option("--tail", "--follow", "-f", help="Go on until the job ends.")
    ] = False,
    since: Annotated[
        int,
        typer.Option(metavar="TIME", parser=since_ms, help="Only later lines: 10m, ISO-8601, ms."),
    ] = "1970-01-01T00:00:01+00:00",  # type: ignore[assignment] # read by the parser
    as_json: AsJson = False,
    redis_url: RedisUrl = None,
    streams: Streams = None,
) -> None:
    """Show a job's progress, retries, failures, its functions' lines and its result."""
    import orjson

    from amr.cli.event_lines import EventLines, event_row

    lines = EventLines()
    with open_client(redis_url, streams=streams) as client:
        handle = find_job(client, job)
        for event in handle.events(since_ms=since, follow=tail):
            row = {"job": handle.id} | event_row(event)
            put(orjson.dumps(row).decode() if as_json else lines.describe(event))
