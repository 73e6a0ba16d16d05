-- adopt: what the source task has gathered becomes the job's inputs, all at once.
-- Moves:   nothing -> waiting -> in flight;
--          submitting -> mapping, and on to reducing or succeeded when there are no inputs
-- KEYS:    stream job inflight inputs gathered delayed workers
-- ARGV:    entry total
-- Returns: OK | GAP gathered | STALE | GONE
-- Again:   STALE: the source task is no longer in flight.
-- Include: job emit feed settle complete

local job = read_job()
if not job or not job.live then -- guard
  settle({ entry })
  return { 'GONE' }
end
local value = redis.call('HGET', inflight_key, 'source')
local flight = value and read_flight(value)
if not flight or flight.entry ~= entry or flight.delayed then -- guard
  settle({ entry })
  return { 'STALE' }
end
local mine = redis.call('HGET', job_key, 'gatherer') == entry
local count = mine and redis.call('LLEN', gathered_key) or 0
if count ~= tonumber(total) then return { 'GAP', count } end -- guard

if count > 0 then redis.call('RENAME', gathered_key, inputs_key) end
redis.call('HDEL', inflight_key, 'source')
redis.call('HDEL', job_key, 'gatherer')
job.state, job.total = 'mapping', count
redis.call('HSET', job_key, 'state', job.state, 'total', job.total)
emit('queued', 'total', job.total)
local now = now_ms()
feed(job, live_workers(now), now)
write_counts(job)
complete(job)
settle({ entry })
return { 'OK' }
