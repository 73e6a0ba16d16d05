"""HTTP functions call public addresses, unless functions.toml says otherwise."""

from __future__ import annotations

import asyncio
import http.server
import ipaddress
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amr.errors import FunctionsError
from amr.invokers import addresses
from amr.invokers.addresses import PrivateAddressError, PublicHost, is_public
from amr.invokers.context import Context, LogSink
from amr.invokers.failures import HttpError
from amr.invokers.http import HttpInvoker
from amr.invokers.manifest import HttpFunction, load_manifest
from amr.task import Task

CONTEXT = Context(Task(b"1-1", "j", "map", 0, 1, b"1"), None, {}, LogSink())

PRIVATE_HOSTS = (
    "127.0.0.1",
    "127.1",
    "0x7f000001",
    "2130706433",
    "[::1]",
    "169.254.169.254",
    "10.1.2.3",
    "192.168.0.1",
    "172.16.0.1",
    "100.64.0.1",
    "0.0.0.0",
    "[::ffff:10.0.0.1]",
    "[fe80::1]",
    "[fc00::1]",
    "224.0.0.1",
    "localhost",
    "LOCALHOST.",
    "api.localhost",
)


def load(directory: Path, url: str, more: str = "") -> HttpFunction:
    (directory / "functions.toml").write_text(f'[far]\nurl = "{url}"\n{more}\n')
    (function,) = load_manifest(directory).http
    return function


@pytest.mark.bad_input(23)
@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_an_address_that_is_not_public_is_refused_until_the_file_allows_it(
    tmp_path: Path, host: str
) -> None:
    with pytest.raises(FunctionsError, match=r"far\.url: .* private = true"):
        load(tmp_path, f"http://{host}:8080/f")
    assert load(tmp_path, f"http://{host}:8080/f", "private = true").private


@pytest.mark.bad_input(22)
@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://host/x", "http://user:pw@host/", "//host/x", "http://"]
)
def test_other_urls_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(FunctionsError, match=r"far\.url: "):
        load(tmp_path, url)


@pytest.mark.bad_input(25, 26)
@pytest.mark.parametrize(
    "header", ['"X-A" = "a\\r\\nb"', '"X\\r\\nA" = "a"', 'Host = "h"', '"Content-Length" = "1"']
)
def test_headers_that_would_change_the_request_are_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(FunctionsError, match=r"far\.headers: "):
        load(tmp_path, "https://host/", f"[far.headers]\n{header}")


def test_a_flag_that_is_no_flag_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FunctionsError, match=r"far\.private: must be true or false"):
        load(tmp_path, "https://host/", 'private = "yes"')


def test_public_addresses_are_public() -> None:
    for text in ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"):
        assert is_public(ipaddress.ip_address(text))


def resolve_to(monkeypatch: pytest.MonkeyPatch, *found: str) -> list[str]:
    """Lets every name have these addresses; returns the list of the names that were asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.bad_input(23)
def test_a_name_with_one_private_address_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "8.8.8.8", "10.0.0.1")
    invoker = HttpInvoker(HttpFunction("far", "http://inside.example/"))
    invoker.prepare()
    with pytest.raises(HttpError, match=r"has the address 10\.0\.0\.1.*private = true") as caught:
        asyncio.run(invoker.invoke_async(b"1", CONTEXT))
    assert caught.value.permanent


@pytest.fixture
def hosts_seen() -> Iterator[tuple[int, list[str]]]:
    """An endpoint on loopback: its port, and the Host header of each request."""
    hosts: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hosts.append(self.headers["Host"])
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("Location", "http://127.0.0.1/")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1")
            self.end_headers()
            self.wfile.write(b"7")

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, hosts
        server.shutdown()
        thread.join()


def test_the_checked_address_is_called_under_the_name(
    monkeypatch: pytest.MonkeyPatch, hosts_seen: tuple[int, list[str]]
) -> None:
    port, hosts = hosts_seen
    asked = resolve_to(monkeypatch, "127.0.0.1")
    monkeypatch.setattr(addresses, "is_public", lambda _: True)
    invoker = HttpInvoker(HttpFunction("far", f"http://outside.example:{port}/f"))
    invoker.prepare()

    async def call_twice() -> list[bytes]:
        outputs = [await invoker.invoke_async(b"1", CONTEXT) for _ in range(2)]
        await invoker.aclose()
        return outputs

    assert asyncio.run(call_twice()) == [b"7", b"7"]
    assert hosts == [f"outside.example:{port}"] * 2
    assert asked.count("outside.example") == 1


@pytest.mark.bad_input(24)
def test_a_redirect_is_not_followed(hosts_seen: tuple[int, list[str]]) -> None:
    port, hosts = hosts_seen
    invoker = HttpInvoker(HttpFunction("far", f"http://127.0.0.1:{port}/moved", private=True))
    invoker.prepare()

    async def call() -> None:
        try:
            await invoker.invoke_async(b"1", CONTEXT)
        finally:
            await invoker.aclose()

    with pytest.raises(HttpError, match="redirects are not followed"):
        asyncio.run(call())
    assert len(hosts) == 1


def test_an_address_is_resolved_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolve_to(monkeypatch, "8.8.8.8")
    host = PublicHost("outside.example", 80)
    assert asyncio.run(host.address()) == "8.8.8.8"
    monkeypatch.setattr(addresses, "_FRESH_S", -1.0)
    resolve_to(monkeypatch, "127.0.0.1")
    with pytest.raises(PrivateAddressError):
        asyncio.run(host.address())
    assert asked == ["outside.example"]
