"""The limit: the protocol's commands in a bare loop, with nothing that makes a product of it.

Two processes fetch entries, decode the body, encode it again and commit it with one short script
that runs the same commands on the same kinds of keys as ``commit.lua`` — without guards, retries,
policies, events, counters of anything but "done", or knowledge of more than one job.
"""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.synchronize import Barrier
from typing import Any

import orjson
import redis

_BATCH = 200
_WINDOW = 4000

_COMMIT = """
local entries, indexes, outputs = {}, {}, {}
for at = 1, #ARGV, 3 do
  entries[#entries + 1] = ARGV[at]
  indexes[#indexes + 1] = ARGV[at + 1]
  outputs[#outputs + 1] = ARGV[at + 1]
  outputs[#outputs + 1] = ARGV[at + 2]
end
if #entries > 0 then
  redis.call('HMGET', KEYS[3], unpack(indexes))
  redis.call('HSET', KEYS[4], unpack(outputs))
  redis.call('HDEL', KEYS[3], unpack(indexes))
  redis.call('XACK', KEYS[1], 'g', unpack(entries))
  redis.call('XDEL', KEYS[1], unpack(entries))
end
local done = redis.call('HINCRBY', KEYS[5], 'done', #entries)
local fed = tonumber(redis.call('HGET', KEYS[5], 'fed') or '0')
local bodies = redis.call('LRANGE', KEYS[2], fed, fed + math.min(500, WINDOW - fed + done) - 1)
if #bodies > 0 then
  local flights = {}
  for offset, body in ipairs(bodies) do
    local index = fed + offset - 1
    local entry = redis.call('XADD', KEYS[1], '*', 'index', index, 'body', body)
    flights[#flights + 1] = index
    flights[#flights + 1] = entry
  end
  redis.call('HSET', KEYS[3], unpack(flights))
  redis.call('HSET', KEYS[5], 'fed', fed + #bodies)
end
return done
""".replace("WINDOW", str(_WINDOW))

_KEYS = ("{bare}stream", "{bare}inputs", "{bare}inflight", "{bare}outputs", "{bare}job")


def _work(socket: str, name: str, total: int, start: Barrier) -> None:
    client = redis.Redis(unix_socket_path=socket, protocol=2)
    connection = client.connection_pool.make_connection()
    connection.connect()
    sha = client.script_load(_COMMIT)
    start.wait()
    settled: list[Any] = []
    while True:
        commit = ("EVALSHA", sha, len(_KEYS), *_KEYS, *settled)
        read = ("XREADGROUP", "GROUP", "g", name, "COUNT", _BATCH, "STREAMS", _KEYS[0], ">")
        packed = [*connection.pack_command(*commit), *connection.pack_command(*read)]
        connection.send_packed_command(packed)
        done = connection.read_response()
        reply = connection.read_response()
        settled = []
        for entry, fields in reply[0][1] if reply else ():
            body = orjson.loads(fields[3])
            settled += (entry, fields[1], orjson.dumps(body))
        if not settled and done >= total:
            return


def run_bare_loop(socket: str, tasks: int, workers: int = 2) -> float:
    """Returns the seconds that ``workers`` bare processes take for ``tasks`` no-op tasks.

    From the first push of inputs to the last commit, and the outputs read back.
    """
    client = redis.Redis(unix_socket_path=socket, protocol=2)
    client.delete(*_KEYS)
    client.xgroup_create(_KEYS[0], "g", mkstream=True, id="0")
    context = multiprocessing.get_context("fork")
    start = context.Barrier(workers + 1)
    processes = [
        context.Process(target=_work, args=(socket, f"w{at}", tasks, start))
        for at in range(workers)
    ]
    for process in processes:
        process.start()
    started_at = time.perf_counter()
    for first in range(0, tasks, 2000):
        last = min(first + 2000, tasks)
        client.rpush(_KEYS[1], *[orjson.dumps(value) for value in range(first, last)])
        if first == 0:
            start.wait()
    for process in processes:
        process.join()
    outputs = []
    for first in range(0, tasks, 1000):
        outputs += client.hmget(_KEYS[3], list(range(first, min(first + 1000, tasks))))
    assert len(orjson.loads(b"[" + b",".join(outputs) + b"]")) == tasks
    elapsed_s = time.perf_counter() - started_at
    client.delete(*_KEYS)
    return elapsed_s
