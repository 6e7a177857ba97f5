-- Cancels a task: what queues is over at once, what was sent keeps the wish until it reports (rule R9).
-- Prelude: task-ending. KEYS[6..] the pending queue of each target
-- ARGV[3] reason, the first one stays  ARGV[4] row of a cancelled job (JSON)  ARGV[5..] agent ids
-- Returns false if there is no such task, else how many jobs ended and the agents that were sent a job that has not.
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSETNX', KEYS[1], 'cancel', ARGV[3])
local answer = { 0 }
local ended = 0
for at = 1, #ARGV - 4 do
  local agent_id = ARGV[4 + at]
  local rank = rank_of(redis.call('HGET', KEYS[2], agent_id))
  if rank == 0 then
    redis.call('HSET', KEYS[2], agent_id, ARGV[4])
    leave_queue(KEYS[5 + at], agent_id)
    ended = ended + 1
  elseif rank < final then
    answer[#answer + 1] = agent_id
  end
end
count_ended(ended)
answer[1] = ended
return answer
