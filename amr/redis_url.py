"""Redis URLs: read, masked and written back.

``redis[+tls]://[[USER]:PASSWORD@]HOST[:PORT][/DB]#STREAM``, ``rediss://`` as another name of
``redis+tls://``, ``unix://[[USER]:PASSWORD@]PATH[?db=N]#STREAM``,
``redis+sentinel://[[USER]:PASSWORD@]HOST:PORT,HOST:PORT/SERVICE[/DB]#STREAM`` and
``redis+cluster://[[USER]:PASSWORD@]HOST:PORT,HOST:PORT#STREAM`` (``rediss+cluster://`` with TLS).
Behind ``#``, ``STREAM/K`` means K streams (``amr/partitions.py``). User, password and path are
percent-decoded. No error ever repeats a part of the URL that may hold a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn
from urllib.parse import quote, unquote

from amr.errors import SettingsError
from amr.suggest import did_you_mean

Scheme = Literal["redis", "rediss", "unix", "redis+sentinel", "redis+cluster", "rediss+cluster"]

#: Stream that a URL without a fragment names.
DEFAULT_STREAM = "inputs"
DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379

#: Most streams that one URL may mean.
MOST_STREAMS = 256

_SCHEMES: Mapping[str, Scheme] = {
    "redis": "redis",
    "rediss": "rediss",
    "redis+tls": "rediss",
    "unix": "unix",
    "redis+sentinel": "redis+sentinel",
    "redis+cluster": "redis+cluster",
    "rediss+cluster": "rediss+cluster",
}
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")
_OPTIONS: Mapping[Scheme, tuple[str, ...]] = {
    "redis": (),
    "rediss": _TLS_OPTIONS,
    "unix": ("db",),
    "redis+sentinel": (),
    "redis+cluster": (),
    "rediss+cluster": _TLS_OPTIONS,
}
_CERT_REQS = ("required", "optional", "none")
_FORM = "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]#STREAM"

_STREAM_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_STREAM_RULE = "a stream name is 1 to 100 letters, digits, '_', '-' and '.'"
_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]\s]*)(?::(?P<port>[^:]*))?")
_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", re.ASCII)


@dataclass(frozen=True, slots=True)
class RedisTarget:
    """Where a stream lives: a server (or a set of sentinels), a database and the stream's name.

    Attributes:
        scheme: ``redis``, ``rediss`` (TLS), ``unix``, ``redis+sentinel``, ``redis+cluster`` or
            ``rediss+cluster``.
        host: name or address; empty for ``unix``, ``redis+sentinel`` and a Cluster.
        port: TCP port.
        db: number of the database.
        username: ACL user, or None for the default user.
        password: password in clear, or None. Never shown by ``repr`` and ``masked``.
        path: the socket's path for ``unix``, else empty.
        sentinels: (host, port) of each sentinel.
        service: name of the primary that the sentinels watch.
        nodes: (host, port) of nodes of a Cluster; any of them tells where the stream is.
        stream: name of the task stream, or of all of them where there are several.
        streams: number of streams: those that ``amr.partitions.partitions`` names; 1 is the stream
            itself.
        tls: the ``ssl_…`` options of the URL, by name.
    """

    scheme: Scheme
    host: str = ""
    port: int = DEFAULT_PORT
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    path: str = ""
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    nodes: tuple[tuple[str, int], ...] = ()
    stream: str = DEFAULT_STREAM
    streams: int = 1
    tls: tuple[tuple[str, str], ...] = ()

    @property
    def uses_tls(self) -> bool:
        """Says if the connection is encrypted."""
        return self.scheme in ("rediss", "rediss+cluster")

    @property
    def masked(self) -> str:
        """The URL with ``***`` in place of the password, for people and logs."""
        return self._write("***")

    def url(self) -> str:
        """Returns the whole URL, password included; ``parse_redis_url`` reads it back."""
        return self._write(quote(self.password or "", safe=""))

    def with_stream(self, name: str) -> RedisTarget:
        """Returns the same server with another stream.

        Raises:
            SettingsError: ``name`` is not a stream name.
        """
        return replace(self, stream=checked_stream_name(name), streams=1)

    def _write(self, password: str) -> str:
        login = quote(self.username or "", safe="")
        if self.password is not None:
            login += f":{password}"
        login = f"{login}@" if login else ""
        database = f"/{self.db}" if self.db else ""
        if self.scheme == "unix":
            where = quote(self.path) + (f"?db={self.db}" if self.db else "")
        elif self.scheme == "redis+sentinel":
            hosts = ",".join(_join(host, port) for host, port in self.sentinels)
            where = f"{hosts}/{quote(self.service, safe='')}{database}"
        elif self.nodes:
            where = ",".join(_join(host, port) for host, port in self.nodes)
        else:
            where = _join(self.host, self.port) + database
        options = "&".join(f"{name}={quote(value)}" for name, value in self.tls)
        where += f"?{options}" if options else ""
        streams = f"/{self.streams}" if self.streams > 1 else ""
        return f"{self.scheme}://{login}{where}#{self.stream}{streams}"


def checked_stream_name(name: str) -> str:
    """Returns ``name``.

    Raises:
        SettingsError: it cannot name a stream.
    """
    if not _STREAM_NAME.fullmatch(name):
        raise SettingsError(f"{name[:100]!r} cannot name a stream: {_STREAM_RULE}")
    return name


def parse_redis_url(text: str, source: str = "Redis URL") -> RedisTarget:
    """Reads a Redis URL.

    Args:
        text: the URL.
        source: where it came from, named in errors: ``--redis-url``, ``AMR_REDIS_URL``…

    Raises:
        SettingsError: saying what is wrong with it, never showing a password.
    """
    return _Parser(source).parse(text.strip())


def expand_references(text: str, read_variable: Mapping[str, str], source: str) -> str:
    """Puts the values of environment variables in place of ``$NAME`` and ``${NAME}``.

    A value that lands in the user or password is percent-encoded. There only a whole user or
    password is a reference, so that a ``$`` inside a password that is written out stays itself.

    Args:
        text: a Redis URL.
        read_variable: the variables' values by name.
        source: where the URL came from, named in errors.

    Raises:
        SettingsError: naming a variable that is not set.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        try:
            return read_variable[name]
        except KeyError:
            raise SettingsError(
                f"{source}: it refers to the variable {name}, which is not set"
            ) from None

    start, login, rest = split_login(text)
    if not login:
        return start + _REFERENCE.sub(value, rest)
    user, colon, password = login.partition(":")
    user, password = (
        quote(value(found), safe="") if (found := _REFERENCE.fullmatch(part)) else part
        for part in (user, password)
    )
    return f"{_REFERENCE.sub(value, start)}{user}{colon}{password}@{_REFERENCE.sub(value, rest)}"


def references(text: str) -> tuple[str, ...]:
    """Returns the names of the variables that :func:`expand_references` would put in."""
    start, login, rest = split_login(text)
    user, _, password = login.partition(":")
    whole = [match for part in (user, password) if (match := _REFERENCE.fullmatch(part))]
    found = [*_REFERENCE.finditer(start), *whole, *_REFERENCE.finditer(rest)]
    return tuple(dict.fromkeys(match[1] or match[2] for match in found))


def is_reference(text: str) -> bool:
    """Says if the whole of ``text`` is a ``$NAME`` or ``${NAME}``."""
    return _REFERENCE.fullmatch(text) is not None


def split_login(text: str) -> tuple[str, str, str]:
    """Splits a URL into ``scheme://``, ``user:password`` (or nothing) and the rest.

    The last ``@`` ends the login, so that a password which a shell put in unencoded may hold
    ``/``, ``#``, ``?`` and ``@``.
    """
    scheme, slashes, rest = text.partition("://")
    if not slashes:
        return "", "", text
    if scheme.lower() == "unix":
        found = re.fullmatch(r"([^/.].*)@(/.*)", rest, re.DOTALL)
        login, place = (found[1], found[2]) if found else ("", rest)
    else:
        login, _, place = rest.rpartition("@")
    return scheme + slashes, login, place


class _Parser:
    """One reading of a URL; holds where it came from for the errors."""

    def __init__(self, source: str) -> None:
        self._source = source

    def parse(self, text: str) -> RedisTarget:
        if not text:
            self._refuse(f"it is empty; the form is {_FORM}")
        start, login, rest = split_login(text)
        if not start:
            self._refuse(f"it has no scheme; the form is {_FORM}")
        scheme = self._scheme(start.removesuffix("://").lower())
        if "?ssl_" in login:
            self._refuse("write an '@' in an option's value as %40")
        rest, _, fragment = rest.partition("#")
        place, _, query = rest.partition("?")
        target = self._place(scheme, place)
        options = self._options(scheme, query)
        name, slash, count = unquote(fragment).partition("/")
        stream = name or DEFAULT_STREAM
        if not _STREAM_NAME.fullmatch(stream):
            self._refuse(f"what follows '#' cannot name a stream: {_STREAM_RULE}")
        user, colon, password = login.partition(":")
        return replace(
            target,
            db=self._database(options.pop("db")) if "db" in options else target.db,
            username=unquote(user) or None,
            password=(unquote(password) or None) if colon else None,
            stream=stream,
            streams=self._count(count) if slash else 1,
            tls=tuple(options.items()),
        )

    def _scheme(self, name: str) -> Scheme:
        if name not in _SCHEMES:
            known = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
            hint = did_you_mean(name, _SCHEMES)
            self._refuse(f"unknown scheme {name[:40]!r}; known are {known}{hint}")
        return _SCHEMES[name]

    def _place(self, scheme: Scheme, place: str) -> RedisTarget:
        if scheme == "unix":
            path = unquote(place)
            if path.strip("/") == "":
                self._refuse("it has no socket path; the form is unix:///PATH/TO/SOCKET#STREAM")
            if path.startswith(":") or "\0" in path:
                self._refuse("the socket's path is wrong; the form is unix:///PATH/TO/SOCKET")
            return RedisTarget(scheme, path=path)
        hosts, _, path = place.partition("/")
        if scheme == "redis+sentinel":
            return self._sentinels(hosts, path)
        if scheme in ("redis+cluster", "rediss+cluster"):
            return self._cluster(scheme, hosts, path)
        host, port = self._host(hosts, DEFAULT_PORT)
        return RedisTarget(scheme, host=host, port=port, db=self._database(path.rstrip("/")))

    def _sentinels(self, hosts: str, path: str) -> RedisTarget:
        service, _, database = path.strip("/").partition("/")
        sentinels = tuple(self._host(host, DEFAULT_SENTINEL_PORT) for host in hosts.split(","))
        if not service:
            self._refuse(
                "it names no service; the form is redis+sentinel://HOST:PORT,HOST:PORT/SERVICE"
            )
        return RedisTarget(
            "redis+sentinel",
            port=DEFAULT_SENTINEL_PORT,
            db=self._database(database),
            sentinels=sentinels,
            service=unquote(service),
        )

    def _cluster(self, scheme: Scheme, hosts: str, path: str) -> RedisTarget:
        nodes = tuple(self._host(host, DEFAULT_PORT) for host in hosts.split(","))
        if self._database(path.rstrip("/")):
            self._refuse("a Redis Cluster has the database 0 only; leave the database out")
        return RedisTarget(scheme, nodes=nodes)

    def _count(self, text: str) -> int:
        number = int(text) if re.fullmatch(r"[0-9]{1,3}", text) else 0
        if not 1 <= number <= MOST_STREAMS:
            self._refuse(
                f"behind '#STREAM/' stands the number of streams, from 1 to {MOST_STREAMS}"
            )
        return number

    def _host(self, text: str, default_port: int) -> tuple[str, int]:
        found = _HOST_AND_PORT.fullmatch(text)
        if found is None:
            self._refuse("its host is wrong; an IPv6 address stands in [brackets]")
        host, port = found["host"].strip("[]"), found["port"]
        if not host:
            self._refuse(f"it has no host; the form is {_FORM}")
        if not port:
            return host.lower(), default_port
        number = int(port) if re.fullmatch(r"[0-9]{1,5}", port) else 0
        if not 1 <= number <= 65535:
            # The text is not repeated: of `redis://user:secret` without @host it is the password.
            self._refuse("its port is not a number from 1 to 65535 (or '@HOST' is missing)")
        return host.lower(), number

    def _database(self, text: str) -> int:
        if not re.fullmatch(r"[0-9]{0,9}", text):
            self._refuse("its database is not a number: it is the 0 of redis://HOST:6379/0")
        return int(text or 0)

    def _options(self, scheme: Scheme, query: str) -> dict[str, str]:
        allowed = _OPTIONS[scheme]
        options: dict[str, str] = {}
        for part in filter(None, query.split("&")):
            name, _, value = part.partition("=")
            if name not in allowed:
                self._refuse(self._unknown_option(scheme, name))
            options[name] = unquote(value)
        if "ssl_cert_reqs" in options:
            wanted = options["ssl_cert_reqs"].lower().removeprefix("cert_")
            if wanted not in _CERT_REQS:
                self._refuse("ssl_cert_reqs is one of required, optional and none")
            options["ssl_cert_reqs"] = wanted
        return options

    def _unknown_option(self, scheme: Scheme, name: str) -> str:
        allowed = _OPTIONS[scheme]
        if scheme.startswith("redis") and name in _TLS_OPTIONS:
            return f"the option {name} is for rediss:// URLs"
        known = f"known are {', '.join(allowed)}" if allowed else f"{scheme}:// has none"
        return f"unknown option {name[:40]!r}; {known}{did_you_mean(name, allowed)}"

    def _refuse(self, message: str) -> NoReturn:
        raise SettingsError(f"{self._source}: {message}")


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
