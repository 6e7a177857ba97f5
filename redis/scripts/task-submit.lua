-- Keeps a task, once per key, and queues its jobs; a task with no job left to run finishes at once.
-- One that was here before Redis lost it, or comes after its own notAfter and may have been (rule R6),
-- has jobs that may have been sent: they count as sent, because only agents know what ran.
-- A task that its own jobs have told of (task-recreate.lua) becomes whole: what they told stays.
-- Prelude: task-ending. KEYS[6..] the pending queue of each target
-- ARGV[4] idempotency key  ARGV[5] digest of the body  ARGV[6] body, JSON  ARGV[7] agent ids, commas between
-- ARGV[8] notAfter  ARGV[9] deadline  ARGV[10] callback url or ''  ARGV[11] reference or ''  ARGV[12] output bytes a job
-- ARGV[13] '1' if the submitter knows that it was here before
-- ARGV[14] row of a job that was sent (JSON)
-- ARGV[15..] per target: agent id, row (JSON of its report; final if nothing will run)
-- Returns {'created' or 'same', when it was created (Unix ms)} or {'conflict'}; the last two change nothing.
local digest = redis.call('HGET', KEYS[1], 'digest')
if digest == ARGV[5] then return { 'same', redis.call('HGET', KEYS[1], 'createdAt') } end
if digest then return { 'conflict' } end
local told, cancel = {}, false
if redis.call('HEXISTS', KEYS[1], 'partial') == 1 then
  local rows = redis.call('HGETALL', KEYS[2])
  for at = 1, #rows, 2 do told[rows[at]] = rows[at + 1] end
  cancel = redis.call('HGET', KEYS[1], 'cancel')
  redis.call('DEL', KEYS[1], KEYS[2])
end

local size = (#ARGV - 14) / 2
local is_again = ARGV[13] == '1' or tonumber(ARGV[2]) > tonumber(ARGV[8])
local sent_until = is_again and ARGV[9] or ARGV[8]
redis.call('HSET', KEYS[1],
  'key', ARGV[4], 'digest', ARGV[5], 'body', ARGV[6], 'agents', ARGV[7], 'size', size,
  'state', 'open', 'createdAt', ARGV[2], 'notAfter', sent_until, 'deadline', ARGV[9],
  'callbackUrl', ARGV[10], 'reference', ARGV[11], 'outputBytes', ARGV[12], 'remaining', size)
if cancel then redis.call('HSET', KEYS[1], 'cancel', cancel) end
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[9], 'report:' .. ARGV[1])
if not is_again then redis.call('ZADD', KEYS[4], ARGV[8], 'queue:' .. ARGV[1]) end

local ended = 0
for at = 1, size do
  local agent_id = ARGV[13 + 2 * at]
  local row = told[agent_id] or ARGV[14 + 2 * at]
  if is_again and rank_of(row) == 0 then row = ARGV[14] end
  redis.call('HSET', KEYS[2], agent_id, row)
  if rank_of(row) == final then
    ended = ended + 1
  else
    redis.call('ZADD', KEYS[5 + at], ARGV[2], ARGV[1] .. '.' .. agent_id)
  end
end
count_ended(ended)
return { 'created', ARGV[2] }
