-- Queues the next jobs of a task that has too many for one step. What is over by now, or was never there, is not queued.
-- Until all are, the task says how many: whoever begins it goes on from there (rule R5). May be repeated, in any order.
-- Prelude: task-ending. KEYS[6] the pending queue of an agent, with * for its id
-- ARGV[3] how many are queued after these  ARGV[4..] agent ids
local head = redis.call('HMGET', KEYS[1], 'createdAt', 'size')
if not head[1] then return end
local before, after = string.match(KEYS[6], '^(.*)%*(.*)$')
local rows = redis.call('HMGET', KEYS[2], unpack(ARGV, 4))
for at, row in ipairs(rows) do
  if row and rank_of(row) ~= final then
    local agent_id = ARGV[3 + at]
    redis.call('ZADD', before .. agent_id .. after, head[1], ARGV[1] .. '.' .. agent_id)
  end
end
if tonumber(ARGV[3]) < tonumber(head[2]) then
  redis.call('HSET', KEYS[1], 'queued', ARGV[3])
else
  redis.call('HDEL', KEYS[1], 'queued')
end
