"""HTTP functions: the body is POSTed, what comes back is the output."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from amr import wire
from amr.invokers.addresses import PrivateAddressError, PublicHost
from amr.invokers.context import Context
from amr.invokers.failures import HttpError
from amr.invokers.manifest import HttpFunction

if TYPE_CHECKING:
    import httpx

_CONNECT_TIMEOUT_S = 10.0
_MOST_CONNECTIONS = 100_000
_SHOWN_BYTES = 300

#: Statuses of the 4xx range after which the same call may succeed later.
_RETRIED = frozenset({408, 425, 429})


class HttpInvoker:
    """Calls one HTTP function. It belongs to the event loop that it is first used on.

    Args:
        function: what functions.toml says of it.
        most_bytes: largest answer, decoded.
    """

    concurrent = True

    def __init__(self, function: HttpFunction, most_bytes: int = wire.MAX_BODY_BYTES) -> None:
        self.name = function.name
        self.limit = function.concurrency
        self.timeout_s = function.timeout_s
        self._function = function
        self._most_bytes = most_bytes
        self._headers: list[tuple[bytes, bytes]] = []
        self._url: httpx.URL | None = None
        self._transports: _Transports | None = None
        self._host: PublicHost | None = None

    def prepare(self) -> None:
        """Reads the headers' values from the environment.

        Raises:
            PermanentError: a variable is not set.
        """
        if self._url is not None:
            return
        import httpx

        headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        headers |= {"User-Agent": "amr", "Content-Type": "application/json"}
        headers |= self._function.read_headers()
        self._headers = [(k.encode(), v.encode()) for k, v in headers.items()]
        url = httpx.URL(self._function.url)
        if not self._function.private:
            self._host = PublicHost(url.host, url.port or (443 if url.scheme == "https" else 80))
        self._url = url

    def invoke(self, body: bytes, context: Context) -> bytes:
        """Not for HTTP functions: ``invoke_async`` is.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"{self.name} is an HTTP function: it is awaited")

    def call(self, value: Any, context: Context) -> Any:
        """Is not what an HTTP function is called by.

        Raises:
            TypeError: always; ``call_async`` calls it.
        """
        raise TypeError(f"{self.name} is an HTTP function: it is awaited")

    def bound(self, context: Context) -> Callable[[Any], Any]:
        """Is not what an HTTP function is called by.

        Raises:
            TypeError: always; ``call_async`` calls it.
        """
        raise TypeError(f"{self.name} is an HTTP function: it is awaited")

    async def call_async(self, value: Any, context: Context) -> Any:
        """POSTs a value and returns the answer's."""
        return wire.loads(await self.invoke_async(wire.dumps(value), context))

    async def invoke_async(self, body: bytes, context: Context) -> bytes:
        """POSTs ``body`` and returns the answer: JSON as it came, other text as a JSON string.

        Raises:
            HttpError: the endpoint cannot be reached, or answers with anything but success.
        """
        import httpx

        request = self._request(body, context)
        try:
            async with asyncio.timeout(self.timeout_s):
                if self._host is not None:
                    # To the address that was checked; the name stays in Host and in TLS.
                    request.extensions["sni_hostname"] = request.url.host
                    request.url = request.url.copy_with(host=await self._host.address())
                return await self._call(request)
        except PrivateAddressError as error:
            shown = f"{error}, which is not public; allow it with private = true in functions.toml"
            raise HttpError(f"{self._function.shown_url}: {shown}", permanent=True) from None
        except TimeoutError as error:
            shown = f"did not answer within {self.timeout_s:g} s"
            raise HttpError(f"{self._function.shown_url} {shown}") from error
        except (httpx.TransportError, httpx.DecodingError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise HttpError(f"{self._function.shown_url} {_reason(error)}: {reason}") from error

    async def aclose(self) -> None:
        """Ends the connections; the next call makes new ones."""
        transports, self._transports = self._transports, None
        if transports is not None:
            await transports.aclose()

    def _request(self, body: bytes, context: Context) -> httpx.Request:
        import httpx

        assert self._url is not None
        key = f"{context.job}/{context.stage}/{context.index}"
        if context.record is not None:
            key += f"/{context.record}"
        job = context.job.encode()
        headers = [
            (b"Host", self._url.netloc),
            *self._headers,
            (b"Content-Length", str(len(body)).encode()),
            (b"X-Amr-Job", job),
            (b"X-Amr-Stage", context.stage.encode()),
            (b"X-Amr-Index", str(context.index).encode()),
            (b"X-Amr-Attempt", str(context.attempt).encode()),
            (b"X-Batch-Id", job),
            (b"X-Call-Id", f"{key}/{context.attempt}".encode()),
            (b"Idempotency-Key", key.encode()),
        ]
        request = httpx.Request("POST", self._url, headers=headers, stream=httpx.ByteStream(body))
        request.extensions = {"timeout": {"connect": _CONNECT_TIMEOUT_S}}
        return request

    async def _call(self, request: httpx.Request) -> bytes:
        if self._transports is None:
            self._transports = _make_transports()  # here, for it belongs to the running loop
        async with self._transports.lend() as transport:
            response = await transport.handle_async_request(request)
            response.request = request
            try:
                data = await self._read(response)
            finally:
                await response.aclose()
        return self._output(response, data)

    async def _read(self, response: httpx.Response) -> bytes:
        """Returns the decoded answer; stops at the first byte too many."""
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > self._most_bytes:
                shown = f"answered with over {self._most_bytes:,} decoded bytes"
                raise HttpError(f"{self._function.shown_url} {shown}", permanent=True)
            parts.append(part)
        return b"".join(parts)

    def _output(self, response: httpx.Response, data: bytes) -> bytes:
        if not 200 <= response.status_code < 300:
            raise self._refusal(response, data)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not data:
            return b"null"
        if kind != "application/json" and not kind.endswith("+json"):
            return wire.dumps(data.decode(response.charset_encoding or "utf-8", errors="replace"))
        try:
            wire.loads(data)
        except ValueError as error:
            shown = f"says it answers with JSON, but: {error}; it begins {_shown(data)}"
            raise HttpError(f"{self._function.shown_url} {shown}", permanent=True) from None
        return data

    def _refusal(self, response: httpx.Response, data: bytes) -> HttpError:
        status = response.status_code
        words = f"answered {status} {response.reason_phrase}".rstrip()
        if 300 <= status < 400:
            words += "; redirects are not followed: put the final URL into functions.toml"
        elif data:
            words += f": {_shown(data)}"
        retried = status in _RETRIED or status >= 500
        return HttpError(
            f"{self._function.shown_url} {words}",
            status=status,
            permanent=not retried,
            retry_after_s=_retry_after_s(response.headers.get("retry-after")) if retried else None,
        )


class _Transports(Protocol):
    """Where calls get their transport from."""

    def lend(self) -> AbstractAsyncContextManager[httpx.AsyncBaseTransport]:
        """Lends a transport for one call."""

    async def aclose(self) -> None:
        """Ends the connections that are not in use."""


class _Shared:
    """One transport for all calls: aiohttp's, which finds a free connection at once."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[httpx.AsyncBaseTransport]:
        yield self._transport

    async def aclose(self) -> None:
        await self._transport.aclose()


class _OneEach:
    """A transport for each connection: httpx's own pool looks at all of its connections for every
    call, and with a thousand of them that takes longer than the calls."""

    def __init__(self) -> None:
        self._free: list[httpx.AsyncHTTPTransport] = []
        self._tls: Any = None

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """Lends the one that was used last: its connection is the least likely to be closed."""
        transport = self._free.pop() if self._free else self._make()
        try:
            yield transport
        except BaseException:
            await transport.aclose()
            raise
        self._free.append(transport)

    async def aclose(self) -> None:
        free, self._free = self._free, []
        for transport in free:
            await transport.aclose()

    def _make(self) -> httpx.AsyncHTTPTransport:
        import httpx

        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0)
        return httpx.AsyncHTTPTransport(verify=self._tls, limits=limits)


def load_libraries() -> None:
    """Imports the HTTP libraries, which takes a good part of a second."""
    import_module("httpx")
    with suppress(ImportError):
        import_module("httpx_aiohttp")


def _make_transports() -> _Transports:
    """Returns aiohttp's transport where the extra ``http`` is installed, else httpx's own."""
    import httpx

    try:
        from httpx_aiohttp import AiohttpTransport
    except ImportError:
        return _OneEach()
    limits = httpx.Limits(
        max_connections=_MOST_CONNECTIONS,
        max_keepalive_connections=_MOST_CONNECTIONS,
        keepalive_expiry=30.0,
    )
    return _Shared(AiohttpTransport(limits=limits))


def _reason(error: Exception) -> str:
    import httpx

    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return "cannot be reached"
    if isinstance(error, httpx.DecodingError):
        return "answered with what cannot be decoded"
    return "broke off the call"


def _shown(data: bytes) -> str:
    text = data[:_SHOWN_BYTES].decode("utf-8", errors="replace").strip()
    return text + ("…" if len(data) > _SHOWN_BYTES else "")


def _retry_after_s(value: str | None) -> float | None:
    """Returns the seconds that a Retry-After header asks for: a number, or an HTTP date."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - time.time())
