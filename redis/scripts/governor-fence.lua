-- Prelude of every script of the governor: whether its holds can be trusted (rule R6).
-- KEYS[1] meta: a hash of `runId`, the run of Redis as a primary that the holds are of, and `rebuiltAt`; while
-- they are rebuilt `rebuilding`, a token of the attempt, and `rebuildingRun`, the run it is for.

-- Another run of Redis may have lost the last grants, and so may one that was a replica in between,
-- which its replication id tells; a flushed one has no meta at all.
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  .. '/'
  .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local is_open = redis.call('HGET', KEYS[1], 'runId') == run_id

-- Whether the rebuild of this token is the one that goes on, in the run that it began in.
local function is_rebuilding(token)
  local there = redis.call('HMGET', KEYS[1], 'rebuilding', 'rebuildingRun')
  return there[1] == token and there[2] == run_id
end
