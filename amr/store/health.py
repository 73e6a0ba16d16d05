"""What kind of server answers: whether amr may use it, and what an operator should know."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import NoPermissionError, ResponseError

from amr.errors import RedisUnsuitableError

log = logging.getLogger("amr.store.health")

#: Oldest Redis that has every command the scripts use.
MIN_VERSION = (6, 2, 0)
#: The only policy under which Redis never drops a job's keys on its own.
POLICY = "noeviction"

#: Clock difference in seconds that an operator should hear of.
_MAX_CLOCK_DIFFERENCE_S = 2.0
#: Share of maxmemory above which an operator should hear of it.
_MAX_MEMORY_SHARE = 0.9

#: First version of each line without CVE-2025-49844 (a script could break out of its sandbox).
_SAFE_VERSIONS = ((6, 2, 20), (7, 2, 11), (7, 4, 6), (8, 0, 4), (8, 2, 2))

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ServerReport:
    """Facts about a server; a fact that its ACL keeps from us is None.

    Attributes:
        version: Redis version, for Valkey the Redis version it is compatible with.
        flavour: ``redis`` or ``valkey``.
        role: ``master`` or ``slave``.
        cluster: the server is a node of a Cluster.
        policy: maxmemory-policy.
        appendonly: every write goes to the append-only file.
        snapshots: the ``save`` setting; empty if there are no snapshots.
        last_write_ok: the last snapshot and the last write of the append-only file succeeded.
        memory_used_bytes: memory that Redis uses.
        memory_max_bytes: maxmemory; 0 for no limit.
        clock_difference_s: Redis's clock minus this machine's, in seconds.
        unreadable: what could not be read, with Redis's reason.
    """

    version: Version | None
    flavour: str
    role: str | None
    cluster: bool
    policy: str | None
    appendonly: bool | None
    snapshots: str | None
    last_write_ok: bool | None
    memory_used_bytes: int | None
    memory_max_bytes: int | None
    clock_difference_s: float | None
    unreadable: tuple[str, ...] = ()

    @property
    def version_text(self) -> str:
        """The version as people write it, such as ``7.0.15``."""
        return ".".join(map(str, self.version)) if self.version else "unknown"

    def obstacles(self) -> tuple[str, ...]:
        """Returns why amr must not use this server, each with what to do; empty if it may."""
        found = []
        if self.version is not None and self.version < MIN_VERSION:
            found.append(f"Redis {self.version_text} is too old: 6.2 or newer is needed")
        if self.role == "slave":
            found.append("it is a read-only replica: give the address of its primary")
        if self.policy is not None and self.policy != POLICY:
            found.append(
                f"its maxmemory-policy is {self.policy}, which may drop jobs: set it with "
                f"`redis-cli CONFIG SET maxmemory-policy {POLICY}` and in its redis.conf"
            )
        return tuple(found)

    def warnings(self) -> tuple[str, ...]:
        """Returns what works, but an operator should know."""
        found = [f"cannot read {what}" for what in self.unreadable]
        if self.appendonly is False:
            found.append(
                "appendonly is off: what came after the last snapshot is lost when Redis dies"
            )
        if self.last_write_ok is False:
            found.append("its last write to disk failed: see its log")
        difference_s = self.clock_difference_s or 0.0
        if abs(difference_s) > _MAX_CLOCK_DIFFERENCE_S:
            found.append(f"its clock differs from this machine's by {difference_s:+.1f} s")
        used, limit = self.memory_used_bytes, self.memory_max_bytes
        if used is not None and limit and used > _MAX_MEMORY_SHARE * limit:
            found.append(f"{used / limit:.0%} of its maxmemory is used")
        if self.flavour == "redis" and self.version and not _is_safe(self.version):
            found.append(
                f"{self.version_text} has the hole CVE-2025-49844, unless your distribution "
                "closed it: update it"
            )
        return tuple(found)


def check_server(client: redis.Redis) -> ServerReport:
    """Asks the server for the facts of a report.

    Raises:
        redis.exceptions.RedisError: the link or the login fails; a command that the ACL forbids
            is only noted in the report.
    """
    unreadable: list[str] = []
    info = _ask(client, "INFO", unreadable)
    facts: Mapping[str, Any] = info if isinstance(info, Mapping) else {}
    policy, appendonly, snapshots = facts.get("maxmemory_policy"), None, None
    # CONFIG is often forbidden on hosted servers; INFO knows the policy too.
    config = _ask(client, "CONFIG GET", unreadable)
    if isinstance(config, Mapping):
        policy = config.get("maxmemory-policy", policy)
        snapshots = config.get("save")
    if "aof_enabled" in facts:
        appendonly = bool(facts["aof_enabled"])
    return ServerReport(
        version=_version(facts.get("redis_version")),
        flavour="valkey" if "valkey_version" in facts else "redis",
        role=facts.get("role"),
        cluster=bool(facts.get("cluster_enabled")),
        policy=policy,
        appendonly=appendonly,
        snapshots=snapshots,
        last_write_ok=_last_write_ok(facts),
        memory_used_bytes=facts.get("used_memory"),
        memory_max_bytes=facts.get("maxmemory"),
        clock_difference_s=_clock_difference_s(client, unreadable),
        unreadable=tuple(unreadable),
    )


def require_suitable(client: redis.Redis) -> ServerReport:
    """Checks that amr may use the server; logs a warning for what cannot be read.

    Returns:
        The report it judged by.

    Raises:
        RedisUnsuitableError: the server is too old, a replica, or may drop keys on its own.
    """
    report = check_server(client)
    if obstacles := report.obstacles():
        raise RedisUnsuitableError("this Redis must not be used: " + "; ".join(obstacles))
    if report.policy is None:
        log.warning(
            "cannot read the maxmemory-policy (%s); make sure that it is %s",
            "; ".join(report.unreadable) or "INFO does not tell",
            POLICY,
        )
    return report


def _ask(client: redis.Redis, command: str, unreadable: list[str]) -> object:
    """Returns the reply, or None and a line in ``unreadable`` where it is forbidden to us."""
    try:
        if command == "INFO":
            return client.info()
        if command == "TIME":
            return client.time()
        return _texts(client.config_get("maxmemory-policy")) | _texts(client.config_get("save"))
    except (NoPermissionError, ResponseError) as error:
        unreadable.append(f"{command} ({error})")
        return None


def _texts(reply: object) -> dict[str, str]:
    pairs = reply.items() if isinstance(reply, Mapping) else ()
    return {_text(name): _text(value) for name, value in pairs}


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _version(text: object) -> Version | None:
    try:
        major, minor, patch, *_ = (*map(int, str(text).split(".")[:3]), 0, 0)
    except ValueError:
        return None
    return major, minor, patch


def _is_safe(version: Version) -> bool:
    """Says if ``version`` is at or above the safe one of its line, or in a later line."""
    line = [safe for safe in _SAFE_VERSIONS if safe[:2] == version[:2]]
    return version >= line[0] if line else version > _SAFE_VERSIONS[-1]


def _last_write_ok(facts: Mapping[str, Any]) -> bool | None:
    told = [
        facts[name] for name in ("rdb_last_bgsave_status", "aof_last_write_status") if name in facts
    ]
    return all(status == "ok" for status in told) if told else None


def _clock_difference_s(client: redis.Redis, unreadable: list[str]) -> float | None:
    before_s = time.time()
    reply = _ask(client, "TIME", unreadable)
    after_s = time.time()
    if not isinstance(reply, (tuple, list)):
        return None
    seconds, microseconds = reply
    return float(seconds) + float(microseconds) / 1e6 - (before_s + after_s) / 2
