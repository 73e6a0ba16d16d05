-- renew: a trigger's heartbeat: the leases of its workers begin anew.
-- Moves:   nothing: the records of tasks are not touched
-- KEYS:    workers triggers
-- ARGV:    trigger facts lease_ms workers...
-- Returns: OK lapsed
-- Again:   the leases begin once more.
-- Include: clock

-- `lapsed` counts the workers whose lease had ended: what they held may have been given to others.
local now = now_ms()
local lapsed = 0
for at = workers, #ARGV do
  local lease = redis.call('ZSCORE', workers_key, ARGV[at])
  if lease and tonumber(lease) <= now then lapsed = lapsed + 1 end
  redis.call('ZADD', workers_key, now + lease_ms, ARGV[at])
end
redis.call('HSET', triggers_key, trigger, now .. ' ' .. facts)
return { 'OK', lapsed }
