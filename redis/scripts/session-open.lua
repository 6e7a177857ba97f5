-- Writes down a session that has said hello: from now on it is the agent's newest, whatever gateway
-- holds it. The order of two hellos is the order in which Redis heard of them (rule R5).
-- KEYS[1] the agent's session hash  KEYS[2] owners  KEYS[3] heard
-- ARGV[1] agent id  ARGV[2] session id  ARGV[3] gateway id  ARGV[4] last seen (Unix ms)  ARGV[5..] fields of the session hash
-- Returns {the owner's entry before or '', the entry now}.
local time = redis.call('TIME')
local entry = ARGV[2] .. ' ' .. time[1] .. string.format('%03d', math.floor(time[2] / 1000)) .. ' ' .. ARGV[3]
local before = redis.call('HGET', KEYS[2], ARGV[1]) or ''
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('HSET', KEYS[2], ARGV[1], entry)
redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
return { before, entry }
