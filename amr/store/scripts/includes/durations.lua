-- durations: about how long the slower tasks of the job's stage take.
-- KEYS:    job
-- Include: job

-- Follows the 95th percentile: one value above moves it as far up as nineteen below move it down.
local function note_duration(job, us)
  us = tonumber(us)
  if not job.p95_us then
    job.p95_us = us
  elseif us > job.p95_us then
    job.p95_us = math.min(us, job.p95_us * 1.1)
  else
    job.p95_us = math.max(us, job.p95_us * 0.995)
  end
  redis.call('HSET', job_key, 'p95_us', string.format('%.0f', job.p95_us))
end
