"""What every system runs: the same Python functions for all.

Mappers take one input. Reducers take ``{"inputs": outputs}``, which is amr's way; the other
systems call them through ``reduced``.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.functions.bench import count, noop, pi, wait

__all__ = ["count", "noop", "pi", "reduced", "wait"]

#: Names the local HTTP server; set for all processes of a run.
ENDPOINT_VARIABLE = "AMR_PEERS_ENDPOINT"
#: Characters of one output of ``text``.
TEXT_SIZE = 100_000

_state: dict[str, Any] = {}


def reduced(name: str, outputs: list[Any]) -> Any:
    """Returns what the reducer ``name`` makes of the mappers' outputs."""
    return globals()[name]({"inputs": outputs})


def whoami(_body: Any) -> int:
    """Returns the process that it runs in; takes so long that others get some of its tasks."""
    time.sleep(0.01)
    return os.getpid()


def wait_blocking(seconds: float) -> float:
    """Does what ``wait`` does, where functions run in threads or greenlets."""
    time.sleep(seconds)
    return seconds


async def fetch(body: Any) -> Any:
    """Calls the local HTTP server, which answers with the body after a while."""
    import aiohttp

    loop = asyncio.get_running_loop()
    if _state.get("loop") is not loop:
        # A connection belongs to the loop that made it.
        connector = aiohttp.TCPConnector(limit=0)
        _state.update(loop=loop, session=aiohttp.ClientSession(connector=connector))
    async with _state["session"].post(os.environ[ENDPOINT_VARIABLE], json=body) as answer:
        return await answer.json()


def fetch_blocking(body: Any) -> Any:
    """Does what ``fetch`` does, where functions run in threads or greenlets."""
    import urllib3

    pool = _state.setdefault("pool", urllib3.PoolManager(maxsize=1000))
    return pool.request("POST", os.environ[ENDPOINT_VARIABLE], json=body, retries=False).json()


def text(seed: int) -> str:
    """Returns an output of 100 kB that does not compress well."""
    return random.Random(seed).randbytes(TEXT_SIZE // 2).hex()


def words(part: dict[str, Any]) -> dict[str, int]:
    """Counts the words of a part of a file, ``{"path", "first", "size"}`` in bytes."""
    with Path(part["path"]).open("rb") as file:
        file.seek(part["first"])
        data = file.read(part["size"])
    return Counter(re.findall(r"\w+", data.decode()))


def distinct(body: dict[str, Any]) -> int:
    """How many different outputs there are."""
    return len(set(body["inputs"]))


def length(body: dict[str, Any]) -> int:
    """How long all outputs are together."""
    return sum(map(len, body["inputs"]))


def frequencies(body: dict[str, Any]) -> list[int]:
    """How many words there are, and how many different ones."""
    counts: Counter[str] = Counter()
    for part in body["inputs"]:
        counts.update(part)
    return [counts.total(), len(counts)]
