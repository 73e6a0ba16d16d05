-- forward: retries whose time has come go back to the stream.
-- Moves:   delayed (in flight) -> in flight with a new entry
-- KEYS:    stream job inflight delayed
-- ARGV:    fields...
-- Returns: OK forwarded
-- Again:   a task that is not delayed any more is left alone.
-- Include: job requeue

local job = read_job()
local forwarded, owed = 0, 0
for at = fields, #ARGV do
  local field = ARGV[at]
  local value = job and job.live and redis.call('HGET', inflight_key, field)
  local flight = value and read_flight(value)
  if not flight or not flight.delayed then
    redis.call('ZREM', delayed_key, JOB_ID .. ' ' .. field)
  elseif field ~= 'reduce'
    and job.fed - job.done - job.failed - job.delayed >= job.concurrency then
    owed = owed + 1
  else
    requeue(field, flight)
    redis.call('ZREM', delayed_key, JOB_ID .. ' ' .. field)
    job.delayed = job.delayed - 1
    forwarded = forwarded + 1
  end
end
-- Places in the window that the next feed leaves to the retries that found none now.
if job and job.live then redis.call('HSET', job_key, 'delayed', job.delayed, 'owed', owed) end
return { 'OK', forwarded }
