"""The happy path with no more rights than docs/security.md gives, and over TLS."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import redis

from amr.client import Client
from amr.errors import RedisUnavailableError
from amr.redis_url import RedisTarget, parse_redis_url
from amr.store.connection import connect
from tests.conftest import NewRedis
from tests.faults.conftest import StartTrigger
from tests.support.cli import amr
from tests.support.happy_path import walk_happy_path
from tests.support.redis_server import RedisServer, free_port, redis_binaries, redis_version

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"

#: Commands of the ACL line that a happy path need not meet.
RARE = {
    "script|load",
    "select",
    "wait",
    "waitaof",
    "xgroup|delconsumer",
    "persist",
    "exists",
    "pttl",
    "client|setinfo",
}


def acl_rules() -> list[str]:
    """Returns the rules of the ACL line in docs/security.md, without the user and password."""
    found = re.search(
        r"^ACL SETUSER amr (.+?)\n```", SECURITY.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found, "docs/security.md has no ACL line"
    rules = found[1].replace("\\\n", " ").split()
    return [rule for rule in rules if not rule.startswith(">")]


def is_known(client: redis.Redis, rule: str) -> bool:
    """Whether this Redis knows the command of a rule: older ones lack some."""
    try:
        client.execute_command("ACL", "SETUSER", "nobody", rule)
    except redis.ResponseError:
        return False
    return True


def restricted(server: RedisServer) -> RedisTarget:
    """Returns the server for a user who has only the rights of docs/security.md."""
    with connect(server.target) as client:
        rules = [rule for rule in acl_rules() if is_known(client, rule)]
        client.execute_command("ACL", "SETUSER", "amr", *rules, ">secret")
    return replace(server.target, username="amr", password="secret")


@pytest.mark.parametrize("binary", redis_binaries(), ids=lambda binary: str(redis_version(binary)))
def test_the_happy_path_needs_no_more_rights_than_are_documented(
    new_redis: NewRedis, trigger: StartTrigger, binary: Path
) -> None:
    server = new_redis(tcp=True, binary=binary)
    target = restricted(server)
    walk_happy_path(target, partial(trigger, checked_at=server.target))
    with connect(server.target) as client:
        refused = client.acl_log()
        used = {n.removeprefix("cmdstat_").lower() for n in client.info("commandstats")}
        assert refused == []
        assert set(client.keys()) == set(client.keys("amr:*"))
    if redis_version(binary) >= (7, 0):
        granted = {r.lstrip("+") for r in acl_rules() if r.startswith("+")}
        unused = {g for g in granted if g not in used} - RARE
        assert not unused, "docs/security.md grants what nothing uses"


def test_the_documented_user_can_do_nothing_else(new_redis: NewRedis) -> None:
    target = restricted(new_redis(tcp=True))
    with connect(target) as client:
        for command in (("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "SET", "maxmemory", "1")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.hget("other", "field")


@pytest.fixture
def tls_files(tmp_path: Path) -> Path:
    """A private CA, and a certificate of the server and one of the client signed by it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not there to make certificates")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True, cwd=tmp_path)

    new_key = ("-newkey", "rsa:2048", "-nodes")
    run("req", "-x509", *new_key, "-subj", "/CN=CA", "-keyout", "ca.key", "-out", "ca.pem")
    for name in ("server", "client"):
        files = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
        run("req", *new_key, "-subj", f"/CN={name}", *files)
        (tmp_path / "names").write_text("subjectAltName=IP:127.0.0.1")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
        run("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem")
    return tmp_path


def start_tls(new_redis: NewRedis, tls_files: Path, *options: str) -> int:
    """Starts a Redis that speaks TLS, and returns its port."""
    port = free_port()
    options += ("--tls-port", str(port))
    for option, file in (("cert", "server.pem"), ("key", "server.key"), ("ca-cert", "ca.pem")):
        options += (f"--tls-{option}-file", str(tls_files / file))
    try:
        new_redis(options=options)
    except AssertionError:
        pytest.skip("this redis-server was built without TLS")
    return port


def test_the_happy_path_over_tls_with_a_private_ca_and_client_certificates(
    new_redis: NewRedis, trigger: StartTrigger, tls_files: Path
) -> None:
    port = start_tls(new_redis, tls_files, "--tls-auth-clients", "yes")
    base = f"rediss://127.0.0.1:{port}/?ssl_ca_certs={tls_files}/ca.pem"
    own = f"&ssl_certfile={tls_files}/client.pem&ssl_keyfile={tls_files}/client.key"
    walk_happy_path(parse_redis_url(f"{base}{own}#inputs"), trigger)
    with (
        Client(parse_redis_url(f"{base}#inputs")) as client,
        pytest.raises(RedisUnavailableError, match="wants a certificate of ours"),
    ):
        client.jobs()
    strange = f"rediss://127.0.0.1:{port}/{own.replace('&', '?', 1)}#inputs"
    with (
        Client(parse_redis_url(strange)) as client,
        pytest.raises(RedisUnavailableError, match="does not verify"),
    ):
        client.jobs()


def test_a_trigger_is_set_up_over_tls_that_the_system_trusts(
    new_redis: NewRedis, tls_files: Path
) -> None:
    secret = ("--requirepass", "s3cret")
    port = start_tls(new_redis, tls_files, "--tls-auth-clients", "no", *secret)
    uri = f"redis+tls://:$REDIS_PASSWORD@127.0.0.1:{port}#inputs"
    (tls_files / "password").write_text("s3cret\n")
    known = {"SSL_CERT_FILE": str(tls_files / "ca.pem")}
    in_file = {**known, "REDIS_PASSWORD_FILE": str(tls_files / "password")}
    for said, variables in (
        ("created", {**known, "REDIS_PASSWORD": "s3cret"}),
        ("updated", in_file),
    ):
        ended = amr("trigger", "setup", "demo", "--source-uri", uri, cwd=tls_files, **variables)
        assert (ended.code, f"trigger demo {said}" in ended.err) == (0, True), ended.err
    listed = amr("trigger", "list", "--json", cwd=tls_files, **in_file).out
    assert f"rediss://:***@127.0.0.1:{port}" in listed
    assert "s3cret" not in listed
    assert amr("trigger", "remove", "demo", cwd=tls_files).code == 0
