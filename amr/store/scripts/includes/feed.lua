-- feed: moves waiting tasks into flight, up to the job's window and at its rate.
-- KEYS:    stream workers active inputs inflight delayed
-- Include: job rate

local FEED_MOST = 512 -- tasks one call feeds, so that no script takes long
local FIRST_A_WORKER = 32 -- tasks in flight a worker while the task time is unknown
local LEAST_A_WORKER = 4
local WINDOW_US = 2000000 -- the work that live workers have in front of them

local function live_workers(now)
  return redis.call('ZCOUNT', workers_key, now, '+inf')
end

-- About two seconds of what the live workers get done, shared between the active jobs.
local function window_of(job, workers)
  workers = math.max(1, workers)
  local window = FIRST_A_WORKER * workers
  if job.task_us then
    local jobs = math.max(1, redis.call('ZCARD', active_key))
    window = WINDOW_US * workers / (math.max(1, job.task_us) * jobs)
    window = math.max(LEAST_A_WORKER * workers, math.floor(window))
  end
  return math.min(window, job.concurrency)
end

-- A job that its rate holds back stands among the delayed with its next task's time, as "feed".
local function feed_again_in_time(job)
  if not job.rate or job.fed >= redis.call('LLEN', inputs_key) then return end -- guard
  redis.call('ZADD', delayed_key, math.ceil(job.rate_at), JOB_ID .. ' feed')
end

-- Feeds and counts; the caller writes the counts. Retries that are due and found no place (owed) go
-- first.
local function feed(job, workers, now)
  if job.paused then return end -- guard
  local room = math.min(FEED_MOST, window_of(job, workers) - in_window(job) - job.owed)
  local count = room > 0 and allowed_by_rate(job, room, now) or 0
  local bodies = {}
  if count > 0 then bodies = redis.call('LRANGE', inputs_key, job.fed, job.fed + count - 1) end
  if #bodies > 0 then
    local flights = {}
    for offset, body in ipairs(bodies) do
      local index = job.fed + offset - 1
      local entry = redis.call('XADD', stream_key, '*', 'job', JOB_ID, 'stage', 'map',
        'index', index, 'attempt', 1, 'suspect', 0, 'body', body)
      flights[#flights + 1] = index
      flights[#flights + 1] = entry .. ' 1 0 0 0'
    end
    redis.call('HSET', inflight_key, unpack(flights))
    job.fed = job.fed + #bodies
    begin_by_rate(job, #bodies)
  end
  feed_again_in_time(job)
end
