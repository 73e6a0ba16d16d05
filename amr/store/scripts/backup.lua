-- backup: stragglers at the end of a stage get a second entry, so that an idle worker runs them too.
-- Moves:   in flight -> in flight with another entry beside the one it has
-- KEYS:    stream job inflight inputs
-- ARGV:    least_ms
-- Returns: OK begun | GONE
-- Again:   a task whose older entry is still in a worker's hands gets no third one.
-- Include: job emit requeue delivery

local SLOWER_THAN = 3 -- times the 95th percentile of the stage's tasks, in which a straggler has not ended
local LOOKED_AT = 200 -- tasks in flight of which stragglers are picked

local job = read_job()
if not job or not job.live then return { 'GONE' } end -- guard
if job.backup == '0' or job.paused or not job.p95_us then return { 'OK', 0 } end -- guard
-- While tasks wait for a worker, no worker is idle.
if job.state == 'mapping' and job.fed < job.total then return { 'OK', 0 } end -- guard
local last_ms, last_seq = last_delivered()
local behind = string.format('(%.0f-%.0f', last_ms, last_seq)
local waiting = redis.call('XRANGE', stream_key, behind, '+', 'COUNT', 1)
if #waiting > 0 then return { 'OK', 0 } end -- guard

local slow_ms = math.max(tonumber(least_ms), SLOWER_THAN * job.p95_us / 1000)

-- For how long a worker has an entry in its hands; nil when none has.
local function held_ms(entry)
  local row = redis.call('XPENDING', stream_key, 'amr', entry, entry, 1)[1]
  return row and row[3]
end

local function is_backed_up(flight)
  for older in string.gmatch(flight.older, '%S+') do
    if held_ms(older) then return true end
  end
  return false
end

-- The failure of a backup counts as the task's own: on its last attempt a task is left alone. One
-- that may skip records does so on its last attempt, which the backup would take itself to be on.
local kept = job.skip_most and 1 or 0

local begun = 0
local page = redis.call('HSCAN', inflight_key, 0, 'COUNT', LOOKED_AT)[2]
for at = 1, #page, 2 do
  local field, flight = page[at], read_flight(page[at + 1])
  local may_fail = flight.attempt < attempts_of(job, field) - kept and field ~= 'source'
  local held = may_fail and not flight.delayed and held_ms(flight.entry) -- guard: may_fail
  if held and held >= slow_ms and not is_backed_up(flight) then -- guard: not is_backed_up(flight)
    -- The function sees another attempt; none of those that the task has is used up.
    flight.attempt = flight.attempt + 1
    requeue(field, flight)
    flight.attempt = flight.attempt - 1
    redis.call('HSET', inflight_key, field, write_flight(flight))
    emit('backup', 'task', field, 'running_ms', held)
    begun = begun + 1
  end
end
if begun > 0 then redis.call('HINCRBY', job_key, 'backups', begun) end
return { 'OK', begun }
