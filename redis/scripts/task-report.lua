-- Moves jobs of one task forward, never back; a final state stays (design 5.4).
-- Prelude: task-ending. KEYS[6..] the pending queue of each job's agent
-- ARGV[4..] per job: agent id, row (JSON of its report), condition ('any' or 'queued': only if still queued)
-- Returns one word per job: 'applied', 'late' (nothing changed), 'foreign' (no such job), 'gone' (no such task).
local words = {}
local ended = 0
local known = redis.call('EXISTS', KEYS[1]) == 1
for at = 1, (#ARGV - 3) / 3 do
  local agent_id, row, condition = ARGV[1 + 3 * at], ARGV[2 + 3 * at], ARGV[3 + 3 * at]
  local before = known and redis.call('HGET', KEYS[2], agent_id)
  if not known then
    words[at] = 'gone'
  elseif not before then
    words[at] = 'foreign'
  else
    local from, to = rank_of(before), rank_of(row)
    if from >= to or (condition == 'queued' and from > 0) then
      words[at] = 'late'
    else
      redis.call('HSET', KEYS[2], agent_id, row)
      words[at] = 'applied'
      if to == final then
        leave_queue(KEYS[5 + at], agent_id)
        ended = ended + 1
      end
    end
  end
end
count_ended(ended)
return words
