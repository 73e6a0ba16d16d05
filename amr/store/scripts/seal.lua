-- seal: the number of inputs becomes final.
-- Moves:   submitting -> mapping, and on to reducing, succeeded or failed when no map is left
-- KEYS:    job inputs
-- ARGV:    total
-- Returns: OK | GONE | GAP appended
-- Again:   OK, and nothing changes.
-- Include: job emit bury complete submission

local job = read_job()
if not job then return { 'GONE' } end -- guard
if job.total then return { job.total == tonumber(total) and 'OK' or 'GAP', job.total } end -- guard
if not is_open(job) then return { 'GONE' } end -- guard
local appended = redis.call('LLEN', inputs_key)
if appended ~= tonumber(total) then return { 'GAP', appended } end -- guard

job.total = appended
redis.call('HSET', job_key, 'total', job.total)
if not job.live then return { 'OK' } end -- guard
job.state = 'mapping'
redis.call('HSET', job_key, 'state', job.state)
emit('queued', 'total', job.total)
if job.failed > 0 and too_many_dead(job) then
  end_job(job, 'failed', job.failed .. ' of ' .. job.total .. ' map tasks failed')
else
  complete(job)
end
return { 'OK' }
