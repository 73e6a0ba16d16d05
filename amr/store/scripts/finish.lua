-- finish: the reducer's output becomes the job's result, once and for ever.
-- Moves:   reducing -> succeeded
-- KEYS:    stream job inflight result counters
-- ARGV:    entry output shown counters...
-- Returns: OK | STALE | GONE
-- Again:   GONE: the job has ended; the result stands as it was.
-- Include: job settle end_job

-- `shown` is the start of the output for the events; `counters` are name and increment in turn.
local job = read_job()
if not job or not job.live then
  settle({ entry })
  return { 'GONE' }
end
local value = redis.call('HGET', inflight_key, 'reduce')
if job.state ~= 'reducing' or not value then
  settle({ entry })
  return { 'STALE' }
end

redis.call('SET', result_key, output)
for at = counters, #ARGV, 2 do
  redis.call('HINCRBY', counters_key, ARGV[at], ARGV[at + 1])
end
redis.call('HDEL', inflight_key, 'reduce')
end_job(job, 'succeeded', '', 'result', shown)
settle({ entry })
return { 'OK' }
