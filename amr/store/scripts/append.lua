-- append: more inputs of a job that is being submitted; its first ones begin to run. Those of a job
--          that failed meanwhile wait for a redrive.
-- Moves:   nothing -> waiting -> in flight
-- KEYS:    job inputs
-- ARGV:    offset inputs...
-- Returns: OK appended | GONE | SEALED appended | GAP appended
-- Again:   inputs that have come are skipped: a chunk is known by its offset in the job's inputs.
-- Include: job feed submission

local job = read_job()
if not job or not (job.live or is_open(job)) then return { 'GONE' } end -- guard
local appended = redis.call('LLEN', inputs_key)
if job.total then return { 'SEALED', appended } end -- guard
if tonumber(offset) > appended then return { 'GAP', appended } end -- guard

local first = appended - offset + inputs
for at = first, #ARGV, 1000 do
  redis.call('RPUSH', inputs_key, unpack(ARGV, at, math.min(at + 999, #ARGV)))
end
if not job.live then
  redis.call('PEXPIRE', inputs_key, job.ttl_ms) -- they may be the first
  return { 'OK', redis.call('LLEN', inputs_key) }
end
local now = now_ms()
redis.call('HSET', job_key, 'touched', now)
feed(job, live_workers(now), now)
write_counts(job)
return { 'OK', redis.call('LLEN', inputs_key) }
