-- durations: about how long the slower tasks of the job's stage take.
-- KEYS:
-- Include: job

-- Follows the 95th percentile: one value above moves it as far up as nineteen below move it down.
-- The job keeps it with its counts.
local function note_duration(job, us)
  us = tonumber(us)
  if not job.p95_us then
    job.p95_us = us
  elseif us > job.p95_us then
    job.p95_us = math.min(us, job.p95_us * 1.1)
  else
    job.p95_us = math.max(us, job.p95_us * 0.995)
  end
end
