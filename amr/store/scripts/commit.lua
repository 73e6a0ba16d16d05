-- commit: the outputs of map tasks, each counted once; the last one starts the reduce.
-- Moves:   in flight -> done; waiting -> in flight; mapping -> reducing or succeeded
-- KEYS:    stream job inflight outputs runs counters delayed workers epoch
-- ARGV:    task_us longest_us counted stored skips tasks...
-- Returns: OK accepted remaining workers | GONE
-- Again:   a task that is no longer in flight is settled and changes nothing.
-- Include: job emit count feed settle complete durations tree

-- `tasks` are index, entry and output in turn. Behind them stand `counted` rows of the task's
-- position (from 0), the counter's name and its increment; then `stored` rows of the position, and
-- the field and bytes of one of its runs; then `skips` rows of it, a record's name and its error.
local first_skip = #ARGV - skips * 3 + 1
local first_run = first_skip - stored * 3
local last = first_run - 1 - counted * 3
local entries = {}
for at = tasks, last, 3 do entries[#entries + 1] = ARGV[at + 1] end
local job = read_job()
if not job or not job.live then -- guard
  settle(entries)
  return { 'GONE' }
end

local indexes = {}
for at = tasks, last, 3 do indexes[#indexes + 1] = ARGV[at] end
local flights = redis.call('HMGET', inflight_key, unpack(indexes))
local outputs, taken, retries, is_taken, seen = {}, {}, {}, {}, {}
for position, index in ipairs(indexes) do
  local flight = flights[position] and not seen[index] and read_flight(flights[position]) -- guard: not seen[index]
  if flight and is_ours(entries[position], flight) then -- guard: is_ours(entries[position], flight)
    seen[index] = true
    is_taken[position - 1] = true
    taken[#taken + 1] = index
    outputs[#outputs + 1] = index
    outputs[#outputs + 1] = ARGV[tasks + position * 3 - 1]
    -- Who runs the task's other entry learns that it is settled.
    if job.backups > 0 and flight.older ~= '' then redis.call('INCR', epoch_key) end
    if flight.delayed then retries[#retries + 1] = JOB_ID .. ' ' .. index end
  end
end

-- The nodes whose children these tasks are learn of all of theirs at once.
local function merge_what_is_settled(taken)
  local nodes, settled = {}, {}
  for _, index in ipairs(taken) do
    local at = math.floor(index / job.branches)
    if not settled[at] then nodes[#nodes + 1] = at end
    settled[at] = (settled[at] or 0) + 1
  end
  for _, at in ipairs(nodes) do settle_children(job, 1, at, settled[at]) end
end

local now = now_ms()
local workers = live_workers(now)
if #taken > 0 then
  redis.call('HSET', outputs_key, unpack(outputs))
  redis.call('HDEL', inflight_key, unpack(taken))
  if #retries > 0 then
    redis.call('ZREM', delayed_key, unpack(retries))
    job.delayed = job.delayed - #retries
    job.owed = 0 -- it may have counted just these; forward counts again what is due
  end
  for at = last + 1, first_run - 1, 3 do
    if is_taken[tonumber(ARGV[at])] then count(ARGV[at + 1], ARGV[at + 2]) end -- guard: is_taken[tonumber(ARGV[at])]
  end
  for at = first_run, first_skip - 1, 3 do
    if is_taken[tonumber(ARGV[at])] then redis.call('HSET', runs_key, ARGV[at + 1], ARGV[at + 2]) end -- guard: is_taken[tonumber(ARGV[at])]
  end
  for at = first_skip, #ARGV, 3 do
    if is_taken[tonumber(ARGV[at])] then skip(job, ARGV[at + 1], ARGV[at + 2]) end -- guard: is_taken[tonumber(ARGV[at])]
  end
  job.done = job.done + #taken
  if job.branches then merge_what_is_settled(taken) end
  -- A batch tells more of the tasks' cost than a single one does.
  local weight = 0.5 * #taken / (#taken + 8)
  job.task_us = (job.task_us or tonumber(task_us)) * (1 - weight) + task_us * weight
  note_duration(job, longest_us)
  feed(job, workers, now)
end

-- A line of progress each tenth of the job, and each ten seconds; never more than five a second.
local since = now - job.progress_at
local tenth = job.total and math.floor(10 * job.done / job.total)
  > math.floor(10 * (job.done - #taken) / job.total)
if since >= 10000 or (tenth and since >= 200) then
  job.progress_at = now
  emit('progress', 'done', job.done, 'failed', job.failed, 'total', job.total or '')
end

write_counts(job)
if not end_of_skips(job, false) then complete(job) end
settle(entries)
return { 'OK', #taken, redis.call('LLEN', inputs_key) - job.done - job.failed, workers }
