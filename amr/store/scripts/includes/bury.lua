-- bury: makes a dead letter of a task that is out of attempts, and applies the job's policy.
-- KEYS:    job inflight failures
-- Include: job emit end_job complete tree

-- Whether more map tasks are dead than the policy allows. Of an unsealed job no share is known.
local function too_many_dead(job)
  if job.policy == 'fail' then return true end
  if job.policy == 'collect' or not job.total then return false end
  return job.failed > job.tolerance * job.total + 1e-9 -- 0.29 of 100 are 29
end

-- `error` is JSON for programs, `summary` one line for people.
local function bury(job, field, flight, error, summary)
  local partition, node = partition_of(field), node_of(field)
  if field == 'source' then
    redis.call('HSET', failures_key, field, flight.attempt .. ' ' .. error)
    return end_job(job, 'failed', 'the inputs could not be made after ' .. flight.attempt
      .. ' attempt(s): ' .. summary)
  elseif partition then
    redis.call('HSET', failures_key, field, flight.attempt .. ' ' .. error)
    local name = job.partitions == 0 and 'the reduce task' or 'reduce task ' .. partition
    return end_job(job, 'failed', name .. ' failed after ' .. flight.attempt
      .. ' attempt(s): ' .. summary)
  end
  redis.call('HSET', failures_key, field, flight.attempt .. ' ' .. error)
  if node then
    redis.call('HSET', job_key, 'dead_merge', field)
    return end_job(job, 'failed', 'a merge of partial results failed after ' .. flight.attempt
      .. ' attempt(s): ' .. summary)
  end
  redis.call('HDEL', inflight_key, field)
  job.failed = job.failed + 1
  if job.branches then settle_children(job, 1, math.floor(field / job.branches), 1) end
  emit('failed', 'task', field, 'attempt', flight.attempt, 'error', summary)
  if too_many_dead(job) then
    return end_job(job, 'failed', 'map task ' .. field .. ' failed after ' .. flight.attempt
      .. ' attempt(s): ' .. summary)
  end
  complete(job)
end
