-- Writes down a session that has said hello: from now on it is the agent's newest, whatever gateway
-- holds it. The order of two hellos is the order in which Redis heard of them (rule R5). A journal
-- that is behind the highest sequence its agent ever told was set back or copied (rule R16): then
-- nothing is written.
-- KEYS[1] the agent's session hash  KEYS[2] owners  KEYS[3] heard  KEYS[4] sequences
-- ARGV[1] agent id  ARGV[2] session id  ARGV[3] gateway id  ARGV[4] last seen (Unix ms)
-- ARGV[5] the journal's sequence  ARGV[6..] fields of the session hash
-- Returns {'opened', the owner's entry before or '', the entry now} or {'rolled_back', the highest sequence}.
local highest = redis.call('HGET', KEYS[4], ARGV[1])
if highest and tonumber(ARGV[5]) < tonumber(highest) then return { 'rolled_back', highest } end
redis.call('HSET', KEYS[4], ARGV[1], ARGV[5])
local time = redis.call('TIME')
local entry = ARGV[2] .. ' ' .. time[1] .. string.format('%03d', math.floor(time[2] / 1000)) .. ' ' .. ARGV[3]
local before = redis.call('HGET', KEYS[2], ARGV[1]) or ''
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('HSET', KEYS[2], ARGV[1], entry)
redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
return { 'opened', before, entry }
