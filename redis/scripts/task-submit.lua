-- Keeps a task, once per key, and queues its jobs, of many the first (the others by task-queue.lua); a task with no job left to run finishes at once.
-- One that was here before Redis lost it, or comes after its own notAfter and may have been (rule R6),
-- has jobs that may have been sent: they count as sent, because only agents know what ran.
-- A task that its own jobs have told of (task-recreate.lua) becomes whole: what they told stays.
-- Prelude: task-ending. KEYS[6] the pending queue of an agent, with * for its id: those of 20,000 are 20,000 keys less to send
-- ARGV[3] idempotency key  ARGV[4] digest of the body  ARGV[5] body, JSON  ARGV[6] agent ids, commas between  ARGV[16] how many  ARGV[17] how many of them are queued here
-- ARGV[7] notAfter  ARGV[8] deadline  ARGV[9] callback url or ''  ARGV[10] reference or ''  ARGV[11] output bytes a job
-- ARGV[12] '1' if the submitter knows that it was here before
-- ARGV[13] row of a job that was sent (JSON)  ARGV[14] of one that queues  ARGV[15] of one that nothing will run
-- ARGV[18..] the agent ids of those
-- Returns {'created' or 'same', when it was created (Unix ms), how many are queued or '' for all} or {'conflict'}; the last two change nothing.
local digest = redis.call('HGET', KEYS[1], 'digest')
if digest == ARGV[4] then
  return { 'same', redis.call('HGET', KEYS[1], 'createdAt'), redis.call('HGET', KEYS[1], 'queued') or '' }
end
if digest then return { 'conflict' } end
local told, cancel = {}, false
if redis.call('HEXISTS', KEYS[1], 'partial') == 1 then
  local rows = redis.call('HGETALL', KEYS[2])
  for at = 1, #rows, 2 do told[rows[at]] = rows[at + 1] end
  cancel = redis.call('HGET', KEYS[1], 'cancel')
  redis.call('DEL', KEYS[1], KEYS[2])
end

local size = tonumber(ARGV[16])
local is_again = ARGV[12] == '1' or tonumber(now) > tonumber(ARGV[7])
local sent_until = is_again and ARGV[8] or ARGV[7]
redis.call('HSET', KEYS[1],
  'key', ARGV[3], 'digest', ARGV[4], 'body', ARGV[5], 'agents', ARGV[6], 'size', size,
  'state', 'open', 'createdAt', now, 'notAfter', sent_until, 'deadline', ARGV[8],
  'callbackUrl', ARGV[9], 'reference', ARGV[10], 'outputBytes', ARGV[11], 'remaining', size)
if cancel then redis.call('HSET', KEYS[1], 'cancel', cancel) end
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[8], 'report:' .. ARGV[1])
if not is_again then redis.call('ZADD', KEYS[4], ARGV[7], 'queue:' .. ARGV[1]) end

local over = {}
for at = 18, #ARGV do over[ARGV[at]] = true end
local queued_row = is_again and ARGV[13] or ARGV[14]
local before, after = string.match(KEYS[6], '^(.*)%*(.*)$')
local queued = tonumber(ARGV[17])
local ended, at, marks = 0, 0, {}
for agent_id in string.gmatch(ARGV[6], '[^,]+') do
  at = at + 1
  local row = told[agent_id] or (over[agent_id] and ARGV[15]) or queued_row
  marks[#marks + 1] = agent_id
  marks[#marks + 1] = row
  -- In pieces: Lua hands over some thousand values at once, and a target is two.
  if #marks == 1000 or at == size then
    redis.call('HSET', KEYS[2], unpack(marks))
    marks = {}
  end
  if rank_of(row) == final then
    ended = ended + 1
  elseif at <= queued then
    redis.call('ZADD', before .. agent_id .. after, now, ARGV[1] .. '.' .. agent_id)
  end
end
if queued < size then redis.call('HSET', KEYS[1], 'queued', queued) end
count_ended(ended)
return { 'created', now, queued < size and ARGV[17] or '' }
