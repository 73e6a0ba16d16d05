-- settle: takes entries off the stream for good: acknowledged and deleted together.
-- KEYS:    stream
-- Include:

local function settle(entries)
  if #entries == 0 then return end -- guard
  redis.call('XACK', stream_key, 'amr', unpack(entries))
  redis.call('XDEL', stream_key, unpack(entries))
end
