-- skips: records that were given up, and whether they are more than the job allows.
-- KEYS:    job skipped counters
-- Include: job

-- Counts each record once, whoever tells of it.
local function skip(job, name, error)
  if redis.call('HSETNX', skipped_key, name, error) == 1 then
    job.skipped = job.skipped + 1
    redis.call('HSET', job_key, 'skipped', job.skipped)
  end
end

-- A share of the records is known when the last of them has been met.
local function too_many_skipped(job, is_all)
  if not job.skip_most or job.skipped == 0 then return false end
  if job.skip_most >= 1 or job.skip_most == 0 then return job.skipped > job.skip_most end
  if not is_all then return false end
  local records = tonumber(redis.call('HGET', counters_key, 'amr.records') or 0)
  return job.skipped > job.skip_most * records + 1e-9
end
