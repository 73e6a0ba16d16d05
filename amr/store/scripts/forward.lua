-- forward: retries whose time has come go back to the stream.
-- Moves:   delayed (in flight) -> in flight with a new entry
-- KEYS:    stream job inflight delayed
-- ARGV:    fields...
-- Returns: OK forwarded
-- Again:   a task that is not delayed any more, or again for a later time, is left alone.
-- Include: job requeue

if #ARGV == 0 then return { 'OK', 0 } end
local names, members = {}, {}
for at = fields, #ARGV do
  names[#names + 1] = ARGV[at]
  members[#members + 1] = JOB_ID .. ' ' .. ARGV[at]
end
if #names == 0 then return { 'OK', 0 } end
local job = read_job()
if not job or not job.live then
  redis.call('ZREM', delayed_key, unpack(members))
  return { 'OK', 0 }
end

local now = now_ms()
local flights = redis.call('HMGET', inflight_key, unpack(names))
local due_at = redis.call('ZMSCORE', delayed_key, unpack(members))
local placed, owed, forwarded = {}, {}, 0
for position, field in ipairs(names) do
  local flight = flights[position] and read_flight(flights[position])
  local is_due = due_at[position] and tonumber(due_at[position]) <= now
  if not flight or not flight.delayed then
    placed[#placed + 1] = members[position]
  elseif is_due and field ~= 'reduce'
    and job.fed - job.done - job.failed - job.delayed >= job.concurrency then
    owed[#owed + 1] = now
    owed[#owed + 1] = members[position]
  elseif is_due then
    requeue(field, flight)
    placed[#placed + 1] = members[position]
    job.delayed = job.delayed - 1
    forwarded = forwarded + 1
  end
end

if #placed > 0 then redis.call('ZREM', delayed_key, unpack(placed)) end
-- Behind the retries of other jobs, so that one that is full does not hold them up.
if #owed > 0 then redis.call('ZADD', delayed_key, unpack(owed)) end
-- Places in the window that the next feed leaves to the retries that found none now.
redis.call('HSET', job_key, 'delayed', job.delayed, 'owed', #owed / 2)
return { 'OK', forwarded }
