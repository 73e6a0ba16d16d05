-- redrive: dead letters run again with fresh attempts, and what the job's end cut off goes on.
-- Moves:   failed -> in flight (delayed, and due); waiting -> in flight; failed -> submitting;
--          failed, succeeded -> mapping, and on to reducing when only the reduce is left
-- KEYS:    job inflight failures redriven delayed active epoch
-- ARGV:    chosen more fields...
-- Returns: OK version moved | NOTHING | REMAIN dead | REDUCING | UNSEALED | ENDED state | GONE
-- Again:   NOTHING, or OK with 0 moved: a task that is no dead letter any more is left alone.
-- Include: job emit requeue bury feed data tree

local HOLD_MS = 10000 -- for which a redrive in several calls may rest before the job goes on

-- `chosen` counts the dead map tasks of all calls of this redrive; `more` is 1 when another follows.
local job = read_job()
if not job then return { 'GONE' } end -- guard
if job.state == 'cancelled' then return { 'ENDED', job.state } end -- guard
if job.state == 'reducing' then return { 'REDUCING' } end -- guard

local now = now_ms()

-- What was deleted at the job's end, or marked for it, is as in a job that runs.
local function revive(state)
  job.state, job.live = state, true
  local times = redis.call('HMGET', job_key, 'deadline', 'created')
  redis.call('HSET', job_key, 'state', job.state, 'version', job.version)
  redis.call('HDEL', job_key, 'ended', 'error')
  if times[1] then redis.call('HSET', job_key, 'deadline', now + times[1] - times[2]) end
  for _, key in ipairs(DATA_KEYS) do redis.call('PERSIST', key) end
  redis.call('ZADD', active_key, now, JOB_ID)
  redis.call('INCR', epoch_key) -- workers forget that the job had ended
end

if not job.total then
  local source = not job.live and redis.call('HGET', inflight_key, 'source')
  if not source then return { 'UNSEALED' } end -- guard
  revive('submitting')
  if read_flight(source).delayed then job.delayed = job.delayed - 1 end
  redis.call('HDEL', failures_key, 'source')
  requeue('source', new_flight())
  emit('redriven', 'tasks', 0, 'version', job.version)
  write_counts(job)
  return { 'OK', job.version, 0 }
end

local indexes, records, reduce_died = {}, {}, false
local found = #ARGV >= fields and redis.call('HMGET', failures_key, unpack(ARGV, fields)) or {}
for position, record in ipairs(found) do
  local field = ARGV[fields + position - 1]
  if record and partition_of(field) then
    reduce_died = true
  elseif record then
    indexes[#indexes + 1] = field
    records[field] = record
  end
end

if not job.live then
  local cut_off = job.state == 'failed' and (reduce_died or redis.call('HLEN', inflight_key) > 0
    or job.done + job.failed < job.total)
  if #indexes == 0 and not cut_off then return { 'NOTHING' } end -- guard
  local was_failed = job.failed
  job.failed = was_failed - tonumber(chosen)
  local remains = job.failed > 0 and too_many_dead(job)
  if remains then return { 'REMAIN', job.failed } end -- guard
  job.failed = was_failed
  -- A result that stands stays readable: what comes of the redrive is the next version.
  if job.state == 'succeeded' then job.version = job.version + 1 end
  revive('mapping')
  -- complete makes other reduce tasks. Results of partitions stand while no map task is to come.
  local is_whole = #indexes == 0 and job.done + job.failed >= job.total
  for partition = 0, math.max(1, job.partitions) - 1 do
    local reduce = reduce_field(partition)
    local flight = redis.call('HGET', inflight_key, reduce)
    if flight and read_flight(flight).delayed then job.delayed = job.delayed - 1 end
    redis.call('HDEL', inflight_key, reduce)
    redis.call('HDEL', failures_key, reduce)
    if not is_whole then redis.call('HDEL', results_key, result_field(job, partition)) end
  end
  if not is_whole then redis.call('HSET', job_key, 'reduced', 0) end
  local dead_merge = redis.call('HGET', job_key, 'dead_merge')
  if dead_merge then
    redis.call('HDEL', job_key, 'dead_merge')
    redis.call('HDEL', failures_key, dead_merge)
    requeue(dead_merge, new_flight())
  end
end

if #indexes > 0 then
  local flights, retries = {}, {}
  for _, index in ipairs(indexes) do
    flights[#flights + 1] = index
    flights[#flights + 1] = write_flight(new_flight())
    retries[#retries + 1] = now
    retries[#retries + 1] = JOB_ID .. ' ' .. index
    if job.branches then unsettle(job, index) end
    if job.version > 1 then
      redis.call('HSETNX', redriven_key, index .. ' ' .. (job.version - 1), records[index])
    end
    if string.find(records[index], '"type":"TaskTimeoutError"', 1, true) then
      job.timed_out = math.max(0, job.timed_out - 1)
    end
  end
  redis.call('HSET', inflight_key, unpack(flights))
  redis.call('HDEL', failures_key, unpack(indexes))
  redis.call('ZADD', delayed_key, unpack(retries))
  job.failed = job.failed - #indexes
  job.delayed = job.delayed + #indexes
end
emit('redriven', 'tasks', #indexes, 'version', job.version)
job.held_until = more == '1' and now + HOLD_MS or nil
redis.call('HSET', job_key, 'held_until', job.held_until or '', 'redriven_at', now)
feed(job, live_workers(now), now)
write_counts(job)
complete(job)
return { 'OK', job.version, #indexes }
