-- rate: how many map tasks a job with a rate may begin just now.
-- KEYS:    job
-- Include: job

local BURST_MS = 100 -- for which places that nobody took are kept

-- The generic cell rate algorithm (ITU-T I.371): `rate_at` is when the next task may begin.
local function allowed_by_rate(job, wanted, now)
  if not job.rate then return wanted end
  job.rate_at = math.max(job.rate_at, now - BURST_MS)
  local due = 1 + math.floor((now - job.rate_at) * job.rate / 1000)
  return math.max(0, math.min(wanted, due))
end

local function begin_by_rate(job, begun)
  if job.rate then job.rate_at = job.rate_at + begun * 1000 / job.rate end
end
