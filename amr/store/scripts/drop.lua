-- drop: entries that no task stands behind leave the stream.
-- Moves:   nothing: the records of tasks are not touched
-- KEYS:    stream
-- ARGV:    entries...
-- Returns: OK
-- Again:   nothing is left to drop.
-- Include: settle

local dropped = {}
for at = entries, #ARGV do dropped[#dropped + 1] = ARGV[at] end
settle(dropped)
return { 'OK' }
