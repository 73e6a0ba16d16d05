-- recover: a task in the hands of a worker that is gone gets a new entry, or is a dead letter.
-- Moves:   in flight -> in flight with a new entry, or failed; waiting -> in flight;
--          submitting, mapping, reducing -> failed; mapping -> reducing or succeeded
-- KEYS:    stream workers job inflight
-- ARGV:    worker entry field blame alone record error summary timed_out
-- Returns: REQUEUED attempt | DEAD | STALE | ALIVE
-- Again:   STALE: the task has another entry by then; two recoverers do the work of one.
-- Include: job emit feed settle requeue bury skips

-- `blame` says what is known of the task when its worker died: "running" (an attempt is used up),
-- "idle" (it had not been started: the attempt is unchanged) or "unknown" (a whole machine is gone:
-- an attempt is used up, but a task that was not alone in the worker's hands gets one chance more
-- than its attempts before it counts as the cause).
local now = now_ms()
local lease = redis.call('ZSCORE', workers_key, worker)
if lease and tonumber(lease) > now then return { 'ALIVE' } end -- guard
local job = read_job()
local value = job and job.live and redis.call('HGET', inflight_key, field) -- guard: job.live
local flight = value and read_flight(value)
if not flight or flight.entry ~= entry or flight.delayed then -- guard
  settle({ entry })
  return { 'STALE' }
end

local most = attempts_of(job, field)
local reply
-- The record that kills its worker each time is given up, and the task goes on without it.
local skips = job.skip_most and record ~= '' and flight.attempt >= most
if skips then skip(job, field .. ':' .. record, error) end
skips = skips and not too_many_skipped(job, false)
local spared = skips or (blame == 'unknown' and alone == '0' and flight.crashes == 0) -- guard: flight.crashes == 0
if blame == 'idle' then
  requeue(field, flight)
  reply = { 'REQUEUED', flight.attempt }
elseif flight.attempt >= most and not spared then -- guard: not spared
  job.timed_out = job.timed_out + timed_out
  bury(job, field, flight, error, summary)
  reply = { 'DEAD' }
else
  emit('retry', 'task', field, 'attempt', flight.attempt, 'delay_ms', 0, 'error', summary)
  flight.attempt = math.min(flight.attempt + 1, most)
  flight.crashes = flight.crashes + 1
  job.retried = job.retried + 1
  requeue(field, flight)
  reply = { 'REQUEUED', flight.attempt }
end
if job.live then feed(job, live_workers(now), now) end -- guard: job.live
write_counts(job)
settle({ entry })
return reply
