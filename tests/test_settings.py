from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import amr
from amr import settings
from amr.errors import SettingsError
from amr.redis_url import RedisTarget, parse_redis_url
from amr.settings import functions_directory, resolve_target

EVERYTHING = {
    "AMR_REDIS_URL": "redis://amr",
    "REDIS_URL": "redis://url",
    "REDIS_HOST": "host",
}


@pytest.fixture
def listening_socket() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as server:
        path = Path(folder) / "s"
        server.bind(str(path))
        server.listen()
        yield path


def write_instance(folder: Path, url: str) -> Path:
    file = folder / ".amr" / "redis.url"
    file.parent.mkdir()
    file.write_text(url + "\n")
    return file


@pytest.mark.parametrize(
    ("option", "missing", "host"),
    [
        ("redis://option", (), "option"),
        (None, (), "amr"),
        (None, ("AMR_REDIS_URL",), "url"),
        (None, ("AMR_REDIS_URL", "REDIS_URL"), "host"),
    ],
)
def test_the_most_explicit_source_wins(
    option: str | None, missing: tuple[str, ...], host: str, tmp_path: Path
) -> None:
    environ = {name: value for name, value in EVERYTHING.items() if name not in missing}
    assert resolve_target(option, environ=environ, directory=tmp_path).host == host


def test_the_instance_of_amr_up_comes_last(tmp_path: Path, listening_socket: Path) -> None:
    write_instance(tmp_path, f"unix://{listening_socket}#mine")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    target = resolve_target(None, environ={}, directory=below)
    assert target == RedisTarget("unix", path=str(listening_socket), stream="mine")
    assert resolve_target(None, environ=EVERYTHING, directory=below).host == "amr"


def test_an_instance_that_is_gone_is_passed_over_and_named(
    tmp_path: Path, listening_socket: Path
) -> None:
    write_instance(tmp_path, f"unix://{listening_socket}")
    below = tmp_path / "below"
    below.mkdir()
    stale = write_instance(below, "unix:///tmp/no-such-amr.sock")
    target = resolve_target(None, environ={}, directory=below)
    assert target.path == str(listening_socket)
    (tmp_path / ".amr" / "redis.url").unlink()
    with pytest.raises(SettingsError, match=f"the instance of {re.escape(str(stale))} is not run"):
        resolve_target(None, environ={}, directory=below)


def test_an_instance_of_another_user_is_not_trusted(
    tmp_path: Path, listening_socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_instance(tmp_path, f"unix://{listening_socket}")
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(SettingsError, match="belongs to another user"):
        resolve_target(None, environ={}, directory=tmp_path)


def test_without_any_source_the_error_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_target(None, environ={}, directory=tmp_path)
    for way in ("--redis-url", "AMR_REDIS_URL", "REDIS_HOST", "amr up", "amr run"):
        assert way in str(caught.value)


def test_a_password_without_a_host_is_pointed_out(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match="REDIS_PASSWORD is set, but REDIS_HOST is not"
    ) as caught:
        resolve_target(None, environ={"REDIS_PASSWORD": "s3cret"}, directory=tmp_path)
    assert "s3cret" not in str(caught.value)


def test_host_variables_make_a_target() -> None:
    environ = {
        "REDIS_HOST": "::1",
        "REDIS_PORT": "7000",
        "REDIS_USERNAME": "me",
        "REDIS_PASSWORD": "p@:/#%41",
    }
    assert resolve_target(None, environ=environ) == RedisTarget(
        "redis", "::1", 7000, 0, "me", "p@:/#%41"
    )


def test_a_bad_port_variable_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^REDIS_HOST and REDIS_PORT: its port"):
        resolve_target(None, environ={"REDIS_HOST": "h", "REDIS_PORT": "tcp"})


def test_the_port_variable_that_kubernetes_sets_is_understood() -> None:
    environ = {"REDIS_HOST": "h", "REDIS_PORT": "tcp://10.0.0.1:7000"}
    assert resolve_target(None, environ=environ) == RedisTarget("redis", "h", 7000)


def test_a_password_file_stands_in_for_the_password(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from file\n")
    environ = {"REDIS_HOST": "h", "REDIS_PASSWORD_FILE": str(file)}
    assert resolve_target(None, environ=environ).password == "from file"
    assert resolve_target("redis://:$REDIS_PASSWORD@h", environ=environ).password == "from file"
    assert resolve_target(None, environ=environ | {"REDIS_PASSWORD": "own"}).password == "own"


def test_a_password_file_that_is_missing_is_named(tmp_path: Path) -> None:
    environ = {"REDIS_HOST": "h", "REDIS_PASSWORD_FILE": str(tmp_path / "none")}
    with pytest.raises(
        SettingsError, match=r"REDIS_PASSWORD_FILE: cannot read .*none: No such file"
    ):
        resolve_target(None, environ=environ)


def test_empty_variables_count_as_not_set() -> None:
    environ = {"AMR_REDIS_URL": "", "REDIS_URL": "redis://url"}
    assert resolve_target(None, environ=environ).host == "url"


def test_an_option_may_refer_to_variables() -> None:
    environ = {"PW": "a/b", "REDIS_HOST": "h"}
    target = resolve_target("redis+tls://:$PW@$REDIS_HOST:7#s", environ=environ)
    assert target == parse_redis_url("rediss://:a%2Fb@h:7#s")


def test_an_empty_option_is_an_error_and_not_the_next_source() -> None:
    with pytest.raises(SettingsError, match=r"^--redis-url: it is empty"):
        resolve_target("", environ=EVERYTHING)


@pytest.mark.parametrize(
    ("option", "environ", "expected"),
    [
        ("here", {"AMR_FUNCTIONS": "there"}, "here"),
        (None, {"AMR_FUNCTIONS": "there"}, "there"),
        (None, {}, "functions"),
    ],
)
def test_the_functions_directory_has_a_default(
    option: str | None, environ: dict[str, str], expected: str
) -> None:
    assert functions_directory(option, environ) == Path(expected)


def test_every_variable_that_the_package_names_is_in_the_table() -> None:
    package = Path(amr.__file__).parent
    named = {
        name
        for file in package.rglob("*.py")
        for name in re.findall(r"\"((?:AMR|REDIS)_[A-Z_]+)\"", file.read_text())
    }
    assert {name for name in named if name.startswith(("AMR_", "REDIS_"))} <= set(
        settings.VARIABLES
    )
