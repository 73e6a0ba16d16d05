-- emit: adds one line to the job's events.
-- KEYS:    events
-- Include:

-- Takes the kind of the event and then its fields, as name and value in turn.
local function emit(kind, ...)
  redis.call('XADD', events_key, 'MAXLEN', '~', 10000, '*', 'kind', kind, ...)
end
