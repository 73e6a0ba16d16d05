-- complete: when no map task is left, starts the reduce, or ends a job that has no reducer.
-- KEYS:    job inflight results
-- Include: job emit requeue end_job skips

-- A partition that has its result keeps it: a redrive after a failed reduce makes the others.
local function enqueue_reduce(job)
  job.state = 'reducing'
  redis.call('HSET', job_key, 'state', job.state)
  redis.call('HDEL', job_key, 'p95_us')
  job.p95_us = nil -- it was of the map tasks
  for partition = 0, math.max(1, job.partitions) - 1 do
    if redis.call('HEXISTS', results_key, result_field(job, partition)) == 0 then
      requeue(reduce_field(partition), new_flight())
    end
  end
  emit('reducing', 'done', job.done, 'failed', job.failed)
end

-- Ends a job that has given up more records than it allows, and says whether it did.
local function end_of_skips(job, is_all)
  if not too_many_skipped(job, is_all) then return false end
  end_job(job, 'failed', job.skipped .. ' bad records are more than skip_bad_records allows')
  return true
end

-- A redrive in several steps holds the job until the last one; if that never comes, for a while.
local function complete(job)
  if job.state ~= 'mapping' or job.done + job.failed < job.total then return end -- guard
  if job.merging > 0 then return end -- guard
  if job.held_until and job.held_until > now_ms() then return end -- guard
  if end_of_skips(job, true) then return end
  if job.reducer then return enqueue_reduce(job) end
  end_job(job, 'succeeded', '')
end
