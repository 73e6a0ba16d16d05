-- count: adds to one of the counters of a job's functions.
-- KEYS:    counters
-- Include:

-- An increment that 64 bits do not hold is left out: an error would stop the transition half-way.
local function count(name, increment)
  redis.pcall('HINCRBY', counters_key, name, increment)
end
