-- Makes a task again from one of its jobs, as far as that job tells of it (rule R6): places of which
-- no job has told are open. The whole task comes when its submit is repeated, see task-submit.lua.
-- Prelude: task-ending. KEYS[6] the pending queue of the job's agent
-- ARGV[4] idempotency key  ARGV[5] size  ARGV[6] the job's place  ARGV[7] agent id  ARGV[8] its row (JSON)
-- ARGV[9] notAfter  ARGV[10] deadline  ARGV[11] callback url or ''  ARGV[12] reference or ''  ARGV[13] output bytes a job
-- Returns 'known' if the task or the job is there, else 'made'.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1],
    'key', ARGV[4], 'size', ARGV[5], 'partial', 1, 'state', 'open', 'createdAt', ARGV[2],
    'notAfter', ARGV[9], 'deadline', ARGV[10], 'callbackUrl', ARGV[11], 'reference', ARGV[12],
    'outputBytes', ARGV[13], 'remaining', ARGV[5])
  redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
  redis.call('ZADD', KEYS[4], ARGV[10], 'report:' .. ARGV[1])
elseif redis.call('HEXISTS', KEYS[1], 'partial') == 0 or redis.call('HGET', KEYS[1], 'state') ~= 'open' then
  return 'known'
end
if redis.call('HSETNX', KEYS[2], ARGV[7], ARGV[8]) == 0 then return 'known' end
redis.call('HSET', KEYS[1], 'at:' .. ARGV[6], ARGV[7])
redis.call('ZADD', KEYS[6], ARGV[2], ARGV[1] .. '.' .. ARGV[7])
return 'made'
