-- tree: once all children of a node have an outcome, a task merges them, while others still run.
-- KEYS:    inflight delayed tree partials
-- Include: job requeue

-- Nodes of level 1 have map tasks as children, those of each level above it nodes of the one below.
-- A node's number is its position among those of its level, and the level.
local LEVELS = 32

local function node_at(level, at)
  return at * LEVELS + level
end

-- So many more children of a node have an outcome. The caller writes the counts.
local function settle_children(job, level, at, count)
  local node = node_at(level, at)
  if redis.call('HINCRBY', tree_key, node, count) < job.branches then return end -- guard
  job.merging = job.merging + 1
  requeue(merge_field(node), new_flight())
end

-- A map task runs again after all: what was merged of it is to be merged anew.
local function unsettle(job, index)
  local at = index
  for level = 1, LEVELS - 1 do
    at = math.floor(at / job.branches)
    local node = node_at(level, at)
    if redis.call('HDEL', partials_key, node) == 1 then
      redis.call('HSET', tree_key, node, job.branches - 1)
      job.merged = job.merged - 1
    else
      local field = merge_field(node)
      local value = redis.call('HGET', inflight_key, field)
      if value then
        job.merging = job.merging - 1
        redis.call('HDEL', inflight_key, field)
        if read_flight(value).delayed then
          job.delayed = job.delayed - 1
          redis.call('ZREM', delayed_key, JOB_ID .. ' ' .. field)
        end
      end
      redis.call('HINCRBY', tree_key, node, -1)
      return
    end
  end
end
