-- confirm: a write for WAIT and WAITAOF to wait for: whoever has it has all that came before it.
-- Moves:   nothing: it marks the job's record
-- KEYS:    job
-- ARGV:
-- Returns: OK state | GONE
-- Again:   the same, and the mark is written anew: a second wait needs a write of its own.
-- Include: clock

local state = redis.call('HGET', job_key, 'state')
if not state then return { 'GONE' } end -- guard
redis.call('HSET', job_key, 'confirmed', now_ms())
return { 'OK', state }
