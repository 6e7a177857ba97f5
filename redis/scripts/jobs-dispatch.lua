-- Marks jobs of one task as sent, before their frames are written: a job that may have been sent is
-- never called unreachable (design 5.4).
-- Prelude: redis-time. KEYS[1] task hash  KEYS[2] jobs hash  KEYS[3..] per job: its output (see job-output), its agent's pending queue
-- ARGV[1] task id  ARGV[2] row of a dispatched job (JSON)  ARGV[3..] agent ids
-- Returns {when the task was created (Unix ms), cancel reason or '', words, have}: one letter per job, 'f' send it, nothing of it is held,
-- 'a' send it again, 'l' too late, 'o' over; `have` says where what is held of stdout and stderr of each 'a' ends, in order.
local not_after = tonumber(redis.call('HGET', KEYS[1], 'notAfter') or 0)
local late = tonumber(unix_ms()) > not_after
local rows = redis.call('HMGET', KEYS[2], unpack(ARGV, 3))

local function held_until(output, stream)
  local from = redis.call('HGET', output, stream .. ':from')
  if not from then return redis.call('HSTRLEN', output, stream .. ':head') end
  return tonumber(from) + redis.call('HSTRLEN', output, stream .. ':tail')
end

local words, have, marks = {}, {}, {}
for at = 1, #rows do
  local agent_id = ARGV[2 + at]
  local state = rows[at] and string.match(rows[at], '"state":"([a-z_]+)"')
  if state == 'queued' then
    words[at] = late and 'l' or 'f'
    if not late then
      marks[#marks + 1] = agent_id
      marks[#marks + 1] = ARGV[2]
    end
  elseif state == 'dispatched' or state == 'acked' or state == 'running' then
    words[at] = 'a'
    have[#have + 1] = held_until(KEYS[2 * at + 1], 'stdout')
    have[#have + 1] = held_until(KEYS[2 * at + 1], 'stderr')
  else
    words[at] = 'o'
    redis.call('ZREM', KEYS[2 * at + 2], ARGV[1] .. '.' .. agent_id)
  end
end
if #marks > 0 then redis.call('HSET', KEYS[2], unpack(marks)) end
local head = redis.call('HMGET', KEYS[1], 'createdAt', 'cancel')
return { head[1] or '0', head[2] or '', table.concat(words), have }
