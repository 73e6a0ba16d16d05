-- sweep: tasks in flight whose entry is lost get a new one, and a job that waits is fed.
-- Moves:   in flight -> in flight with a new entry; waiting -> in flight;
--          mapping -> reducing or succeeded when a redrive stopped half-way
-- KEYS:    stream job inflight delayed workers
-- ARGV:    cursor older_ms
-- Returns: OK cursor requeued | GONE
-- Again:   a task that has an entry is left alone.
-- Include: job emit feed requeue settle complete delivery

local job = read_job()
if not job or not job.live then return { 'GONE' } end -- guard
local now = now_ms()

local last_ms, last_seq = last_delivered()

-- An entry is good while it is still to be delivered, or is pending for a worker.
local function is_lost(field, flight)
  if field == 'source' and redis.call('HEXISTS', job_key, 'after') == 1 then
    return false -- it waits for the end of another job, and is told of it
  end
  if flight.delayed then
    -- One of a paused job has no time: it waits for its job.
    return not job.paused and not redis.call('ZSCORE', delayed_key, JOB_ID .. ' ' .. field) -- guard: not job.paused
  end
  local ms, seq = string.match(flight.entry, '^(%d+)-(%d+)$')
  ms, seq = tonumber(ms), tonumber(seq)
  local age = now - ms -- below 0 when the clock was set back, or a stranger wrote a later id
  if age >= 0 and age < tonumber(older_ms) then return false end -- guard
  if #redis.call('XRANGE', stream_key, flight.entry, flight.entry) == 0 then return true end
  if ms > last_ms or (ms == last_ms and seq > last_seq) then return false end -- guard
  return #redis.call('XPENDING', stream_key, 'amr', flight.entry, flight.entry, 1) == 0
end

local page = redis.call('HSCAN', inflight_key, cursor, 'COUNT', 200)
local requeued = 0
for at = 1, #page[2], 2 do
  local field, flight = page[2][at], read_flight(page[2][at + 1])
  if is_lost(field, flight) then
    if flight.delayed then
      -- It is due now. Only forward knows whether there is a place for it.
      redis.call('ZADD', delayed_key, now, JOB_ID .. ' ' .. field)
    else
      settle({ flight.entry })
      requeue(field, flight)
    end
    requeued = requeued + 1
    emit('swept', 'task', field)
  end
end
feed(job, live_workers(now), now)
write_counts(job)
complete(job)
return { 'OK', page[1], requeued }
