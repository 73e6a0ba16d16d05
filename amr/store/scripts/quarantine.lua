-- quarantine: an entry that is not ours to understand leaves the stream and is kept for people.
-- Moves:   nothing: the records of tasks are not touched
-- KEYS:    stream quarantine
-- ARGV:    entry reason fields...
-- Returns: OK
-- Again:   the entry is kept once more; nothing else changes.
-- Include: settle

local KEPT_MOST = 64 -- names and values of an entry that are kept
local KEPT_BYTES = 4096 -- of each of them

local row = {}
for at = fields, math.min(#ARGV, fields + KEPT_MOST - 1) do
  row[#row + 1] = string.sub(ARGV[at], 1, KEPT_BYTES)
end
redis.call('XADD', quarantine_key, 'MAXLEN', '~', 1000, '*', 'entry', entry, 'reason', reason,
  unpack(row))
settle({ entry })
return { 'OK' }
