-- submission: whether a job still takes inputs.
-- KEYS:    job
-- Include: job

-- One that failed while its inputs were coming takes the rest of them: a redrive goes on with all.
-- Not one that was given up because its controller was gone: that begins anew.
local function is_open(job)
  if job.total then return false end
  return job.live or job.state == 'failed' and redis.call('HEXISTS', job_key, 'abandoned') == 0
end
