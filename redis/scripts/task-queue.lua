-- Keeps and queues the next jobs of a task that has too many for one step.
-- Until all are, the task says how many: whoever reads it goes on from there (rule R5). A repeat, or a task that is not there, changes nothing.
-- Preludes: task-ending, task-rows.
-- ARGV[3] how many are queued before these  ARGV[4] after  ARGV[5] row of a job that nothing will run (JSON)  ARGV[6..] agent ids
local head = redis.call('HMGET', KEYS[1], 'createdAt', 'size', 'queued', 'queuedRow', 'over')
if head[3] ~= ARGV[3] then return end
if tonumber(ARGV[4]) < tonumber(head[2]) then
  redis.call('HSET', KEYS[1], 'queued', ARGV[4])
else
  redis.call('HDEL', KEYS[1], 'queued', 'queuedRow', 'over')
end
local _, over = ids_of(head[5], tonumber(head[2]))
keep_rows(ARGV, 6, #ARGV, head[1], function(agent_id)
  return over[agent_id] and ARGV[5] or head[4]
end)
