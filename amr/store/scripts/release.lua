-- release: tasks that a worker took and did not start go back, the attempt unchanged.
-- Moves:   in flight -> in flight, with a new entry for another worker; without one in a paused job
-- KEYS:    stream job inflight
-- ARGV:    tasks...
-- Returns: OK released
-- Again:   the task has another entry by then: the old one is settled and nothing else changes.
-- Include: job settle requeue

-- A task of a paused job waits like one for its retry, but for no time: resume gives it one.
local function hold(job, field, flight)
  flight.delayed = true
  job.delayed = job.delayed + 1
  redis.call('HSET', inflight_key, field, write_flight(flight))
end

-- `tasks` are the field in the inflight hash and the entry, in turn.
local job = read_job()
local released, entries = 0, {}
for at = tasks, #ARGV, 2 do
  local field, entry = ARGV[at], ARGV[at + 1]
  local value = job and job.live and redis.call('HGET', inflight_key, field) -- guard: job.live
  local flight = value and read_flight(value)
  if flight and flight.entry == entry and not flight.delayed then -- guard: flight.entry == entry
    if job.paused then hold(job, field, flight) else requeue(field, flight) end
    released = released + 1
  end
  entries[#entries + 1] = entry
end
if job then redis.call('HSET', job_key, 'delayed', job.delayed) end
settle(entries)
return { 'OK', released }
