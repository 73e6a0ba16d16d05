"""Where settings come from: options, environment variables, the instance of an `amr up`.

Also the one list of environment variables, and the defaults that several modules share.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from amr.durations import parse_duration
from amr.errors import SettingsError
from amr.partitions import partitions
from amr.redis_url import MOST_STREAMS, RedisTarget, expand_references, parse_redis_url
from amr.wording import quoted

#: Seconds a worker's lease lasts; without a renewal its tasks then go to other workers.
LEASE_S = 15.0
#: Seconds that running tasks may take to finish after SIGTERM.
GRACE_S = 30.0
#: Async and HTTP calls that one worker runs at the same time.
CONCURRENCY = 1000
#: Seconds that a blocking read waits in Redis for an entry.
BLOCK_S = 5.0
#: Seconds that replicas or the disk have to acknowledge a durable job.
CONFIRM_TIMEOUT_S = 5.0
#: Map tasks of all jobs of a stream that may wait or run; a job beyond them is refused.
MAX_BACKLOG = 10_000_000
#: Directory of user functions, where neither option nor variable names another.
FUNCTIONS_DIRECTORY = Path("functions")

#: Between the URLs of one variable; a password may hold blanks, but hardly these.
_SEVERAL_URLS = re.compile(r"\s+(?=[a-zA-Z+]+://)")

#: Directory in which `amr up` keeps its instance.
INSTANCE_DIRECTORY = Path(".amr")
#: File in it that holds the URL of the running instance.
INSTANCE_URL_FILE = "redis.url"

#: Every environment variable that amr reads, and what it means.
VARIABLES: Mapping[str, str] = {
    "AMR_REDIS_URL": "URL of the Redis and stream to use, or several; goes before every other",
    "REDIS_URL": "URL of the Redis and stream, where AMR_REDIS_URL is not set",
    "REDIS_HOST": "host of the Redis, where no URL is set",
    "REDIS_PORT": "port beside REDIS_HOST (6379)",
    "REDIS_USERNAME": "ACL user beside REDIS_HOST",
    "REDIS_PASSWORD": "password beside REDIS_HOST",
    "REDIS_PASSWORD_FILE": "file that holds the password, where REDIS_PASSWORD is not set",
    "AMR_STREAMS": "number of streams that jobs are divided over, where the URL tells none (1)",
    "AMR_FUNCTIONS": "directory of the functions (functions/)",
    "AMR_CONFIRM_TIMEOUT": "time that replicas or the disk have to acknowledge a durable job (5s)",
    "AMR_MAX_BACKLOG": "map tasks that may wait or run before a job is refused (10000000)",
    "AMR_STORE": "folder that all workers share, or URL, for what is too large for Redis",
    "AMR_REDIS_SERVER": "redis-server or valkey-server binary for the embedded Redis",
}


class Variables(Mapping[str, str]):
    """Environment variables as amr reads them.

    An empty variable counts as not set, and where ``NAME`` is not set, ``NAME_FILE`` may name a
    file that holds its value, as containers mount their secrets.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        if value := self._environ.get(name):
            return value
        file = self._environ.get(f"{name}_FILE")
        if not file:
            raise KeyError(name)
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise SettingsError(f"{name}_FILE: cannot read {file}: {reason}") from None
        return text.rstrip("\r\n")

    def __iter__(self) -> Iterator[str]:
        return (name for name, value in self._environ.items() if value)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def resolve_target(
    option: str | None,
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    source: str = "--redis-url",
) -> RedisTarget:
    """Finds the Redis to use: there is never an unnamed localhost.

    In this order: ``option``, AMR_REDIS_URL, REDIS_URL, REDIS_HOST with its port, user and
    password, the instance of an `amr up` in the directory or one above it.

    Args:
        option: URL given on the command line or in amr.toml; may refer to environment variables
            as ``$NAME`` and ``${NAME}``.
        environ: the environment; the process's own if None.
        directory: where to look for an instance; the working directory if None.
        source: what gave ``option``, named in errors.

    Raises:
        SettingsError: a URL is wrong, or nothing names a Redis.
    """
    variables = Variables(os.environ if environ is None else environ)
    named = _named_targets([] if option is None else [option], variables, source)
    if len(named) > 1:
        raise SettingsError("one URL is wanted here, and several are given")
    return named[0] if named else _instance_target(variables, directory)


def resolve_targets(
    given: str | RedisTarget | Sequence[str | RedisTarget] | None,
    streams: int | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    source: str = "--redis-url",
) -> tuple[RedisTarget, ...]:
    """Finds the streams to use, each as a target of its own: as ``resolve_target``, but several.

    Args:
        given: URLs as of ``resolve_target``, or targets; the streams of all of them are a set.
        streams: number of streams of each; else the URL tells it, or AMR_STREAMS.
        environ: as of ``resolve_target``.
        directory: as of ``resolve_target``.
        source: as of ``resolve_target``.

    Raises:
        SettingsError: a URL or a number is wrong, nothing names a Redis, or one stream twice.
    """
    variables = Variables(os.environ if environ is None else environ)
    several = [given] if isinstance(given, (str, RedisTarget)) else given or ()
    targets = [each for each in several if isinstance(each, RedisTarget)]
    urls = [each for each in several if isinstance(each, str)]
    if urls or not targets:
        count = streams or stream_count(environ)
        named = _named_targets(urls, variables, source)
        targets += [replace(t, streams=count) if t.streams == 1 else t for t in named]
    # An instance tells its number itself: AMR_STREAMS may not have been set where it started.
    targets = targets or [_instance_target(variables, directory)]
    if streams is not None:
        targets = [replace(target, streams=streams) for target in targets]
    found = tuple(stream for target in targets for stream in partitions(target))
    twice = next((each for at, each in enumerate(found) if each in found[:at]), None)
    if twice is not None:
        raise SettingsError(f"{source}: the stream {twice.masked} is named twice")
    return found


def _named_targets(
    urls: Sequence[str], variables: Mapping[str, str], source: str
) -> list[RedisTarget]:
    """Returns what the URLs name, else what the environment does; empty if nothing does."""
    if urls:
        return [parse_redis_url(expand_references(url, variables, source), source) for url in urls]
    for name in ("AMR_REDIS_URL", "REDIS_URL"):
        if text := variables.get(name):
            return [parse_redis_url(url, name) for url in _SEVERAL_URLS.split(text.strip())]
    return [_from_host_variables(variables)] if "REDIS_HOST" in variables else []


def stream_count(environ: Mapping[str, str] | None = None) -> int:
    """Returns the number of streams that AMR_STREAMS gives, or 1.

    Raises:
        SettingsError: it is no such number.
    """
    text = Variables(os.environ if environ is None else environ).get("AMR_STREAMS") or "1"
    number = int(text) if re.fullmatch(r"[0-9]{1,3}", text.strip()) else 0
    if not 1 <= number <= MOST_STREAMS:
        raise SettingsError(
            f"AMR_STREAMS: {quoted(text)} is no number of streams; it is 1 to {MOST_STREAMS}"
        )
    return number


def _instance_target(variables: Mapping[str, str], directory: Path | None) -> RedisTarget:
    """Returns the instance of an `amr up` in the directory or above it."""
    instance = _find_instance(directory or Path.cwd())
    if instance.target is None:
        raise SettingsError(_nothing_names_a_redis(variables, instance.ignored))
    return instance.target


def functions_directory(option: str | None, environ: Mapping[str, str] | None = None) -> Path:
    """Returns the functions directory: ``option``, AMR_FUNCTIONS or ``functions/``."""
    variables = Variables(os.environ if environ is None else environ)
    return Path(option or variables.get("AMR_FUNCTIONS") or FUNCTIONS_DIRECTORY)


def confirm_timeout(option_s: float | None, environ: Mapping[str, str] | None = None) -> float:
    """Returns the seconds for a confirmation: ``option_s``, AMR_CONFIRM_TIMEOUT or 5.

    Raises:
        SettingsError: the variable is not a duration, or nothing is left of it.
    """
    given = Variables(os.environ if environ is None else environ).get("AMR_CONFIRM_TIMEOUT")
    if option_s is not None or given is None:
        return CONFIRM_TIMEOUT_S if option_s is None else option_s
    try:
        return parse_duration(given)
    except ValueError as error:
        raise SettingsError(f"AMR_CONFIRM_TIMEOUT {error}") from None


def max_backlog(environ: Mapping[str, str] | None = None) -> int:
    """Returns how many map tasks of all jobs may wait or run: AMR_MAX_BACKLOG or ten million.

    Raises:
        SettingsError: the variable is not a positive whole number.
    """
    given = Variables(os.environ if environ is None else environ).get("AMR_MAX_BACKLOG")
    if given is None:
        return MAX_BACKLOG
    if not given.isascii() or not given.isdigit() or not 0 < len(given) < 16 or int(given) < 1:
        raise SettingsError(f"AMR_MAX_BACKLOG must be a positive whole number, not {given[:40]!r}")
    return int(given)


def store_folder(environ: Mapping[str, str] | None = None) -> str | None:
    """Returns the folder or URL for what is too large for Redis: AMR_STORE, or None."""
    return Variables(os.environ if environ is None else environ).get("AMR_STORE")


def _from_host_variables(variables: Mapping[str, str]) -> RedisTarget:
    host = variables["REDIS_HOST"]
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    user = quote(variables.get("REDIS_USERNAME", ""), safe="")
    password = quote(variables.get("REDIS_PASSWORD", ""), safe="")
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    # Kubernetes sets REDIS_PORT=tcp://10.0.0.1:6379 beside a service named redis.
    port = variables.get("REDIS_PORT", "").rpartition(":")[2]
    return parse_redis_url(f"redis://{login}{host}:{port}", "REDIS_HOST and REDIS_PORT")


@dataclass(frozen=True, slots=True)
class _Instance:
    """The nearest running instance, and why nearer ones were passed over."""

    target: RedisTarget | None
    ignored: tuple[str, ...]


def _find_instance(directory: Path) -> _Instance:
    ignored: list[str] = []
    for folder in (directory.absolute(), *directory.absolute().parents):
        file = folder / INSTANCE_DIRECTORY / INSTANCE_URL_FILE
        try:
            # Who can write this file chooses the Redis that we trust: only we ourselves may.
            if file.stat().st_uid != os.geteuid():
                ignored.append(f"{file} belongs to another user")
                continue
            target = parse_redis_url(file.read_text(encoding="utf-8"), str(file))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            ignored.append(f"{file} cannot be read ({type(error).__name__})")
            continue
        if _answers(target):
            return _Instance(target, tuple(ignored))
        ignored.append(f"the instance of {file} is not running")
    return _Instance(None, tuple(ignored))


def _answers(target: RedisTarget) -> bool:
    """Says if somebody listens on the socket of ``target``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(target.path)
        except OSError:
            return False
    return True


def _nothing_names_a_redis(variables: Mapping[str, str], ignored: tuple[str, ...]) -> str:
    lines = [
        "no Redis is named; one of these names it:",
        "  --redis-url redis://HOST:6379#STREAM",
        "  AMR_REDIS_URL or REDIS_URL in the environment, or REDIS_HOST, REDIS_PORT and"
        " REDIS_PASSWORD",
        "  `amr up`, which starts a private one for this directory",
        "or run the job with a Redis of its own: `amr run JOB`",
    ]
    lonely = [name for name in ("REDIS_PORT", "REDIS_PASSWORD") if variables.get(name)]
    if lonely:
        lines.append(f"({' and '.join(lonely)} is set, but REDIS_HOST is not)")
    lines.extend(f"({reason})" for reason in ignored)
    return "\n".join(lines)
