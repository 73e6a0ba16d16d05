-- create: a new job, or the same one when it is submitted again.
-- Moves:   nothing -> submitting
-- KEYS:    job jobs active epoch inputs
-- ARGV:    spec reduce digest reducer max_attempts concurrency policy tolerance ttl_ms deadline_ms rate partitions backup skip_most branches reduce_attempts
-- Returns: CREATED | EXISTS open appended | CONFLICT
-- Again:   EXISTS, with how many inputs have come, so that a cut submission goes on where it stopped;
--          a job that was given up while its controller was gone begins anew.
-- Include: job emit data submission

local known = redis.call('HMGET', job_key, 'digest', 'abandoned')
if known[1] and known[1] ~= digest then return { 'CONFLICT' } end -- guard
if known[1] and not known[2] then -- guard: known[1]
  return { 'EXISTS', is_open(read_job()) and 1 or 0, redis.call('LLEN', inputs_key) }
end

redis.call('UNLINK', unpack(DATA_KEYS))
local now = now_ms()
redis.call('HSET', job_key, 'spec', spec, 'reduce', reduce, 'digest', digest,
  'state', 'submitting', 'fed', 0, 'done', 0, 'failed', 0, 'delayed', 0, 'owed', 0, 'retried', 0,
  'timed_out', 0, 'progress_at', now, 'task_us', '', 'reducer', reducer,
  'max_attempts', max_attempts, 'concurrency', concurrency, 'policy', policy,
  'tolerance', tolerance, 'ttl_ms', ttl_ms, 'rate', rate,
  'version', 1, 'created', now, 'touched', now, 'partitions', partitions, 'reduced', 0,
  'backup', backup, 'skip_most', skip_most, 'branches', branches,
  'reduce_attempts', reduce_attempts)
if tonumber(deadline_ms) > 0 then redis.call('HSET', job_key, 'deadline', now + deadline_ms) end
redis.call('ZADD', jobs_key, now, JOB_ID)
redis.call('ZADD', active_key, now, JOB_ID)
-- The id of a job that is gone may be used anew: workers are not to take the one for the other.
if digest ~= JOB_ID then redis.call('INCR', epoch_key) end
emit('created')
return { 'CREATED' }
