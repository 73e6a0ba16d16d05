-- gather: items that an attempt of the source task has made; they are inputs once it has ended.
-- Moves:   nothing: adopt makes inputs of them
-- KEYS:    job inflight gathered
-- ARGV:    entry offset items...
-- Returns: OK gathered | GAP gathered | STALE
-- Again:   items that have come are skipped; another attempt begins anew.
-- Include: job

local job = read_job()
local value = job and job.live and redis.call('HGET', inflight_key, 'source') -- guard: job.live
local flight = value and read_flight(value)
if not flight or flight.entry ~= entry or flight.delayed then return { 'STALE' } end -- guard

if redis.call('HGET', job_key, 'gatherer') ~= entry then
  redis.call('UNLINK', gathered_key)
  redis.call('HSET', job_key, 'gatherer', entry)
end
local count = redis.call('LLEN', gathered_key)
if tonumber(offset) > count then return { 'GAP', count } end -- guard
for at = count - offset + items, #ARGV, 1000 do
  redis.call('RPUSH', gathered_key, unpack(ARGV, at, math.min(at + 999, #ARGV)))
end
return { 'OK', redis.call('LLEN', gathered_key) }
