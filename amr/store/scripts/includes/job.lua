-- job: reads a job's record once, and writes back its counts.
-- KEYS:    job
-- Include: clock

local JOB_ID = string.match(job_key, ':job:(.+)$')
local LIVE = { submitting = true, mapping = true, reducing = true }

-- Returns the job as a table, or nil when there is none. `total` is nil until the job is sealed.
local function read_job()
  local f = redis.call('HMGET', job_key, 'state', 'total', 'fed', 'done', 'failed', 'delayed',
    'owed', 'task_us', 'concurrency', 'max_attempts', 'reducer', 'policy', 'tolerance', 'ttl_ms',
    'retried', 'timed_out', 'progress_at', 'paused', 'rate', 'rate_at', 'version', 'held_until',
    'redriven_at', 'partitions', 'reduced', 'backup', 'backups',
    'p95_us', 'skip_most', 'skipped', 'branches', 'merging', 'merged',
    'reduce_attempts')
  if not f[1] then return nil end
  return {
    state = f[1], live = LIVE[f[1]], total = tonumber(f[2]), fed = tonumber(f[3]),
    done = tonumber(f[4]), failed = tonumber(f[5]), delayed = tonumber(f[6]),
    owed = tonumber(f[7]), task_us = tonumber(f[8]), concurrency = tonumber(f[9]),
    max_attempts = tonumber(f[10]), reducer = f[11] == '1', policy = f[12],
    tolerance = tonumber(f[13]), ttl_ms = tonumber(f[14]), retried = tonumber(f[15]),
    timed_out = tonumber(f[16]), progress_at = tonumber(f[17]), paused = f[18] == '1',
    rate = tonumber(f[19]), rate_at = tonumber(f[20]) or 0, version = tonumber(f[21]),
    held_until = tonumber(f[22]), redriven_at = tonumber(f[23]),
    partitions = tonumber(f[24]), reduced = tonumber(f[25]),
    backup = f[26], backups = tonumber(f[27]) or 0, p95_us = tonumber(f[28]),
    skip_most = tonumber(f[29]), skipped = tonumber(f[30]) or 0,
    branches = tonumber(f[31]), merging = tonumber(f[32]) or 0,
    merged = tonumber(f[33]) or 0, reduce_attempts = tonumber(f[34]),
  }
end

-- A number without its fraction, or '' for none.
local function whole(number)
  return number and string.format('%.0f', number) or ''
end

local function write_counts(job)
  redis.call('HSET', job_key, 'fed', job.fed, 'done', job.done, 'failed', job.failed,
    'delayed', job.delayed, 'owed', job.owed, 'retried', job.retried,
    'timed_out', job.timed_out, 'progress_at', job.progress_at, 'task_us', job.task_us or '',
    'p95_us', whole(job.p95_us))
  if job.branches then
    redis.call('HSET', job_key, 'merging', job.merging, 'merged', job.merged)
  end
  if job.rate then redis.call('HSET', job_key, 'rate_at', string.format('%.3f', job.rate_at)) end
end

-- Splits "entry attempt crashes deferrals delayed older...", as the inflight hash holds it. A delayed
-- task waits for its retry, and `entry` is the one it had last; `older` are those before it.
local function read_flight(value)
  local entry, attempt, crashes, deferrals, delayed, older
    = string.match(value, '^(%S+) (%d+) (%d+) (%d+) ([01])(.*)$')
  return {
    entry = entry, attempt = tonumber(attempt), crashes = tonumber(crashes),
    deferrals = tonumber(deferrals), delayed = delayed == '1', older = older,
  }
end

-- A task that waits for its first entry.
local function new_flight()
  return { entry = '0-0', attempt = 1, crashes = 0, deferrals = 0, delayed = true, older = '' }
end

local function write_flight(flight)
  return flight.entry .. ' ' .. flight.attempt .. ' ' .. flight.crashes .. ' ' .. flight.deferrals
    .. ' ' .. (flight.delayed and 1 or 0) .. flight.older
end

-- Names of the reduce tasks in the inflight hash: "reduce" for partition 0, then "reduce1" and so on.
local function reduce_field(partition)
  return partition == 0 and 'reduce' or 'reduce' .. partition
end

-- The partition of a reduce task, or nil for any other.
local function partition_of(field)
  if string.sub(field, 1, 6) ~= 'reduce' then return nil end
  return tonumber(string.sub(field, 7)) or 0
end

-- Names of the tasks that merge partial results in the inflight hash: "merge" and the node's number.
local function merge_field(node)
  return 'merge' .. node
end

-- The node of a task that merges partial results, or nil for any other.
local function node_of(field)
  return tonumber(string.match(field, '^merge(%d+)$'))
end

-- How often a task is attempted.
local function attempts_of(job, field)
  local reduces = partition_of(field) or node_of(field)
  return reduces and job.reduce_attempts or job.max_attempts
end

-- Places of the window that are taken. A task that waits for its retry is in flight without one.
local function in_window(job)
  return job.fed + job.merging - job.done - job.failed - job.delayed
end

-- Where the reduce task's output goes in the results hash: a shuffled job has one for each partition.
local function result_field(job, partition)
  return job.partitions == 0 and job.version or job.version .. ':' .. partition
end

-- Whether we made the entry for this task. An older one is of an attempt that was given up too early:
-- it is as good as any, and the first one wins. What ran from a stranger's entry, or from one of an
-- earlier job with the same id, is not taken.
local function is_ours(entry, flight)
  if entry == flight.entry then return true end
  return string.find(flight.older .. ' ', ' ' .. entry .. ' ', 1, true) ~= nil
end
