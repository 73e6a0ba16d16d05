-- resume: a paused job goes on; sweep gives the tasks that workers gave back a time again.
-- Moves:   waiting -> in flight
-- KEYS:    job epoch
-- ARGV:
-- Returns: OK | ENDED state | GONE
-- Again:   OK, and nothing changes.
-- Include: job emit feed

local job = read_job()
if not job then return { 'GONE' } end -- guard
if not job.live then return { 'ENDED', job.state } end -- guard
if job.paused then -- guard: job.paused
  job.paused = false
  redis.call('HDEL', job_key, 'paused')
  redis.call('INCR', epoch_key)
  emit('resumed')
  local now = now_ms()
  feed(job, live_workers(now), now)
  write_counts(job)
end
return { 'OK' }
