-- update: another concurrency or rate for a job that runs.
-- Moves:   waiting -> in flight
-- KEYS:    job
-- ARGV:    new_concurrency new_rate
-- Returns: OK | ENDED state | GONE
-- Again:   OK, and the same values stand.
-- Include: job emit feed

-- An empty argument leaves its value as it is; a rate of 0 is none.
local job = read_job()
if not job then return { 'GONE' } end -- guard
if not job.live then return { 'ENDED', job.state } end -- guard
if new_concurrency ~= '' then
  job.concurrency = tonumber(new_concurrency)
  redis.call('HSET', job_key, 'concurrency', new_concurrency)
end
if new_rate ~= '' then
  job.rate = tonumber(new_rate) > 0 and tonumber(new_rate) or nil
  redis.call('HSET', job_key, 'rate', job.rate and new_rate or '')
  redis.call('ZREM', delayed_key, JOB_ID .. ' feed')
end
emit('updated', 'concurrency', job.concurrency, 'rate', job.rate and new_rate or '')
local now = now_ms()
feed(job, live_workers(now), now)
write_counts(job)
return { 'OK' }
