"""The local HTTP server of the measure ``fetch``: answers each POST with its body, after 100 ms.

``python -m benchmarks.peers.endpoint`` prints its URL and serves until it is ended.
"""

from __future__ import annotations

import asyncio

_WAIT_S = 0.1
_BACKLOG = 2000


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=_BACKLOG)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/", flush=True)
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            body = await _body(reader)
            await asyncio.sleep(_WAIT_S)
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            )
            writer.write(head.encode() + b"\r\n\r\n" + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the caller has gone
    finally:
        writer.close()


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if found:
        return await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
    # In chunks: each its size in hexadecimal, its bytes and an empty line; the last one is empty.
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:size]
    await reader.readline()
    return body


if __name__ == "__main__":
    asyncio.run(_serve())
