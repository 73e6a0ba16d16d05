-- cancel: ends a job at once, whatever is still to be done.
-- Moves:   submitting, mapping, reducing -> cancelled
-- KEYS:    job inputs gathered outputs runs skipped failures redriven counters results
-- ARGV:
-- Returns: OK | ENDED state | GONE
-- Again:   ENDED cancelled.
-- Include: job end_job

local job = read_job()
if not job then return { 'GONE' } end -- guard
if not job.live then return { 'ENDED', job.state } end -- guard
local appended = redis.call('LLEN', inputs_key)
redis.call('HSET', job_key, 'total', job.total or appended,
  'cancelled', (job.total or appended) - job.done - job.failed)
end_job(job, 'cancelled', 'cancelled')
redis.call('UNLINK', inputs_key, gathered_key, outputs_key, runs_key, skipped_key, failures_key,
  redriven_key, counters_key, results_key)
return { 'OK' }
