-- expire: ends a job that is past its deadline, or whose controller is gone.
-- Moves:   submitting, mapping, reducing -> failed
-- KEYS:    job inputs
-- ARGV:    patience_ms
-- Returns: OK | DEADLINE | ABANDONED | GONE
-- Again:   GONE: the job has ended.
-- Include: job end_job

local job = read_job()
if not job or not job.live then return { 'GONE' } end
local now = now_ms()
local times = redis.call('HMGET', job_key, 'deadline', 'touched')
local appended = redis.call('LLEN', inputs_key)
if times[1] and tonumber(times[1]) <= now then
  local missing = job.state == 'reducing' and 'the reduce task'
    or (appended - job.done - job.failed) .. ' of ' .. appended .. ' map tasks'
  end_job(job, 'failed', 'the deadline passed with ' .. missing .. ' not done')
  return { 'DEADLINE' }
end
if job.state == 'submitting' and now - times[2] > tonumber(patience_ms) then
  redis.call('HSET', job_key, 'abandoned', 1)
  end_job(job, 'failed', 'its submission stopped after ' .. appended
    .. ' inputs and never went on; invoke it again with the same --id')
  return { 'ABANDONED' }
end
return { 'OK' }
