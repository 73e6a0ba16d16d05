-- prune: what is kept of a job that has ended is deleted before its time.
-- Moves:   nothing: the records of tasks are not touched
-- KEYS:    jobs
-- ARGV:    older_ms
-- Returns: OK | LIVE | YOUNG | GONE
-- Again:   GONE.
-- Include: job data

local job = read_job()
if job and job.live then return { 'LIVE' } end -- guard
if job and now_ms() - redis.call('HGET', job_key, 'ended') < tonumber(older_ms) then
  return { 'YOUNG' }
end
redis.call('UNLINK', unpack(DATA_KEYS))
redis.call('ZREM', jobs_key, JOB_ID)
return { job and 'OK' or 'GONE' }
