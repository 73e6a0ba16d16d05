-- pause: nothing more of a job begins; what runs goes on to its end.
-- Moves:   nothing: the records of tasks are not touched
-- KEYS:    job epoch
-- ARGV:
-- Returns: OK | ENDED state | GONE
-- Again:   OK, and nothing changes.
-- Include: job emit

local job = read_job()
if not job then return { 'GONE' } end -- guard
if not job.live then return { 'ENDED', job.state } end -- guard
if not job.paused then
  redis.call('HSET', job_key, 'paused', 1)
  redis.call('INCR', epoch_key) -- workers look again at the jobs whose tasks they hold
  emit('paused')
end
return { 'OK' }
