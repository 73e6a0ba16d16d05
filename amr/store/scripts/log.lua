-- log: lines that functions printed join the job's log.
-- Moves:   nothing: the records of tasks are not touched
-- KEYS:    job log
-- ARGV:    lines...
-- Returns: OK | GONE
-- Again:   the lines stand twice.
-- Include: job

-- `lines` are stage, index, attempt, time in ms, level and text, in turn.
local job = read_job()
if not job then return { 'GONE' } end -- guard
for at = lines, #ARGV, 6 do
  redis.call('XADD', log_key, 'MAXLEN', '~', 10000, '*', 'stage', ARGV[at], 'index', ARGV[at + 1],
    'attempt', ARGV[at + 2], 'time', ARGV[at + 3], 'level', ARGV[at + 4], 'text', ARGV[at + 5])
end
if not job.live then redis.call('PEXPIRE', log_key, redis.call('PTTL', job_key)) end -- guard: not job.live
return { 'OK' }
