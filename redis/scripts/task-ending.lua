-- Prelude of every script that may end a job: what follows when one is over (rule R5).
-- Such a script has KEYS[1] task hash, KEYS[2] jobs hash, KEYS[3] open tasks, KEYS[4] deadlines,
-- KEYS[5] callback outbox, and ARGV[1] task id, ARGV[2] ms a finished task is kept. Prelude: redis-time.

local now = unix_ms()

local ranks = { queued = 0, dispatched = 1, acked = 2, running = 3 }
local final = 9

-- Of a row (JSON of a report). Its quotes are escaped inside a text, so that none can look like a state.
-- Remembered: jobs that wait, or were sent, have one row all together.
local known_ranks = {}
local function rank_of(row)
  local rank = known_ranks[row]
  if not rank then
    rank = ranks[string.match(row, '"state":"([a-z_]+)"')] or final
    known_ranks[row] = rank
  end
  return rank
end

-- Takes a final job out of its agent's queue.
local function leave_queue(pending_key, agent_id)
  redis.call('ZREM', pending_key, ARGV[1] .. '.' .. agent_id)
end

-- Counts `ended` jobs; the last one finishes the task and hands its callback to the outbox.
local function count_ended(ended)
  if ended == 0 then return end
  if redis.call('HINCRBY', KEYS[1], 'remaining', -ended) > 0 then return end
  redis.call('HSET', KEYS[1], 'state', 'finished', 'finishedAt', now)
  redis.call('HDEL', KEYS[1], 'body')
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('ZREM', KEYS[4], 'queue:' .. ARGV[1], 'report:' .. ARGV[1])
  local url = redis.call('HGET', KEYS[1], 'callbackUrl')
  if url and url ~= '' then
    redis.call('XADD', KEYS[5], '*', 'taskId', ARGV[1])
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
