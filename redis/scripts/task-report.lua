-- Moves jobs of one task forward, never back; a final state stays (design 5.4).
-- Prelude: task-ending. KEYS[6] owners of agents' sessions  KEYS[7..] the pending queue of each job's agent
-- ARGV[3] 'any', or 'queued': only what still queues
-- ARGV[4..] per job: agent id, row (JSON of its report), id of the session that reports it or ''
-- Returns one word per job: 'applied', 'late' (nothing changed), 'foreign' (no such job), 'gone' (no such task,
-- or one of which only other jobs have told again, see task-recreate.lua),
-- 'replaced' (the agent has a newer session: what an older one refuses, the newer may have started).
local words = {}
local ended = 0
local known = redis.call('EXISTS', KEYS[1]) == 1
local is_partial = redis.call('HEXISTS', KEYS[1], 'partial') == 1

local function is_replaced(agent_id, session_id)
  if session_id == '' then return false end
  local owner = redis.call('HGET', KEYS[6], agent_id)
  return owner and string.sub(owner, 1, #session_id + 1) ~= session_id .. ' '
end

for at = 1, (#ARGV - 3) / 3 do
  local agent_id, row = ARGV[1 + 3 * at], ARGV[2 + 3 * at]
  local before = known and redis.call('HGET', KEYS[2], agent_id)
  if is_replaced(agent_id, ARGV[3 + 3 * at]) then
    words[at] = 'replaced'
  elseif not known then
    words[at] = 'gone'
  elseif not before then
    words[at] = is_partial and 'gone' or 'foreign'
  else
    local from, to = rank_of(before), rank_of(row)
    if from >= to or (ARGV[3] == 'queued' and from > 0) then
      words[at] = 'late'
    else
      redis.call('HSET', KEYS[2], agent_id, row)
      words[at] = 'applied'
      if to == final then
        leave_queue(KEYS[6 + at], agent_id)
        ended = ended + 1
      end
    end
  end
end
count_ended(ended)
return words
