-- finish: the reducer's output becomes the job's result, once and for ever.
-- Moves:   reducing -> succeeded
-- KEYS:    stream job inflight results delayed
-- ARGV:    entry output shown counters...
-- Returns: OK | STALE | GONE
-- Again:   GONE: the job has ended; the result stands as it was.
-- Include: job settle count end_job

-- `shown` is the start of the output for the events; `counters` are name and increment in turn.
local job = read_job()
if not job or not job.live then -- guard
  settle({ entry })
  return { 'GONE' }
end
local value = redis.call('HGET', inflight_key, 'reduce')
local flight = value and read_flight(value)
if not flight or not is_ours(entry, flight) then -- guard
  settle({ entry })
  return { 'STALE' }
end

redis.call('HSETNX', results_key, job.version, output)
for at = counters, #ARGV, 2 do
  count(ARGV[at], ARGV[at + 1])
end
redis.call('HDEL', inflight_key, 'reduce')
if flight.delayed then redis.call('ZREM', delayed_key, JOB_ID .. ' reduce') end
end_job(job, 'succeeded', '', 'result', shown)
settle({ entry })
return { 'OK' }
