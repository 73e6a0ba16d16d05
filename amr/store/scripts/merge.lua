-- merge: a partial result is kept in place of what it was made of; the node above it is next.
-- Moves:   waiting -> in flight; mapping -> reducing
-- KEYS:    stream job inflight outputs delayed workers epoch
-- ARGV:    entry node took_us output counters...
-- Returns: OK | STALE | GONE
-- Again:   GONE or STALE: the partial result stands as it was.
-- Include: job emit count feed settle complete land tree

-- `counters` are name and increment in turn.
local job = read_job()
if not job or not job.live then -- guard
  settle({ entry })
  return { 'GONE' }
end
node = tonumber(node)
local field = merge_field(node)
local value = redis.call('HGET', inflight_key, field)
local flight = value and read_flight(value)
if not flight or not is_ours(entry, flight) then -- guard
  settle({ entry })
  return { 'STALE' }
end

redis.call('HSET', partials_key, node, output)
redis.call('HDEL', tree_key, node)
job.merging, job.merged = job.merging - 1, job.merged + 1
for at = counters, #ARGV, 2 do count(ARGV[at], ARGV[at + 1]) end
land(job, field, flight, took_us)

local level, at = node % LEVELS, math.floor(node / LEVELS)

local function delete_children()
  local children = {}
  for child = at * job.branches, (at + 1) * job.branches - 1 do
    children[#children + 1] = level == 1 and child or node_at(level - 1, child)
  end
  if level == 1 then
    redis.call('HDEL', outputs_key, unpack(children))
  else
    redis.call('HDEL', partials_key, unpack(children))
  end
end

-- Where failures are tolerated, the redrive of one needs the others of its node again.
if job.policy == 'fail' then delete_children() end -- guard
settle_children(job, level + 1, math.floor(at / job.branches), 1)
local now = now_ms()
feed(job, live_workers(now), now)
write_counts(job)
complete(job)
settle({ entry })
return { 'OK' }
