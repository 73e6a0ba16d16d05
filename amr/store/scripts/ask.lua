-- ask: a task that makes the inputs is put on the stream, where a function is their source.
-- Moves:   nothing: no map task is there yet
-- KEYS:    job inflight
-- ARGV:
-- Returns: OK | GONE
-- Again:   OK, and nothing changes.
-- Include: job requeue

local job = read_job()
if not job or not job.live then return { 'GONE' } end -- guard
if job.total or redis.call('HEXISTS', inflight_key, 'source') == 1 then return { 'OK' } end -- guard
requeue('source', new_flight())
return { 'OK' }
