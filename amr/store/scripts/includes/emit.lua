-- emit: adds one line to the job's events.
-- KEYS:    events
-- Include:

-- Takes the kind of the event and then its fields, as name and value in turn. Events are for people:
-- where they cannot be written, the transition goes on and does not stop half-way.
local function emit(kind, ...)
  redis.pcall('XADD', events_key, 'MAXLEN', '~', 10000, '*', 'kind', kind, ...)
end
