-- requeue: gives a task that is in flight a new stream entry in place of the one it had.
-- KEYS:    stream inputs inflight
-- Include: job

local OLDER_BYTES = 400 -- kept of the entries that a task had; its zombies hold the last ones

-- `field` is the task's name in the inflight hash: its index, "source", "merge" and the node, or
-- "reduce" and the partition.
local function requeue(field, flight)
  local partition, node = partition_of(field), node_of(field)
  local stage = partition and 'reduce' or node and 'merge' or field == 'source' and field or 'map'
  local body = stage == 'map' and redis.call('LINDEX', inputs_key, field) or ''
  if flight.entry ~= '0-0' then
    flight.older = string.sub(flight.older .. ' ' .. flight.entry, -OLDER_BYTES)
  end
  flight.entry = redis.call('XADD', stream_key, '*', 'job', JOB_ID,
    'stage', stage, 'index', stage == 'map' and field or partition or node or 0,
    'attempt', flight.attempt, 'suspect', flight.crashes > 0 and 1 or 0, 'body', body)
  flight.delayed = false
  redis.call('HSET', inflight_key, field, write_flight(flight))
end
