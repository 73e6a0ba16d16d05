-- retire: a worker that is gone and holds nothing is forgotten.
-- Moves:   nothing: the records of tasks are not touched
-- KEYS:    stream workers
-- ARGV:    worker
-- Returns: OK | ALIVE | HOLDS
-- Again:   OK.
-- Include: clock

-- Deleting a consumer loses what is pending for it: only one that holds nothing may go.
local lease = redis.call('ZSCORE', workers_key, worker)
if lease and tonumber(lease) > now_ms() then return { 'ALIVE' } end -- guard
if #redis.call('XPENDING', stream_key, 'amr', '-', '+', 1, worker) > 0 then return { 'HOLDS' } end -- guard
redis.call('XGROUP', 'DELCONSUMER', stream_key, 'amr', worker)
redis.call('ZREM', workers_key, worker)
return { 'OK' }
