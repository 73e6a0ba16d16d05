-- delivery: how far the consumer group has read the stream.
-- KEYS:    stream
-- Include:

local function last_delivered()
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream_key)) do
    local facts = {}
    for at = 1, #group, 2 do facts[group[at]] = group[at + 1] end
    if facts['name'] == 'amr' then
      local ms, seq = string.match(facts['last-delivered-id'], '^(%d+)-(%d+)$')
      return tonumber(ms), tonumber(seq)
    end
  end
  return 0, 0
end
