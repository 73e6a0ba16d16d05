-- land: a reduce task or a merge has its output, and is in flight no more.
-- KEYS:    inflight delayed epoch
-- Include: job durations

-- The caller writes the counts.
local function land(job, field, flight, took_us)
  redis.call('HDEL', inflight_key, field)
  if flight.delayed then
    redis.call('ZREM', delayed_key, JOB_ID .. ' ' .. field)
    job.delayed = job.delayed - 1
  end
  -- Who runs the task's other entry learns that it is settled.
  if job.backups > 0 and flight.older ~= '' then redis.call('INCR', epoch_key) end
  note_duration(job, took_us)
end
