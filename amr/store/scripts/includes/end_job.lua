-- end_job: ends a live job, for whatever reason, and starts the time to live of its data.
-- KEYS:    job inputs inflight outputs failures counters events log result delayed active epoch
-- Include: job emit

local FORGET_MOST = 2000 -- retries that are forgotten at once, so that no end takes long

-- Retries of the job that wait for their time are forgotten with it. Of very many, forward drops the
-- rest when they are due.
local function forget_delayed(job)
  if job.delayed == 0 then return end
  local flights = redis.call('HSCAN', inflight_key, 0, 'COUNT', FORGET_MOST)[2]
  local members = {}
  for at = 1, #flights, 2 do
    if read_flight(flights[at + 1]).delayed then
      members[#members + 1] = JOB_ID .. ' ' .. flights[at]
    end
  end
  if #members > 0 then redis.call('ZREM', delayed_key, unpack(members)) end
  job.delayed = 0
end

-- The epoch tells workers that tasks in their hands may be of a job that has ended.
local function end_job(job, state, error, ...)
  forget_delayed(job)
  if redis.call('HLEN', inflight_key) > 0 then redis.call('INCR', epoch_key) end
  job.state, job.live = state, nil
  redis.call('HSET', job_key, 'state', state, 'ended', now_ms(), 'error', error)
  emit(state, 'error', error, ...)
  redis.call('UNLINK', inflight_key)
  redis.call('ZREM', active_key, JOB_ID)
  for _, key in ipairs({ job_key, inputs_key, outputs_key, failures_key, counters_key, events_key,
    log_key, result_key }) do
    redis.call('PEXPIRE', key, job.ttl_ms)
  end
end
