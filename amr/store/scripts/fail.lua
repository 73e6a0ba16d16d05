-- fail: an attempt failed: the task waits for its retry, or is a dead letter.
-- Moves:   in flight -> delayed (still in flight) or failed; waiting -> in flight;
--          submitting, mapping, reducing -> failed; mapping -> reducing or succeeded
-- KEYS:    stream job inflight delayed workers
-- ARGV:    entry field error summary delay_ms permanent deferred timed_out
-- Returns: RETRY attempt | DEAD | STALE | GONE
-- Again:   STALE: the task has another entry by then, or none.
-- Include: job emit feed settle bury

local DEFERRALS_MOST = 100 -- times a task may put itself off before that counts as an attempt

local job = read_job()
if not job or not job.live then -- guard
  settle({ entry })
  return { 'GONE' }
end
-- Only the holder of the task's own entry may fail it: a zombie cannot fail its successor.
local value = redis.call('HGET', inflight_key, field)
local flight = value and read_flight(value)
if not flight or flight.entry ~= entry or flight.delayed then -- guard
  settle({ entry })
  return { 'STALE' }
end

local defers = deferred == '1' and flight.deferrals < DEFERRALS_MOST -- guard: flight.deferrals < DEFERRALS_MOST
-- What began before a redrive knows nothing of what was mended for it: it runs once more.
local is_outdated = job.redriven_at and tonumber(string.match(entry, '^%d+')) <= job.redriven_at
local is_last = permanent == '1' or (flight.attempt >= attempts_of(job, field) and not defers)
local now = now_ms()
local reply
if is_last and not is_outdated then -- guard: not is_outdated
  job.timed_out = job.timed_out + timed_out
  bury(job, field, flight, error, summary)
  reply = { 'DEAD' }
else
  emit('retry', 'task', field, 'attempt', flight.attempt, 'delay_ms', delay_ms, 'error', summary)
  flight.delayed = true
  if defers then
    flight.deferrals = flight.deferrals + 1
  elseif not is_last then
    flight.attempt = flight.attempt + 1
  end
  redis.call('HSET', inflight_key, field, write_flight(flight))
  redis.call('ZADD', delayed_key, now + delay_ms, JOB_ID .. ' ' .. field)
  job.delayed = job.delayed + 1
  job.retried = job.retried + 1
  reply = { 'RETRY', flight.attempt }
end
if job.live then feed(job, live_workers(now), now) end -- guard: job.live
write_counts(job)
settle({ entry })
return reply
