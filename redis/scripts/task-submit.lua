-- Keeps a task, once per key, and queues its jobs; a task with no job left to run finishes at once.
-- One that comes after its own notAfter may have been here before Redis lost it (rule R6): its jobs
-- are sent until the deadline, because agents know what ran, and start nothing that late.
-- A task that its own jobs have told of (task-recreate.lua) becomes whole: what they told stays.
-- Prelude: task-ending. KEYS[6..] the pending queue of each target
-- ARGV[4] idempotency key  ARGV[5] digest of the body  ARGV[6] body, JSON  ARGV[7] agent ids, commas between
-- ARGV[8] notAfter  ARGV[9] deadline  ARGV[10] callback url or ''  ARGV[11] reference or ''  ARGV[12] output bytes a job
-- ARGV[13..] per target: agent id, row (JSON of its report; final if nothing will run)
-- Returns {'created' or 'same', when it was created (Unix ms)} or {'conflict'}; the last two change nothing.
local digest = redis.call('HGET', KEYS[1], 'digest')
if digest == ARGV[5] then return { 'same', redis.call('HGET', KEYS[1], 'createdAt') } end
if digest then return { 'conflict' } end
local told = {}
if redis.call('HEXISTS', KEYS[1], 'partial') == 1 then
  local rows = redis.call('HGETALL', KEYS[2])
  for at = 1, #rows, 2 do told[rows[at]] = rows[at + 1] end
  redis.call('DEL', KEYS[1], KEYS[2])
end

local size = (#ARGV - 12) / 2
local is_again = tonumber(ARGV[2]) > tonumber(ARGV[8])
local sent_until = is_again and ARGV[9] or ARGV[8]
redis.call('HSET', KEYS[1],
  'key', ARGV[4], 'digest', ARGV[5], 'body', ARGV[6], 'agents', ARGV[7], 'size', size,
  'state', 'open', 'createdAt', ARGV[2], 'notAfter', sent_until, 'deadline', ARGV[9],
  'callbackUrl', ARGV[10], 'reference', ARGV[11], 'outputBytes', ARGV[12], 'remaining', size)
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[9], 'report:' .. ARGV[1])
if not is_again then redis.call('ZADD', KEYS[4], ARGV[8], 'queue:' .. ARGV[1]) end

local ended = 0
for at = 1, size do
  local agent_id = ARGV[11 + 2 * at]
  local row = told[agent_id] or ARGV[12 + 2 * at]
  redis.call('HSET', KEYS[2], agent_id, row)
  if rank_of(row) == final then
    ended = ended + 1
  else
    redis.call('ZADD', KEYS[5 + at], ARGV[2], ARGV[1] .. '.' .. agent_id)
  end
end
count_ended(ended)
return { 'created', ARGV[2] }
