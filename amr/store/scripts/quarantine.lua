-- quarantine: an entry that is not ours to understand leaves the stream and is kept for people.
-- Moves:   nothing: the records of tasks are not touched
-- KEYS:    stream quarantine
-- ARGV:    entry reason fields...
-- Returns: OK
-- Again:   the entry is kept once more; nothing else changes.
-- Include: settle

local row = {}
for at = fields, #ARGV do row[#row + 1] = ARGV[at] end
redis.call('XADD', quarantine_key, 'MAXLEN', '~', 1000, '*', 'entry', entry, 'reason', reason,
  unpack(row))
settle({ entry })
return { 'OK' }
