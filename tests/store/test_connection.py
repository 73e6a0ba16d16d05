from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from amr.errors import RedisUnavailableError
from amr.redis_url import RedisTarget, parse_redis_url
from amr.settings import BLOCK_S
from amr.store.connection import (
    call_with_retries,
    connect,
    is_passing,
    redis_errors,
)
from tests.conftest import NewRedis
from tests.support.redis_server import free_port


def caught(call: Callable[[], object]) -> RedisError:
    with pytest.raises(RedisError) as info:
        call()
    return info.value


@pytest.fixture
def tls_redis(new_redis: NewRedis, tmp_path: Path) -> RedisTarget:
    """A server that speaks TLS only, with a certificate signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not there to make a certificate")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *request, *names, *files], check=True, capture_output=True)
    port = free_port()
    options = ["--tls-port", port, "--tls-auth-clients", "no", "--tls-cert-file", certificate]
    try:
        new_redis(options=[*map(str, options), "--tls-key-file", str(key)])
    except AssertionError:
        pytest.skip("this redis-server was built without TLS")
    return RedisTarget("rediss", "127.0.0.1", port, tls=(("ssl_ca_certs", str(certificate)),))


def explained(target: RedisTarget) -> str:
    with (
        connect(target) as client,
        pytest.raises(RedisUnavailableError) as info,
        redis_errors(target),
    ):
        client.ping()
    return str(info.value)


def test_a_client_reads_bytes_over_resp2_with_hiredis(redis_client: redis.Redis) -> None:
    redis_client.set("key", "value", px=1000)
    assert redis_client.get("key") == b"value"
    connection = redis_client.connection_pool.make_connection()
    assert type(connection._parser).__name__ == "_HiredisParser"
    assert connection.protocol == 2
    assert connection.retry._retries == 0
    assert redis_client.client_getname() == "amr"


def test_a_blocking_client_is_more_patient_than_its_reads(redis_target: RedisTarget) -> None:
    with connect(redis_target, blocking=True) as client:
        assert client.connection_pool.connection_kwargs["socket_timeout"] > BLOCK_S


@pytest.mark.fault(16)
def test_a_command_whose_reply_is_lost_is_sent_once() -> None:
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drop_every_reply() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    while data := peer.recv(4096):
                        if b"XADD" in data:
                            received.append(data)
                            break
                        peer.sendall(b"+OK\r\n" * data.count(b"*"))

        thread = threading.Thread(target=drop_every_reply)
        thread.start()
        with connect(RedisTarget("redis", "127.0.0.1", listener.getsockname()[1])) as client:
            error = caught(lambda: client.xadd("stream", {"a": "b"}))
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert isinstance(error, ConnectionError)
    assert len(received) == 1


@pytest.mark.parametrize("tcp", [True, False])
def test_address_login_and_database_are_those_of_the_target(new_redis: NewRedis, tcp: bool) -> None:
    server = new_redis(tcp=tcp, options=["--requirepass", "s3cret"])
    target = parse_redis_url(server.url.replace("://", "://:s3cret@"))
    target = parse_redis_url(
        target.url()
        .replace(".sock", ".sock?db=3")
        .replace(f":{server.port}#", f":{server.port}/3#")
    )
    with connect(target) as client:
        client.set("here", "1")
        assert client.info("keyspace")["db3"]["keys"] == 1


def test_a_login_that_is_missing_or_wrong_is_told_without_the_password(new_redis: NewRedis) -> None:
    server = new_redis(tcp=True, options=["--requirepass", "right"])
    assert "it wants a password" in explained(server.target)
    wrong = parse_redis_url(f"redis://:wr0ng@127.0.0.1:{server.port}")
    message = explained(wrong)
    assert "refuses this user and password" in message
    assert "wr0ng" not in message


def test_a_server_that_is_not_there_is_told_with_its_address() -> None:
    target = RedisTarget("redis", "127.0.0.1", free_port(), password="s3cret")
    message = explained(target)
    assert message.startswith(f"Redis at redis://:***@127.0.0.1:{target.port}#inputs: it cannot")


def test_a_socket_that_is_not_there_is_told() -> None:
    assert "it cannot be reached" in explained(RedisTarget("unix", path="/tmp/no-such-amr.sock"))


def test_tls_to_a_server_without_it_is_told(
    new_redis: NewRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amr.store.connection.REPLY_TIMEOUT_S", 0.2)
    server = new_redis(tcp=True)
    assert "does it speak TLS" in explained(RedisTarget("rediss", "127.0.0.1", server.port))


def test_a_server_that_never_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amr.store.connection.REPLY_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = RedisTarget("redis", "127.0.0.1", silent.getsockname()[1])
        assert "it does not answer" in explained(target)


def test_no_tls_to_a_server_that_wants_it_is_told(tls_redis: RedisTarget) -> None:
    assert "If it speaks TLS, write rediss://" in explained(
        replace(tls_redis, scheme="redis", tls=())
    )


def test_tls_checks_the_certificate_against_the_ca_of_the_url(tls_redis: RedisTarget) -> None:
    with connect(tls_redis) as client:
        assert client.ping()
    with connect(replace(tls_redis, tls=(("ssl_cert_reqs", "none"),))) as client:
        assert client.ping()
    assert "its certificate does not verify" in explained(replace(tls_redis, tls=()))


def test_a_server_that_does_not_speak_redis_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        message = explained(RedisTarget("redis", "127.0.0.1", listener.getsockname()[1]))
        thread.join()
    assert "does not speak Redis's protocol" in message


def test_a_database_that_does_not_exist_is_told(redis_target: RedisTarget) -> None:
    assert "it has no database 99" in explained(
        parse_redis_url(f"unix://{redis_target.path}?db=99")
    )


def test_a_refused_command_is_told(redis_client: redis.Redis, redis_target: RedisTarget) -> None:
    with (
        pytest.raises(RedisUnavailableError, match="refused a command: unknown command"),
        redis_errors(redis_target),
    ):
        redis_client.execute_command("NOSUCH")


def test_a_refusal_by_the_acl_is_told(redis_target: RedisTarget) -> None:
    with (
        pytest.raises(RedisUnavailableError, match="ACL does not let us work"),
        redis_errors(redis_target),
    ):
        raise NoPermissionError("no permissions to run the 'eval' command")


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("Connection closed by server."),
        TimeoutError("Timeout reading from socket"),
        BusyLoadingError("Redis is loading the dataset in memory"),
        ResponseError("BUSY Redis is busy running a script."),
        ResponseError("MISCONF Redis is configured to save RDB snapshots"),
        ResponseError("NOREPLICAS Not enough good replicas to write."),
        ResponseError(
            "ERR Error running script (call to f_1): @user_script:3: @user_script: 3: "
            "-MISCONF Redis is configured to save"
        ),
    ],
)
def test_errors_that_end_by_themselves_pass(error: RedisError) -> None:
    assert is_passing(error)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("invalid password"),
        NoPermissionError("no permissions"),
        ResponseError("BUSYGROUP Consumer Group name already exists"),
        ResponseError("BUSYKEY Target key name already exists."),
        ResponseError("WRONGTYPE Operation against a key"),
        ResponseError("ERR Error running script (call to f_1): @user_script:3: no such thing"),
        ValueError("not Redis"),
    ],
)
def test_errors_that_stay_do_not_pass(error: Exception) -> None:
    assert not is_passing(error)


def test_a_full_memory_passes_for_commands_and_for_scripts(new_redis: NewRedis) -> None:
    server = new_redis(options=["--maxmemory", "1"])
    with connect(server.target) as client:
        assert is_passing(caught(lambda: client.set("key", "value")))
        script = "return redis.call('SET', KEYS[1], 'value')"
        assert is_passing(caught(lambda: client.eval(script, 1, "key")))


def test_a_replicas_refusal_passes_for_commands_and_for_scripts(new_redis: NewRedis) -> None:
    primary = new_redis(tcp=True)
    replica = new_redis(options=["--replicaof", "127.0.0.1", str(primary.port)])
    script = "return redis.call('SET', KEYS[1], 'value')"
    with connect(replica.target) as client:
        assert is_passing(caught(lambda: client.set("key", "value")))
        assert is_passing(caught(lambda: client.eval(script, 1, "key")))


def failing(client: redis.Redis, errors: list[Exception]) -> Callable[[], bytes]:
    def call() -> bytes:
        if errors:
            raise errors.pop(0)
        return b"done"

    return call


def test_passing_errors_are_repeated_until_the_call_succeeds(redis_client: redis.Redis) -> None:
    errors: list[Exception] = [ConnectionError("gone"), TimeoutError("late"), BusyLoadingError("x")]
    assert call_with_retries(failing(redis_client, errors), for_s=10) == b"done"


def test_other_errors_are_raised_at_once_and_also_in_between(redis_client: redis.Redis) -> None:
    errors: list[Exception] = [
        ConnectionError("gone"),
        ResponseError("WRONGTYPE"),
        ValueError("no"),
    ]
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        call_with_retries(failing(redis_client, errors), for_s=10)
    assert len(errors) == 1


def test_the_last_error_is_raised_when_the_time_runs_out(redis_client: redis.Redis) -> None:
    errors: list[Exception] = [ConnectionError(f"error {n}") for n in range(1000)]
    with pytest.raises(ConnectionError, match="error"):
        call_with_retries(failing(redis_client, errors), for_s=0.2)
    assert 900 < len(errors) < 1000


def test_a_stopping_worker_repeats_no_more(redis_client: redis.Redis) -> None:
    stopping = threading.Event()
    stopping.set()
    errors: list[Exception] = [ConnectionError("gone"), ConnectionError("again")]
    with pytest.raises(ConnectionError, match="gone"):
        call_with_retries(failing(redis_client, errors), for_s=600, stopping=stopping)


def test_a_call_outlives_a_restart_of_redis(new_redis: NewRedis) -> None:
    server = new_redis(append_only=True)
    with connect(server.target) as client:
        client.set("kept", "1")
        server.restart(kill=True, wait=False)
        assert call_with_retries(lambda: client.get("kept"), for_s=20) == b"1"


def test_sentinels_lead_to_the_primary(new_redis: NewRedis, tmp_path: Path) -> None:
    primary = new_redis(tcp=True)
    port = free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(f"port {port}\nsentinel monitor main 127.0.0.1 {primary.port} 1\n")
    sentinel = subprocess.Popen(
        [primary.binary, config, "--sentinel"], stdout=subprocess.DEVNULL, cwd=tmp_path
    )
    try:
        target = parse_redis_url(f"redis+sentinel://127.0.0.1:{port}/main/1#s")
        with connect(target) as client:
            assert call_with_retries(lambda: client.set("key", "1"), for_s=20)
            assert client.info("keyspace")["db1"]["keys"] == 1
    finally:
        sentinel.kill()
        sentinel.wait()


def test_a_service_that_no_sentinel_knows_is_told() -> None:
    target = parse_redis_url(f"redis+sentinel://127.0.0.1:{free_port()}/main")
    assert "it cannot be reached" in explained(target)


def test_importing_the_connection_does_not_load_tenacity() -> None:
    code = "import amr.store.connection, sys; sys.exit('tenacity' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
