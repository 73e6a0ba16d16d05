"""HTTP functions against a real server on loopback."""

from __future__ import annotations

import asyncio
import gzip
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from amr.invokers.context import Context, LogSink
from amr.invokers.failures import HttpError
from amr.invokers.http import HttpInvoker
from amr.invokers.manifest import HttpFunction
from amr.task import Task
from tests.invokers.conftest import TASK

Answer = Callable[[dict[str, str], bytes], Awaitable[bytes]]


def reply(status: str, body: bytes = b"", **headers: str) -> bytes:
    """Returns an HTTP answer as bytes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named |= {"content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """Serves HTTP on loopback; ``answer`` is given headers and body; yields the URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                rows = head.decode().split("\r\n")[1:-2]
                headers = {k.lower(): v for k, v in (row.split(": ", 1) for row in rows)}
                body = await reader.readexactly(int(headers["content-length"]))
                writer.write(await answer(headers, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2048)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/f"
    finally:
        server.close()


def call(
    answer: Answer, body: bytes = b"[1]", *, timeout_s: float | None = None, most_bytes: int = 1000
) -> bytes:
    """Returns the output of one call of a function that answers with ``answer``."""

    async def run() -> bytes:
        async with serving(answer) as url:
            invoker = HttpInvoker(HttpFunction("far", url, timeout_s, private=True), most_bytes)
            invoker.prepare()
            try:
                return await invoker.invoke_async(body, Context(TASK, None, {}, LogSink()))
            finally:
                await invoker.aclose()

    return asyncio.run(run())


def refusal(answer: Answer, **options: float) -> HttpError:
    """Returns the error of a call that must fail."""
    with pytest.raises(HttpError) as caught:
        call(answer, **options)  # type: ignore[arg-type]
    return caught.value


def always(data: bytes) -> Answer:
    async def answer(headers: dict[str, str], body: bytes) -> bytes:
        return data

    return answer


@pytest.fixture(params=["aiohttp", "httpx"], autouse=True)
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs every test over both transports."""
    if request.param == "httpx":
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)
    else:
        pytest.importorskip("httpx_aiohttp")


@pytest.mark.fault(44)
def test_the_body_is_posted_with_headers_that_name_the_call() -> None:
    seen: dict[str, str] = {}

    async def answer(headers: dict[str, str], body: bytes) -> bytes:
        seen.update(headers)
        return reply("200 OK", b'{"got": %b}' % body, content_type="application/json")

    assert call(answer, b"[1,2]") == b'{"got": [1,2]}'
    expected = {
        "x-amr-job": "job-1",
        "x-amr-stage": "map",
        "x-amr-index": "37",
        "x-amr-attempt": "2",
        "x-batch-id": "job-1",
        "x-call-id": "job-1/map/37/2",
        "idempotency-key": "job-1/map/37",
        "content-type": "application/json",
    }
    assert {name: seen[name] for name in expected} == expected


def test_text_is_the_output_as_a_string() -> None:
    assert call(always(reply("200 OK", "grüß".encode(), content_type="text/plain"))) == (
        '"grüß"'.encode()
    )


def test_an_empty_answer_is_null() -> None:
    assert call(always(reply("204 No Content"))) == b"null"


@pytest.mark.bad_input(27)
def test_json_that_is_not_json_is_permanent() -> None:
    error = refusal(always(reply("200 OK", b"<html>", content_type="application/json")))
    assert error.permanent
    assert "<html>" in str(error)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_statuses_that_may_pass_are_retried(status: int) -> None:
    error = refusal(always(reply(f"{status} X")))
    assert (error.permanent, error.retry_after_s, error.type) == (False, None, f"HTTP {status}")


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
def test_other_statuses_fail_at_once_and_show_the_answer(status: int) -> None:
    error = refusal(always(reply(f"{status} X", b"because " + b"y" * 900)))
    assert error.permanent
    assert "because yyy" in str(error)
    assert len(str(error)) < 500


def test_retry_after_is_honoured_as_seconds_and_as_a_date() -> None:
    assert refusal(always(reply("429 X", retry_after="7"))).retry_after_s == 7.0
    at = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    waited = refusal(always(reply("503 X", retry_after=at))).retry_after_s
    assert waited is not None
    assert 90 < waited <= 100


def test_redirects_are_not_followed() -> None:
    error = refusal(always(reply("302 Found", location="http://127.0.0.1:1/")))
    assert error.permanent
    assert "redirects are not followed" in str(error)


@pytest.mark.bad_input(28)
def test_a_gzip_bomb_is_stopped_at_its_decoded_size() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    error = refusal(
        always(reply("200 OK", bomb, content_type="text/plain", content_encoding="gzip"))
    )
    assert error.permanent
    assert "over 1,000 decoded bytes" in str(error)


@pytest.mark.bad_input(29)
@pytest.mark.fault(44)
def test_an_endpoint_that_does_not_answer_runs_into_its_timeout() -> None:
    async def answer(headers: dict[str, str], body: bytes) -> bytes:
        await asyncio.sleep(5)
        return b""

    error = refusal(answer, timeout_s=0.2)
    assert "within 0.2 s" in str(error)
    assert not error.permanent


@pytest.mark.fault(44)
def test_an_endpoint_that_hangs_up_is_retried() -> None:
    async def answer(headers: dict[str, str], body: bytes) -> bytes:
        raise ConnectionResetError

    assert not refusal(answer).permanent


def test_an_endpoint_that_is_not_there_is_retried() -> None:
    async def run() -> None:
        invoker = HttpInvoker(HttpFunction("far", "http://127.0.0.1:1/", private=True))
        invoker.prepare()
        try:
            await invoker.invoke_async(b"1", Context(TASK, None, {}, LogSink()))
        finally:
            await invoker.aclose()

    with pytest.raises(HttpError, match=r"http://127\.0\.0\.1:1/ cannot be reached") as caught:
        asyncio.run(run())
    assert not caught.value.permanent


def test_a_thousand_slow_calls_run_at_once() -> None:
    async def answer(headers: dict[str, str], body: bytes) -> bytes:
        await asyncio.sleep(0.1)
        return reply("200 OK", body, content_type="application/json")

    async def run() -> float:
        async with serving(answer) as url:
            invoker = HttpInvoker(HttpFunction("far", url, private=True))
            invoker.prepare()
            contexts = [
                Context(Task(b"1-0", "j", "map", at, 1, b""), None, {}, LogSink())
                for at in range(1000)
            ]
            started = time.perf_counter()
            outputs = await asyncio.gather(
                *(invoker.invoke_async(b"%d" % at, c) for at, c in enumerate(contexts))
            )
            elapsed_s = time.perf_counter() - started
            await invoker.aclose()
            assert [int(output) for output in outputs] == list(range(1000))
            return elapsed_s

    # One after the other they would take 100 s.
    assert asyncio.run(run()) < 10
