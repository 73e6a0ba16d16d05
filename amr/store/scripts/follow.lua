-- follow: a job whose inputs are what another one gives waits for the end of that one.
-- Moves:   nothing: the inputs are made when the other job has ended
-- KEYS:    job inflight delayed other_job other_followers
-- ARGV:    other
-- Returns: OK | NOTHING | GONE
-- Again:   OK; if the other job has ended meanwhile, the source task is due.
-- Include: job

local job = read_job()
if not job or not job.live then return { 'GONE' } end -- guard
if job.total then return { 'OK' } end -- guard
local state = redis.call('HGET', other_job_key, 'state')
if not state then return { 'NOTHING' } end -- guard

local flight = redis.call('HGET', inflight_key, 'source')
if not flight then
  redis.call('HSET', inflight_key, 'source', write_flight(new_flight()))
  redis.call('HSET', job_key, 'delayed', job.delayed + 1, 'after', other)
  redis.call('HSET', other_job_key, 'next', JOB_ID)
elseif not read_flight(flight).delayed then -- guard
  return { 'OK' }
end
local member = JOB_ID .. ' source'
if LIVE[state] then
  redis.call('SADD', other_followers_key, JOB_ID)
elseif not redis.call('ZSCORE', delayed_key, member) then -- guard: not redis.call('ZSCORE', delayed_key, member)
  redis.call('ZADD', delayed_key, now_ms(), member)
end
return { 'OK' }
