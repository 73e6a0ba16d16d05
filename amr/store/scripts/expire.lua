-- expire: ends a job that is past its deadline, or whose controller is gone.
-- Moves:   submitting, mapping, reducing -> failed
-- KEYS:    job inputs inflight
-- ARGV:    patience_ms
-- Returns: OK | DEADLINE | ABANDONED | GONE
-- Again:   GONE: the job has ended.
-- Include: job end_job

local NAMED_MOST = 10

-- Names the map tasks that are not done, or the first of them.
local function missing_maps(job, appended)
  local fields = redis.call('HSCAN', inflight_key, 0, 'COUNT', 100)[2]
  local begun = {}
  for at = 1, #fields, 2 do begun[#begun + 1] = tonumber(fields[at]) end
  table.sort(begun)
  for index = job.fed, math.min(appended, job.fed + NAMED_MOST) - 1 do begun[#begun + 1] = index end
  local count = appended - job.done - job.failed
  local names = table.concat(begun, ', ', 1, math.min(#begun, NAMED_MOST))
  return count .. ' of ' .. appended .. ' map tasks (' .. names .. (count > NAMED_MOST and ', ...' or '')
    .. ')'
end

local job = read_job()
if not job or not job.live then return { 'GONE' } end -- guard
local now = now_ms()
local times = redis.call('HMGET', job_key, 'deadline', 'touched')
local appended = redis.call('LLEN', inputs_key)
if times[1] and tonumber(times[1]) <= now then -- guard: tonumber(times[1]) <= now
  local missing = job.state == 'reducing' and 'the reduce task' or missing_maps(job, appended)
  end_job(job, 'failed', 'the deadline passed with ' .. missing .. ' not done')
  return { 'DEADLINE' }
end
local makes_inputs = redis.call('HEXISTS', inflight_key, 'source') == 1
if job.state == 'submitting' and not makes_inputs and now - times[2] > tonumber(patience_ms) then -- guard: job.state == 'submitting'
  redis.call('HSET', job_key, 'abandoned', 1)
  end_job(job, 'failed', 'its submission stopped after ' .. appended
    .. ' inputs and never went on; invoke it again with the same --id')
  return { 'ABANDONED' }
end
return { 'OK' }
