-- forward: retries whose time has come go back to the stream; so do tasks that a rate held back.
-- Moves:   delayed (in flight) -> in flight with a new entry; waiting -> in flight
-- KEYS:    stream job inflight delayed
-- ARGV:    fields...
-- Returns: OK forwarded
-- Again:   a task that is not delayed any more, or again for a later time, is left alone.
-- Include: job requeue feed

if #ARGV == 0 then return { 'OK', 0 } end
local names, members, feeds = {}, {}, false
for at = fields, #ARGV do
  if ARGV[at] == 'feed' then
    feeds = true
    redis.call('ZREM', delayed_key, JOB_ID .. ' feed')
  else
    names[#names + 1] = ARGV[at]
    members[#members + 1] = JOB_ID .. ' ' .. ARGV[at]
  end
end
local job = read_job()
-- What has ended needs no retry; what is paused gets a new time when it is resumed.
if not job or not job.live or job.paused then -- guard
  if #members > 0 then redis.call('ZREM', delayed_key, unpack(members)) end
  return { 'OK', 0 }
end

local now = now_ms()
local begun, forwarded = 0, 0

-- Sends those back that are due and find a place, and puts the others behind those of other jobs.
local function place()
  local flights = redis.call('HMGET', inflight_key, unpack(names))
  local due_at = redis.call('ZMSCORE', delayed_key, unpack(members))
  local by_rate = allowed_by_rate(job, #names, now)
  local placed, owed = {}, {}
  for position, field in ipairs(names) do
    local flight = flights[position] and read_flight(flights[position])
    local is_due = due_at[position] and tonumber(due_at[position]) <= now
    local is_map = tonumber(field) ~= nil
    if not flight or not flight.delayed then -- guard
      placed[#placed + 1] = members[position]
    elseif is_due and is_map and (begun >= by_rate
      or in_window(job) >= job.concurrency) then
      owed[#owed + 1] = math.max(now, begun >= by_rate and math.ceil(job.rate_at) or 0)
      owed[#owed + 1] = members[position]
    elseif is_due then -- guard: is_due
      requeue(field, flight)
      placed[#placed + 1] = members[position]
      job.delayed = job.delayed - 1
      forwarded = forwarded + 1
      if is_map then begun = begun + 1 end
    end
  end
  if #placed > 0 then redis.call('ZREM', delayed_key, unpack(placed)) end
  if #owed > 0 then redis.call('ZADD', delayed_key, unpack(owed)) end
  begin_by_rate(job, begun)
  -- Places in the window that the next feed leaves to the retries that found none now.
  job.owed = #owed / 2
end

if #names > 0 then place() end
if feeds then feed(job, live_workers(now), now) end
write_counts(job)
return { 'OK', forwarded }
