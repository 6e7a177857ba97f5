-- Keeps a task, once per key, and queues its jobs, of many the first (the others by task-queue.lua); a task with no job left to run finishes at once.
-- One that was here before Redis lost it, or comes after its own notAfter and may have been (rule R6),
-- has jobs that may have been sent: they count as sent, because only agents know what ran.
-- A task that its own jobs have told of (task-recreate.lua) becomes whole, in this step: what they told stays.
-- Preludes: task-ending, task-rows.
-- ARGV[3] idempotency key  ARGV[4] digest of the body  ARGV[5] body, JSON  ARGV[6] agent ids, commas between  ARGV[7] how many they are
-- ARGV[8] notAfter  ARGV[9] deadline  ARGV[10] callback url or ''  ARGV[11] reference or ''  ARGV[12] output bytes a job
-- ARGV[13] '1' if the submitter knows that it was here before
-- ARGV[14] row of a job that was sent (JSON)  ARGV[15] of one that queues  ARGV[16] of one that nothing will run  ARGV[17] the agent ids of those, commas between  ARGV[18] how many are queued here at most
-- Returns {'created' or 'same', when it was created (Unix ms), how many are queued or '' for all} or {'conflict'}; the last two change nothing.
local digest = redis.call('HGET', KEYS[1], 'digest')
if digest == ARGV[4] then
  return { 'same', redis.call('HGET', KEYS[1], 'createdAt'), redis.call('HGET', KEYS[1], 'queued') or '' }
end
if digest then return { 'conflict' } end
local size = tonumber(ARGV[7])
local queued = math.min(size, tonumber(ARGV[18]))
local told, cancel = {}, false
if redis.call('HEXISTS', KEYS[1], 'partial') == 1 then
  local rows = redis.call('HGETALL', KEYS[2])
  for at = 1, #rows, 2 do told[rows[at]] = rows[at + 1] end
  cancel = redis.call('HGET', KEYS[1], 'cancel')
  redis.call('DEL', KEYS[1], KEYS[2])
  queued = size
end

local is_again = ARGV[13] == '1' or tonumber(now) > tonumber(ARGV[8])
local sent_until = is_again and ARGV[9] or ARGV[8]
local queued_row = is_again and ARGV[14] or ARGV[15]
redis.call('HSET', KEYS[1],
  'key', ARGV[3], 'digest', ARGV[4], 'body', ARGV[5], 'agents', ARGV[6], 'size', size,
  'state', 'open', 'createdAt', now, 'notAfter', sent_until, 'deadline', ARGV[9],
  'callbackUrl', ARGV[10], 'reference', ARGV[11], 'outputBytes', ARGV[12], 'remaining', size)
if cancel then redis.call('HSET', KEYS[1], 'cancel', cancel) end
if queued < size then
  redis.call('HSET', KEYS[1], 'queued', queued, 'queuedRow', queued_row, 'over', ARGV[17])
end
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[9], 'report:' .. ARGV[1])
if not is_again then redis.call('ZADD', KEYS[4], ARGV[8], 'queue:' .. ARGV[1]) end

local _, over = ids_of(ARGV[17], size)
keep_rows(ids_of(ARGV[6], queued), 1, queued, now, function(agent_id)
  return told[agent_id] or (over[agent_id] and ARGV[16]) or queued_row
end)
return { 'created', now, queued < size and tostring(queued) or '' }
