-- release: tasks that a worker took and did not start go back, the attempt unchanged.
-- Moves:   in flight -> in flight, with a new entry for another worker
-- KEYS:    stream job inflight
-- ARGV:    tasks...
-- Returns: OK released
-- Again:   the task has another entry by then: the old one is settled and nothing else changes.
-- Include: job settle requeue

-- `tasks` are the field in the inflight hash and the entry, in turn.
local job = read_job()
local released, entries = 0, {}
for at = tasks, #ARGV, 2 do
  local field, entry = ARGV[at], ARGV[at + 1]
  local value = job and job.live and redis.call('HGET', inflight_key, field)
  local flight = value and read_flight(value)
  if flight and flight.entry == entry and not flight.delayed then
    requeue(field, flight)
    released = released + 1
  end
  entries[#entries + 1] = entry
end
settle(entries)
return { 'OK', released }
