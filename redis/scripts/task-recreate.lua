-- Makes a task again from one of its jobs, as far as that job tells of it (rule R6): places of which
-- no job has told are open. The whole task comes when its submit is repeated, see task-submit.lua.
-- Prelude: task-ending. KEYS[6] the pending queue of the job's agent
-- ARGV[3] idempotency key  ARGV[4] size  ARGV[5] the job's place  ARGV[6] agent id  ARGV[7] its row (JSON)
-- ARGV[8] notAfter  ARGV[9] when the job has ended at the latest (Unix ms)  ARGV[10] callback url or ''  ARGV[11] reference or ''  ARGV[12] output bytes a job
-- ARGV[13] ms that what has not reported is waited for after that, and after now
-- Returns why the task was cancelled, or '': the wish may be older than the job's word.
if redis.call('EXISTS', KEYS[1]) == 0 then
  local deadline = string.format('%d', math.max(tonumber(now), tonumber(ARGV[9])) + tonumber(ARGV[13]))
  redis.call('HSET', KEYS[1],
    'key', ARGV[3], 'size', ARGV[4], 'partial', 1, 'state', 'open', 'createdAt', now,
    'notAfter', ARGV[8], 'deadline', deadline, 'callbackUrl', ARGV[10], 'reference', ARGV[11],
    'outputBytes', ARGV[12], 'remaining', ARGV[4])
  redis.call('ZADD', KEYS[3], now, ARGV[1])
  redis.call('ZADD', KEYS[4], deadline, 'report:' .. ARGV[1])
elseif redis.call('HEXISTS', KEYS[1], 'partial') == 0 or redis.call('HGET', KEYS[1], 'state') ~= 'open' then
  return redis.call('HGET', KEYS[1], 'cancel') or ''
end
if redis.call('HSETNX', KEYS[2], ARGV[6], ARGV[7]) == 1 then
  redis.call('HSET', KEYS[1], 'at:' .. ARGV[5], ARGV[6])
  redis.call('ZADD', KEYS[6], now, ARGV[1] .. '.' .. ARGV[6])
end
return redis.call('HGET', KEYS[1], 'cancel') or ''
