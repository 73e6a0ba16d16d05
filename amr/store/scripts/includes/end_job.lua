-- end_job: ends a live job, for whatever reason, and starts the time to live of its data.
-- KEYS:    inflight delayed active epoch followers
-- Include: job emit data

local FORGET_MOST = 2000 -- retries that are forgotten at once, so that no end takes long

-- Retries of the job that wait for their time are forgotten with it. Of very many, forward drops the
-- rest when they are due.
local function forget_delayed(job)
  local members = { JOB_ID .. ' feed' }
  if job.delayed > 0 then
    local flights = redis.call('HSCAN', inflight_key, 0, 'COUNT', FORGET_MOST)[2]
    for at = 1, #flights, 2 do
      if read_flight(flights[at + 1]).delayed then
        members[#members + 1] = JOB_ID .. ' ' .. flights[at]
      end
    end
  end
  redis.call('ZREM', delayed_key, unpack(members))
end

-- The epoch tells workers that tasks in their hands may be of a job that has ended. What is in
-- flight of a job that failed is kept as it is, so that a redrive knows what was cut off.
local function end_job(job, state, error, ...)
  forget_delayed(job)
  if redis.call('HLEN', inflight_key) > 0 then redis.call('INCR', epoch_key) end
  job.state, job.live = state, nil
  redis.call('HSET', job_key, 'state', state, 'ended', now_ms(), 'error', error)
  emit(state, 'error', error, ...)
  if state ~= 'failed' then redis.call('UNLINK', inflight_key) end
  redis.call('ZREM', active_key, JOB_ID)
  -- Jobs that wait for this one learn of its end, whatever it is, by their source task.
  for _, follower in ipairs(redis.call('SMEMBERS', followers_key)) do
    redis.call('ZADD', delayed_key, now_ms(), follower .. ' source')
  end
  for _, key in ipairs(DATA_KEYS) do redis.call('PEXPIRE', key, job.ttl_ms) end
end
