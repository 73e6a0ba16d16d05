-- finish: a reduce task's output; that of the last one ends the job, once and for ever.
-- Moves:   reducing -> succeeded
-- KEYS:    stream job inflight runs results delayed epoch
-- ARGV:    entry partition took_us output shown counters...
-- Returns: OK | STALE | GONE
-- Again:   GONE or STALE: the result stands as it was.
-- Include: job emit settle count end_job land

-- `shown` is the start of the output for the events; `counters` are name and increment in turn.
local job = read_job()
if not job or not job.live then -- guard
  settle({ entry })
  return { 'GONE' }
end
local field = reduce_field(tonumber(partition))
local value = redis.call('HGET', inflight_key, field)
local flight = value and read_flight(value)
if not flight or not is_ours(entry, flight) then -- guard
  settle({ entry })
  return { 'STALE' }
end

redis.call('HSETNX', results_key, result_field(job, partition), output)
for at = counters, #ARGV, 2 do
  count(ARGV[at], ARGV[at + 1])
end
land(job, field, flight, took_us)
job.reduced = job.reduced + 1
redis.call('HSET', job_key, 'reduced', job.reduced, 'delayed', job.delayed,
  'p95_us', whole(job.p95_us))
if job.partitions > 1 then emit('reduced', 'done', job.reduced, 'total', job.partitions) end
if job.reduced >= job.partitions then
  -- A task that failed may be redriven: the next version is made of all the runs.
  if job.failed == 0 then redis.call('UNLINK', runs_key) end
  end_job(job, 'succeeded', '', 'result', shown)
end
settle({ entry })
return { 'OK' }
