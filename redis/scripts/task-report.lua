-- Moves jobs of one task forward, never back; a final state stays (design 5.4).
-- Prelude: task-ending. KEYS[6] owners of agents' sessions  KEYS[7..] the pending queue of each job's agent
-- ARGV[3] 'any', or 'queued': only what still queues
-- ARGV[4..] per job: agent id, row (JSON of its report), id of the session that reports it or ''
-- Returns one word per job: 'applied', 'late' (nothing changed; also of a place that was given up), 'foreign' (no such job), 'gone' (no such task,
-- or one of which only other jobs have told again, see task-recreate.lua, or are queued again, see task-queue.lua),
-- 'replaced' (the agent has a newer session: what an older one refuses, the newer may have started).
local head = redis.call('HMGET', KEYS[1], 'state', 'partial', 'queued')
local known = head[1]
-- Of a job that has no row.
local unknown_word = 'foreign'
if head[2] or head[3] then unknown_word = known == 'finished' and 'late' or 'gone' end

-- Read and written for all jobs at once: a call for each of ten thousand is most of what they cost.
local agents = {}
for at = 1, (#ARGV - 3) / 3 do agents[at] = ARGV[1 + 3 * at] end
local owners = redis.call('HMGET', KEYS[6], unpack(agents))
-- By agent, because a job may be told of twice: what the second word meets is what the first one left.
local rows = {}
for at, row in ipairs(redis.call('HMGET', KEYS[2], unpack(agents))) do rows[agents[at]] = known and row end

local function is_replaced(owner, session_id)
  return session_id ~= '' and owner and string.sub(owner, 1, #session_id + 1) ~= session_id .. ' '
end

local words, marks, over = {}, {}, {}
for at, agent_id in ipairs(agents) do
  local row, before = ARGV[2 + 3 * at], rows[agent_id]
  if is_replaced(owners[at], ARGV[3 + 3 * at]) then
    words[at] = 'replaced'
  elseif not known then
    words[at] = 'gone'
  elseif not before then
    words[at] = unknown_word
  else
    local from, to = rank_of(before), rank_of(row)
    if from >= to or (ARGV[3] == 'queued' and from > 0) then
      words[at] = 'late'
    else
      rows[agent_id] = row
      marks[#marks + 1] = agent_id
      marks[#marks + 1] = row
      words[at] = 'applied'
      if to == final then over[#over + 1] = at end
    end
  end
end
-- First what a full Redis refuses: after any other write it would be let through.
if #marks > 0 then redis.call('HSET', KEYS[2], unpack(marks)) end
for _, at in ipairs(over) do leave_queue(KEYS[6 + at], agents[at]) end
count_ended(#over)
return words
